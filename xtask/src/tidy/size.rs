//! Length of files and functions, tests not counted, and the header of every file.

use super::{
    Finding,
    lex::Token,
    tree::{Source, Tree, group_end},
};
use std::collections::BTreeSet;

/// The longest file, in lines, without its tests: beyond it nobody reads a file as one thing.
const FILE_LINES: usize = 600;

/// The longest function, in lines with code, as clippy's `too_many_lines` counts: one screen.
const FUNCTION_LINES: usize = 70;

/// The longest test module that may stay in the file it tests.
const INLINE_TEST_LINES: usize = 60;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        check_header(source, &mut findings);
        if source.is_test() {
            continue;
        }
        let lines = source.text.lines().count();
        let test_lines = test_lines(source);
        if lines - test_lines > FILE_LINES {
            let message = format!(
                "{} lines without tests, {FILE_LINES} allowed",
                lines - test_lines
            );
            findings.push(Finding::new(&source.path, 0, message));
        }
        if test_lines > INLINE_TEST_LINES + 3 {
            let message = format!(
                "{test_lines} lines of tests in the file, {INLINE_TEST_LINES} allowed: move them to a tests.rs"
            );
            findings.push(Finding::new(&source.path, 0, message));
        }
        check_functions(source, &mut findings);
    }
    findings
}

fn check_header(source: &Source, findings: &mut Vec<Finding>) {
    if !source.text.starts_with("//! ") {
        findings.push(Finding::new(
            &source.path,
            1,
            "a file begins with `//!` and what it is",
        ));
    }
}

/// Lines of the file that only test items stand on.
fn test_lines(source: &Source) -> usize {
    let kept: BTreeSet<usize> = source
        .tokens_without_tests()
        .iter()
        .map(|token| token.line)
        .collect();
    let all: BTreeSet<usize> = source.tokens().iter().map(|token| token.line).collect();
    let tests: Vec<usize> = all.difference(&kept).copied().collect();
    let Some(first) = tests.first() else { return 0 };
    // Blank lines and comments between test lines belong to the tests, those around other code do not.
    let code_after = kept.iter().filter(|line| *line > first).count();
    match code_after {
        0 => source.text.lines().count() + 1 - first,
        _ => tests.len(),
    }
}

fn check_functions(source: &Source, findings: &mut Vec<Finding>) {
    let tokens = source.tokens_without_tests();
    for (at, token) in tokens.iter().enumerate() {
        if !token.is("fn") {
            continue;
        }
        let Some((name, body)) = function_body(&tokens, at) else {
            continue;
        };
        let lines: BTreeSet<usize> = body.iter().map(|token| token.line).collect();
        if lines.len() > FUNCTION_LINES {
            let message = format!(
                "{name}: {} lines of code, {FUNCTION_LINES} allowed",
                lines.len()
            );
            findings.push(Finding::new(&source.path, token.line, message));
        }
    }
}

/// The name and the tokens inside the braces of the function whose `fn` stands at `at`; `None` for a
/// declaration or a function type.
fn function_body<'a, 'b>(tokens: &'b [Token<'a>], at: usize) -> Option<(&'a str, &'b [Token<'a>])> {
    let name = tokens.get(at + 1)?.text;
    let mut next = at + 2;
    while let Some(token) = tokens.get(next) {
        if token.is(";") || token.is(",") || token.is(")") || token.is("=") {
            return None;
        }
        if token.is("{") {
            return Some((name, &tokens[next + 1..group_end(tokens, next) - 1]));
        }
        next = if token.is("(") || token.is("[") {
            group_end(tokens, next)
        } else {
            next + 1
        };
    }
    None
}
