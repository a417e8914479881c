//! A matcher, compiled.

use crate::{
    ast::{MatchOp, Matcher},
    error::{Error, Result},
    regexes,
};
use regex::Regex;

#[derive(Debug, Clone)]
pub(crate) struct Matching {
    name: String,
    negative: bool,
    value: Wanted,
}

#[derive(Debug, Clone)]
enum Wanted {
    Text(String),
    Regex(Regex),
}

impl Matching {
    pub(super) fn new(matcher: &Matcher) -> Result<Matching> {
        let value = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Wanted::Text(matcher.value.clone()),
            MatchOp::Regex | MatchOp::NotRegex => {
                Wanted::Regex(regexes::whole(&matcher.value).map_err(Error::invalid)?)
            }
        };
        Ok(Matching {
            name: matcher.name.clone(),
            negative: matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex),
            value,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a value, "" for a label that is absent, is what is wanted.
    pub(super) fn holds(&self, value: &str) -> bool {
        let is_same = match &self.value {
            Wanted::Text(text) => text == value,
            Wanted::Regex(regex) => regex.is_match(value),
        };
        is_same != self.negative
    }
}
