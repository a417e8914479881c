//! What a selector asks of a label.

use crate::error::{Error, Result};
use regex::Regex;

/// A condition on the value of one label; an absent label has the value "".
#[derive(Debug, Clone)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
    /// Of `Matches` and `NotMatches`, anchored at both ends.
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

/// How the value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Matches,
    NotMatches,
}

impl MatchOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Matches => "=~",
            MatchOp::NotMatches => "!~",
        }
    }
}

impl Matcher {
    /// Compiles the regular expression, if `op` has one; an error names what is wrong with it.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Matcher> {
        let value = value.into();
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Matches | MatchOp::NotMatches => Some(anchored(&value)?),
        };
        Ok(Matcher {
            name: name.into(),
            op,
            value,
            regex,
        })
    }

    /// Whether a label of this value is accepted; "" for an absent one.
    pub fn accepts(&self, value: &str) -> bool {
        let found = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => self.value == value,
        };
        found == matches!(self.op, MatchOp::Equal | MatchOp::Matches)
    }
}

/// Prometheus' expressions match the whole value, and `.` also a line break.
fn anchored(pattern: &str) -> Result<Regex> {
    regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|source| Error::Pattern {
            pattern: pattern.to_owned(),
            source: Box::new(source),
        })
}
