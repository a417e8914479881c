//! Nothing is global: no `static`, by whatever macro, but for the allocator.

use super::{Finding, tree::Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources.iter().filter(|source| !source.is_test()) {
        let tokens = source.tokens_without_tests();
        for (at, token) in tokens.iter().enumerate() {
            let in_macro = token.is("lazy_static") || token.is("thread_local");
            if !token.is("static") && !in_macro {
                continue;
            }
            // `#[global_allocator] static …`: the attribute's word stands two tokens before.
            if at >= 2 && tokens[at - 2].is("global_allocator") {
                continue;
            }
            let message = "a static: pass the value to those who need it";
            findings.push(Finding::new(&source.path, token.line, message));
        }
    }
    findings
}
