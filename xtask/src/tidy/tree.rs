//! The files that the rules look at, read once: Rust sources, manifests and the architecture page.

use super::lex::{self, Kind, Token};
use anyhow::{Context, Result};
use std::{collections::BTreeSet, path::Path};

/// A Rust source file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A `Cargo.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    /// From the root of the repository.
    pub(crate) path: String,
    pub(crate) table: toml::Table,
}

/// Everything that tidy looks at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    pub(crate) manifests: Vec<Manifest>,
    /// `docs/ARCHITECTURE.md`.
    pub(crate) architecture: Option<String>,
    /// Every file and folder, from the root, folders without a slash at the end.
    pub(crate) paths: BTreeSet<String>,
}

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 7] = [
    ".git",
    "target",
    "node_modules",
    ".venv",
    "cairn-data",
    "__pycache__",
    "playground",
];

impl Tree {
    /// Reads the repository at `root`.
    pub(crate) fn read(root: &Path) -> Result<Tree> {
        let mut tree = Tree::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, root: &Path, folder: &str) -> Result<()> {
        let at = root.join(folder);
        let entries =
            std::fs::read_dir(&at).with_context(|| format!("reading {}", at.display()))?;
        let mut names: Vec<(String, bool)> = Vec::new();
        for entry in entries {
            let entry = entry?;
            names.push((
                entry.file_name().to_string_lossy().into_owned(),
                entry.path().is_dir(),
            ));
        }
        names.sort();
        for (name, is_folder) in names {
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            self.paths.insert(path.clone());
            if is_folder {
                self.read_folder(root, &path)?;
            } else {
                self.read_file(root, path)?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, root: &Path, path: String) -> Result<()> {
        let is_source = path.ends_with(".rs");
        let is_manifest = path.ends_with("Cargo.toml");
        let is_architecture = path == "docs/ARCHITECTURE.md";
        if !is_source && !is_manifest && !is_architecture {
            return Ok(());
        }
        let text =
            std::fs::read_to_string(root.join(&path)).with_context(|| format!("reading {path}"))?;
        if is_source {
            self.sources.push(Source { path, text });
        } else if is_manifest {
            let table = text
                .parse()
                .with_context(|| format!("reading {path} as TOML"))?;
            self.manifests.push(Manifest { path, table });
        } else {
            self.architecture = Some(text);
        }
        Ok(())
    }
}

impl Source {
    /// The file's tokens without comments.
    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        lex::tokens(&self.text)
    }

    /// Whether the whole file is test code: in a `tests` folder or a `tests.rs`.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// The file's tokens without the items marked `#[cfg(test)]` or `#[test]`.
    pub(crate) fn tokens_without_tests(&self) -> Vec<Token<'_>> {
        let tokens = self.tokens();
        let mut kept = Vec::with_capacity(tokens.len());
        let mut at = 0;
        while at < tokens.len() {
            match test_attribute_end(&tokens, at) {
                Some(end) => at = item_end(&tokens, end),
                None => {
                    kept.push(tokens[at]);
                    at += 1;
                }
            }
        }
        kept
    }
}

/// The token after a `#[cfg(test)]`, `#[cfg(all(test, …))]` or `#[test]` that begins at `at`.
fn test_attribute_end(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    if !(tokens[at].is("#") && tokens.get(at + 1)?.is("[")) {
        return None;
    }
    let end = group_end(tokens, at + 1);
    let inside = &tokens[at + 2..end - 1];
    let first = inside.first()?;
    let has = |word: &str| inside.iter().any(|token| token.is(word));
    let is_test =
        (inside.len() == 1 && first.is("test")) || (first.is("cfg") && has("test") && !has("not"));
    is_test.then_some(end)
}

/// The token after the item that begins at `at`: its `;`, or its block.
fn item_end(tokens: &[Token<'_>], mut at: usize) -> usize {
    while at < tokens.len() {
        if tokens[at].is(";") || tokens[at].is(",") {
            return at + 1;
        }
        if tokens[at].is("{") {
            return group_end(tokens, at);
        }
        if tokens[at].is("(") || tokens[at].is("[") {
            at = group_end(tokens, at);
        } else {
            at += 1;
        }
    }
    at
}

/// The token after the bracket that closes the one at `open`.
pub(crate) fn group_end(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}
