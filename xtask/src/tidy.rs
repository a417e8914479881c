//! The rules of the tree that a machine can hold; `cargo xtask tidy`, and a test, so that nobody forgets it.
//!
//! Each rule is a function from the tree to its findings, so that a test can show a bad tree to it. Limits only
//! ever go down.

mod architecture;
mod edges;
mod lex;
mod modules;
mod names;
mod size;
mod statics;
mod tree;

use anyhow::Result;
use std::{fmt, path::Path};
use tree::Tree;

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// From 1; 0 for the file as a whole.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding {
            path: path.to_string(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Everything in the repository at `root` that breaks a rule, sorted by path.
pub(crate) fn findings(root: &Path) -> Result<Vec<Finding>> {
    Ok(check(&Tree::read(root)?))
}

fn check(tree: &Tree) -> Vec<Finding> {
    let rules: [fn(&Tree) -> Vec<Finding>; 6] = [
        edges::check,
        modules::check,
        size::check,
        names::check,
        statics::check,
        architecture::check,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

#[cfg(test)]
mod tests;
