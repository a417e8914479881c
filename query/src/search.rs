//! The language of a search box -> a condition in SQL with parameters: words, phrases, beginnings, parts, fields, and, or, not.
//!
//! `lex` cuts the text into terms, `parse` joins them, `lower` writes SQL that the index is asked with. `docs/howto/search-logs.md`
//! is the specification. What a term means is decided here alone: everything below is a statement like any other.

mod lex;
mod lower;
mod parse;
mod terms;

use crate::error::Result;
use serde_json::{Map, Value};

/// A condition over the columns of `logs`, and the values of the parameters that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub sql: String,
    pub parameters: Map<String, Value>,
}

/// The condition that `text` means; `None` where it says nothing, and every record is meant.
///
/// Parameters are named `q0`, `q1`, …. Errors say where in `text` they are.
pub fn condition(text: &str) -> Result<Option<Condition>> {
    let pieces = lex::lex(text)?;
    let node = parse::parse(&pieces)?;
    node.map(|node| lower::lower(&node)).transpose()
}

#[cfg(test)]
mod tests;
