//! What a script consists of, and what comes out of it.

use crate::{
    error::Result,
    histogram::Histogram,
    labels::Labels,
    source::{Source, Temporality},
};
use std::sync::Arc;

/// Where the series of a script are kept while it runs.
pub trait Storage {
    /// Forgets all series.
    fn clear(&mut self) -> Result<()>;

    /// Adds points; a series may have been there before.
    fn load(&mut self, series: &[ScriptSeries]) -> Result<()>;

    /// What evaluations read.
    fn source(&self) -> Box<dyn Source + '_>;
}

/// A series that a script loads.
#[derive(Debug, Clone)]
pub struct ScriptSeries {
    pub labels: Labels,
    pub temporality: Temporality,
    /// Times in ms, sorted, each once.
    pub points: Vec<(i64, ScriptValue)>,
}

/// A point's value.
#[derive(Debug, Clone)]
pub enum ScriptValue {
    Float(f64),
    Histogram(Arc<Histogram>),
    /// The series ends here.
    Stale,
}

/// How a script went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub passed: usize,
    pub failed: Vec<Failure>,
}

/// An evaluation whose answer is not the expected one.
#[derive(Debug, Clone)]
pub struct Failure {
    /// From 1.
    pub line: usize,
    pub query: String,
    pub reason: String,
}

/// One command of a script.
#[derive(Debug)]
pub(super) enum Command {
    Clear,
    Load(Vec<ScriptSeries>),
    Eval(Box<Eval>),
}

/// `eval instant at …` and `eval range from …`.
#[derive(Debug)]
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) time: EvalTime,
    pub(super) expected: Expected,
    pub(super) ordered: bool,
    pub(super) notes: Notes,
}

/// Times in ms.
#[derive(Debug, Clone, Copy)]
pub(super) enum EvalTime {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// The expected value.
#[derive(Debug)]
pub(super) enum Expected {
    Scalar(f64),
    String(String),
    /// One value a series for instants, one a step for ranges.
    Series(Vec<ExpectedSeries>),
    /// A range vector of an instant query, with one value each step.
    RangeVector {
        series: Vec<ExpectedSeries>,
        start: i64,
        end: i64,
        step: i64,
    },
}

#[derive(Debug)]
pub(super) struct ExpectedSeries {
    pub(super) labels: Labels,
    pub(super) values: Vec<Item>,
}

/// One item of a series' notation.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Nothing,
    Stale,
    Float(f64),
    Histogram {
        histogram: Arc<Histogram>,
        /// The hint was written down, so that it counts.
        has_hint: bool,
    },
}

/// What is expected beside the value.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) fail: Option<Text>,
    pub(super) warnings: Expectation,
    pub(super) infos: Expectation,
}

/// What is expected of warnings, or of infos.
#[derive(Debug, Default)]
pub(super) enum Expectation {
    #[default]
    Any,
    None,
    /// Each of these comes, and nothing else.
    All(Vec<Text>),
}

/// What a message has to be.
#[derive(Debug)]
pub(super) enum Text {
    Anything,
    Exactly(String),
    Matching(regex::Regex),
}

impl Text {
    pub(super) fn accepts(&self, message: &str) -> bool {
        match self {
            Text::Anything => true,
            Text::Exactly(text) => text == message,
            Text::Matching(regex) => regex.is_match(message),
        }
    }
}
