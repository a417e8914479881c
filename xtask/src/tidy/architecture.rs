//! `docs/ARCHITECTURE.md` stays short and names only what exists.

use super::{Finding, tree::Tree};

const PATH: &str = "docs/ARCHITECTURE.md";

/// Longer, and nobody reads it before changing something.
const LINES: usize = 250;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = &tree.architecture else {
        return vec![Finding::new(PATH, 0, "does not exist")];
    };
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > LINES {
        findings.push(Finding::new(
            PATH,
            0,
            format!("{lines} lines, {LINES} allowed"),
        ));
    }
    let mut in_picture = false;
    for (at, line) in text.lines().enumerate() {
        in_picture ^= line.starts_with("```");
        let paths: Vec<&str> = match in_picture {
            true => line
                .split_whitespace()
                .filter(|text| looks_like_path(text))
                .collect(),
            false => named_paths(line).collect(),
        };
        for path in paths.into_iter().filter(|path| !exists(tree, path)) {
            findings.push(Finding::new(
                PATH,
                at + 1,
                format!("`{path}` does not exist"),
            ));
        }
    }
    findings
}

/// What stands between backticks, or in the target of a link, and looks like a path of the repository.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    let links = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    spans.chain(links).filter(|text| looks_like_path(text))
}

fn looks_like_path(text: &str) -> bool {
    const FOLDERS: [&str; 10] = [
        "proto/", "storage/", "tenancy/", "ingest/", "query/", "src/", "benches/", "xtask/",
        "docs/", "tests/",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let is_file = [".rs", ".md", ".toml"]
        .iter()
        .any(|ending| text.ends_with(ending));
    let is_below = FOLDERS.iter().any(|folder| text.starts_with(folder));
    text.chars().all(plain) && !text.starts_with('/') && (is_below || is_file)
}

/// Paths are from the root of the repository; links are from `docs/`.
fn exists(tree: &Tree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let from_docs = match path.strip_prefix("../") {
        Some(up) => up.to_string(),
        None => format!("docs/{path}"),
    };
    tree.paths.contains(path) || tree.paths.contains(&from_docs)
}
