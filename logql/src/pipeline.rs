//! A log query, compiled: each line goes in with its labels, and comes out changed, with more labels, or not at all.
//!
//! Line filters that stand first look at the bytes of the line before anything else is done. What goes wrong with a line
//! drops nothing: the line gets the label `__error__`, which later stages can filter by.

mod buffers;
pub(crate) mod conditions;
mod json;
mod lines;
mod logfmt;
mod matching;
mod needs;
mod reshape;
mod set;
mod steps;

pub use needs::Needs;
pub use set::{Category, LabelSet};

use crate::{ast::LogExpr, error::Result};
use buffers::Buffers;
use matching::Matching;
use set::Slots;
use steps::Step;

/// A log line with what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Nanoseconds since 1970.
    pub timestamp: i64,
    pub line: &'a str,
    /// The labels of its stream, each name once.
    pub stream: &'a [(&'a str, &'a str)],
    /// The labels of the line itself, its structured metadata, each name once.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// A line that passed.
#[derive(Debug)]
pub struct Processed<'a> {
    /// Nanoseconds since 1970.
    pub timestamp: i64,
    pub line: &'a str,
    pub labels: LabelSet<'a>,
}

/// The stages of a query, with the buffers that they use again for every line.
#[derive(Debug)]
pub struct Pipeline {
    selector: Vec<Matching>,
    steps: Vec<Step>,
    /// How many steps at the beginning are line filters.
    leading: usize,
    needs: Needs,
    slots: Slots,
    buffers: Buffers,
}

impl Pipeline {
    /// Compiles a query whose answer has all labels. `now` is what templates get from `now`, in nanoseconds.
    ///
    /// Fails for what [`crate::parse`] would have refused.
    pub fn new(log: &LogExpr, now: i64) -> Result<Pipeline> {
        Pipeline::with_needs(log, Needs::all(), now)
    }

    /// Compiles a query of whose labels only some are looked at; those that its stages look at are added.
    pub fn with_needs(log: &LogExpr, mut needs: Needs, now: i64) -> Result<Pipeline> {
        needs.add_stages(&log.stages)?;
        let steps: Vec<Step> = log.stages.iter().map(Step::new).collect::<Result<_>>()?;
        let leading = steps
            .iter()
            .take_while(|step| matches!(step, Step::Line(_)))
            .count();
        Ok(Pipeline {
            selector: log
                .selector
                .iter()
                .map(Matching::new)
                .collect::<Result<_>>()?,
            steps,
            leading,
            needs,
            slots: Slots::default(),
            buffers: Buffers::new(now),
        })
    }

    /// Whether the query asks for a stream of these labels. [`Pipeline::process`] does not look at it again.
    pub fn selects(&self, stream: &[(&str, &str)]) -> bool {
        self.selector.iter().all(|matching| {
            let found = stream.iter().find(|(name, _)| *name == matching.name());
            matching.holds(found.map_or("", |(_, value)| value))
        })
    }

    /// Whether the line filters that stand first let a line pass; [`Pipeline::process`] looks again.
    pub fn admits(&self, line: &str) -> bool {
        let mut leading = self.steps[..self.leading].iter();
        leading.all(|step| step.admits(line))
    }

    /// Takes a line through all stages; `None` if one of them drops it.
    pub fn process<'a>(&'a mut self, entry: &Entry<'a>) -> Option<Processed<'a>> {
        let (leading, rest) = self.steps.split_at_mut(self.leading);
        let passes = leading.iter().all(|step| step.admits(entry.line));
        if !passes {
            return None;
        }
        let mut labels = LabelSet::new(entry, &mut self.slots, &self.needs);
        self.buffers.start(entry.timestamp);
        for step in rest {
            if !step.run(entry.line, &mut labels, &mut self.buffers) {
                return None;
            }
        }
        let line = self.buffers.line().unwrap_or(entry.line);
        Some(Processed {
            timestamp: entry.timestamp,
            line,
            labels,
        })
    }
}

#[cfg(test)]
mod tests;
