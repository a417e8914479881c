//! Templates of `line_format` and `label_format`: Go's text/template with the functions that LogQL documents.
//!
//! Not here: `define`, `template`, `block` and methods of values. A template has no access to anything but the line, its
//! time and its labels; its output and its steps are limited.

mod execute;
mod functions;
mod moment;
mod printf;
mod read;
mod value;

use crate::{limits, regexes};
use functions::Context;
use read::Node;
use regex::Regex;
use std::collections::BTreeSet;

/// A template, read once and run on every line.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

/// What a template can see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) line: &'a str,
    /// Nanoseconds since 1970.
    pub(crate) timestamp: i64,
    /// What `now` answers, in nanoseconds since 1970.
    pub(crate) now: i64,
    pub(crate) labels: &'a [(&'a str, &'a str)],
}

/// Regular expressions that templates made, kept for the next line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Regexes(Vec<(String, Regex)>);

impl Regexes {
    fn get(&mut self, expression: &str) -> Result<&Regex, String> {
        if let Some(at) = self.0.iter().position(|(kept, _)| kept == expression) {
            return Ok(&self.0[at].1);
        }
        let regex = regexes::search(expression)?;
        if self.0.len() >= limits::TEMPLATE_REGEXES {
            self.0.remove(0);
        }
        self.0.push((expression.to_string(), regex));
        Ok(&self.0[self.0.len() - 1].1)
    }
}

impl Template {
    /// Reads a template; the error says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Template, String> {
        let nodes = read::read(text).map_err(|detail| format!("invalid template: {detail}"))?;
        Ok(Template { nodes })
    }

    /// The labels that it names; `None` if it looks at all of them.
    pub(crate) fn labels(&self) -> Option<BTreeSet<&str>> {
        let mut found = BTreeSet::new();
        let all_named = self
            .nodes
            .iter()
            .all(|node| node.collect_labels(&mut found));
        all_named.then_some(found)
    }

    /// Appends what the template makes of the input to `output`; on an error what was written is undefined.
    pub(crate) fn run(
        &self,
        input: Input<'_>,
        regexes: &mut Regexes,
        output: &mut String,
    ) -> Result<(), String> {
        execute::run(&self.nodes, Context { input, regexes }, output)
    }
}

#[cfg(test)]
mod tests;
