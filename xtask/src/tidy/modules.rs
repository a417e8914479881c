//! The modules of a crate form a DAG.
//!
//! A file names modules by paths that begin with `crate`, `super` or `self`. At every level of the module tree,
//! the subtrees below one parent are the nodes, and a path from a file of one subtree into another is an edge;
//! a ring of edges is a finding. So a parent may use its children and a child what its parent defines, but two
//! siblings, or anything in them, never use each other.

use super::{
    Finding,
    lex::{Kind, Token},
    tree::{Source, Tree, group_end},
};
use std::collections::{BTreeMap, BTreeSet};

/// A module as the names of its path; the root is empty.
type Module = Vec<String>;

/// A path in a file that leads to another module.
struct Reference {
    from: Module,
    to: Module,
    file: String,
    line: usize,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in &tree.sources {
        if let Some((root, _)) = split(&source.path)
            && !source.is_test()
        {
            crates.entry(root).or_default().push(source);
        }
    }
    crates
        .into_values()
        .flat_map(|sources| check_crate(&sources))
        .collect()
}

/// A source path as the `src` folder of its crate and the rest; `None` for tests, benches and the like.
fn split(path: &str) -> Option<(&str, &str)> {
    let at = if path.starts_with("src/") {
        0
    } else {
        path.find("/src/")? + 1
    };
    Some(path.split_at(at + "src/".len()))
}

fn module_of(path: &str) -> Module {
    let (_, rest) = split(path).unwrap_or(("", path));
    let stem = rest.strip_suffix(".rs").unwrap_or(rest);
    match stem {
        "lib" | "main" => Vec::new(),
        _ => stem.split('/').map(str::to_string).collect(),
    }
}

fn check_crate(sources: &[&Source]) -> Vec<Finding> {
    let modules: BTreeSet<Module> = sources
        .iter()
        .map(|source| module_of(&source.path))
        .collect();
    let references: Vec<Reference> = sources
        .iter()
        .flat_map(|source| references(source, &modules))
        .collect();
    let mut levels: BTreeMap<Module, BTreeMap<(String, String), &Reference>> = BTreeMap::new();
    for reference in &references {
        let shared = shared_length(&reference.from, &reference.to);
        let (Some(from), Some(to)) = (reference.from.get(shared), reference.to.get(shared)) else {
            continue;
        };
        let edges = levels.entry(reference.from[..shared].to_vec()).or_default();
        edges.entry((from.clone(), to.clone())).or_insert(reference);
    }
    levels.values().flat_map(rings).collect()
}

fn shared_length(a: &[String], b: &[String]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// One finding for each edge that lies on a ring: its target leads back to its source.
fn rings(edges: &BTreeMap<(String, String), &Reference>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((from, to), reference) in edges {
        let Some(way) = way(edges, to, from) else {
            continue;
        };
        let message = format!("module cycle: {from} -> {}", way.join(" -> "));
        findings.push(Finding::new(&reference.file, reference.line, message));
    }
    findings
}

/// The names on a way from `from` to `to`, both included.
fn way(
    edges: &BTreeMap<(String, String), &Reference>,
    from: &str,
    to: &str,
) -> Option<Vec<String>> {
    let mut ways: Vec<Vec<String>> = vec![vec![from.to_string()]];
    let mut seen = BTreeSet::from([from.to_string()]);
    while let Some(way) = ways.pop() {
        let last = way.last().map(String::as_str).unwrap_or_default();
        if last == to {
            return Some(way);
        }
        for (_, next) in edges.keys().filter(|(at, _)| at == last) {
            if seen.insert(next.clone()) {
                ways.push(way.iter().cloned().chain([next.clone()]).collect());
            }
        }
    }
    None
}

/// Every path of `source` that leads into another module of the crate.
fn references(source: &Source, modules: &BTreeSet<Module>) -> Vec<Reference> {
    let tokens = source.tokens_without_tests();
    let from = module_of(&source.path);
    let mut found = Vec::new();
    // The inline modules around the current token, with the token that ends each.
    let mut inline: Vec<(String, usize)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        inline.retain(|(_, end)| at < *end);
        if token.is("mod") && tokens.get(at + 2).is_some_and(|open| open.is("{")) {
            inline.push((tokens[at + 1].text.to_string(), group_end(&tokens, at + 2)));
        }
        let starts = ["crate", "super", "self"]
            .iter()
            .any(|start| token.is(start))
            && tokens.get(at + 1).is_some_and(|next| next.is("::"))
            && !(at > 0 && tokens[at - 1].is("::"));
        if !starts {
            continue;
        }
        let here: Module = from
            .iter()
            .chain(inline.iter().map(|(name, _)| name))
            .cloned()
            .collect();
        let mut paths = Vec::new();
        let base = if token.is("crate") { Vec::new() } else { here };
        collect_paths(&tokens, at, base, &mut paths);
        for path in paths {
            let to = known_prefix(&path, modules);
            if to != from {
                let file = source.path.clone();
                found.push(Reference {
                    from: from.clone(),
                    to,
                    file,
                    line: token.line,
                });
            }
        }
    }
    found
}

/// The longest prefix of `path` that is a module with a file.
fn known_prefix(path: &[String], modules: &BTreeSet<Module>) -> Module {
    let known = (0..=path.len())
        .rev()
        .find(|length| modules.contains(&path[..*length]));
    path[..known.unwrap_or(0)].to_vec()
}

/// Reads a path or a use tree at `at` below `base` and returns the token after it.
fn collect_paths(
    tokens: &[Token<'_>],
    mut at: usize,
    mut base: Module,
    paths: &mut Vec<Module>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            let end = group_end(tokens, at);
            at += 1;
            while at + 1 < end {
                at = if tokens[at].is(",") {
                    at + 1
                } else {
                    collect_paths(tokens, at, base.clone(), paths)
                };
            }
            return end;
        }
        if token.kind != Kind::Word {
            // `*`, `<` of a turbofish, and whatever else ends a path.
            paths.push(base);
            return at + 1;
        }
        match token.text {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            name => base.push(name.to_string()),
        }
        at += 1;
        if !tokens.get(at).is_some_and(|next| next.is("::")) {
            break;
        }
        at += 1;
    }
    paths.push(base);
    // `use a::b as c`: the new name is no path.
    if tokens.get(at).is_some_and(|next| next.is("as")) {
        at + 2
    } else {
        at
    }
}
