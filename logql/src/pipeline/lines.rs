//! Line filters, compiled.

use crate::{
    ast::{LineFilter, LineMatch, LineOp},
    error::{Error, Result},
    ip::Addresses,
    pattern::Pattern,
    regexes,
};
use memchr::memmem::Finder;
use regex::Regex;

#[derive(Debug)]
pub(super) struct LineTest {
    negative: bool,
    /// One of them has to be found.
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
enum Wanted {
    Text(Box<Finder<'static>>),
    Regex(Regex),
    Pattern(Pattern),
    Ip(Addresses),
}

impl LineTest {
    pub(super) fn new(filter: &LineFilter) -> Result<LineTest> {
        let wanted = filter
            .matches
            .iter()
            .map(|found| Wanted::new(filter.op, found));
        Ok(LineTest {
            negative: filter.op.is_negative(),
            wanted: wanted
                .collect::<Result<_, String>>()
                .map_err(Error::invalid)?,
        })
    }

    pub(super) fn admits(&self, line: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted.is_in(line)) != self.negative
    }
}

impl Wanted {
    fn new(op: LineOp, found: &LineMatch) -> Result<Wanted, String> {
        let text = match found {
            LineMatch::Ip(pattern) => return Ok(Wanted::Ip(Addresses::new(pattern)?)),
            LineMatch::Text(text) => text,
        };
        Ok(match op {
            LineOp::Contains | LineOp::NotContains => {
                Wanted::Text(Box::new(Finder::new(text.as_bytes()).into_owned()))
            }
            LineOp::Regex | LineOp::NotRegex => Wanted::Regex(regexes::search(text)?),
            LineOp::Pattern | LineOp::NotPattern => Wanted::Pattern(Pattern::without_names(text)?),
        })
    }

    fn is_in(&self, line: &str) -> bool {
        match self {
            Wanted::Text(finder) => finder.find(line.as_bytes()).is_some(),
            Wanted::Regex(regex) => regex.is_match(line),
            Wanted::Pattern(pattern) => pattern.is_match(line),
            Wanted::Ip(addresses) => addresses.is_in(line),
        }
    }
}
