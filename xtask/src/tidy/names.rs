//! Names that say nothing, and the one layout of modules: `foo.rs` with `foo/`.

use super::{Finding, tree::Tree};

/// A module of such a name collects what nobody found a noun for.
const FORBIDDEN: [&str; 10] = [
    "common", "utils", "util", "helpers", "core", "base", "infra", "misc", "manager", "service",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        let parts = source
            .path
            .strip_suffix(".rs")
            .unwrap_or(&source.path)
            .split('/');
        for part in parts.filter(|part| FORBIDDEN.contains(part)) {
            findings.push(Finding::new(
                &source.path,
                0,
                format!("`{part}` says nothing: find the noun"),
            ));
        }
        if source.path.ends_with("/mod.rs") {
            findings.push(Finding::new(
                &source.path,
                0,
                "use foo.rs beside foo/, not mod.rs",
            ));
        }
        for pair in source.tokens().windows(2) {
            if pair[0].is("mod") && FORBIDDEN.contains(&pair[1].text) {
                let message = format!("`{}` says nothing: find the noun", pair[1].text);
                findings.push(Finding::new(&source.path, pair[0].line, message));
            }
        }
    }
    findings
}
