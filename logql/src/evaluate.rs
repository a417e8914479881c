//! Metric queries over the lines that the caller pushes.
//!
//! Each range aggregation of the query is a source: it has a pipeline of its own and takes the lines of its selector, in
//! any order. What is kept goes by series and steps, not by lines: the time is cut where a window begins or ends, and each
//! series has one cell for each piece in which it has lines. At the end cells are merged to windows, windows are the
//! values of steps, and the rest of the query works on them.

mod binary;
mod cells;
mod matrix;
mod quantile;
mod relabel;
mod source;
mod vector;
mod windows;

use crate::{
    ast::{Grouping, Metric, RangeAggregation, RangeOp, VectorOp},
    error::{Error, Result},
    labels::Labels,
    limits::Limits,
    pipeline::Entry,
    times::Times,
};
use matrix::{Evaluated, Matrix};
use source::Source;

/// Memory of a series with its key and its labels, of a cell, and of a sample that is kept, about, in bytes.
const SERIES_BYTES: usize = 512;
const CELL_BYTES: usize = 96;
const SAMPLE_BYTES: usize = 16;

/// What of a line a source looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants<'a> {
    /// Whether it looks at the text.
    pub line: bool,
    /// The labels that it looks at; `None` for all.
    pub labels: Option<&'a [String]>,
}

/// An evaluation under way.
#[derive(Debug)]
pub struct Evaluation<'q> {
    query: &'q Metric,
    times: Times,
    limits: Limits,
    sources: Vec<Source>,
    cells: usize,
    samples: usize,
}

/// The values of a series at the steps where it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub labels: Labels,
    /// Nanoseconds since 1970, ascending, and the values.
    pub points: Vec<(i64, f64)>,
}

/// What a metric query answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Of a query of numbers only, at one time.
    Scalar(f64),
    /// At one time: sorted by labels, or by value where the query sorts.
    Vector(Vec<(Labels, f64)>),
    /// At steps: sorted by labels.
    Matrix(Vec<Series>),
}

impl<'q> Evaluation<'q> {
    /// Compiles a query. `now` is what templates get from `now`, in nanoseconds.
    ///
    /// Fails where there are more steps than `limits` allow.
    pub fn new(
        query: &'q Metric,
        times: Times,
        limits: Limits,
        now: i64,
    ) -> Result<Evaluation<'q>> {
        if times.count() > limits.steps {
            return Err(Error::Limit {
                what: "the steps of a query",
                limit: limits.steps as u64,
                advice: "ask for less time or longer steps",
            });
        }
        let mut sources = Vec::new();
        collect_sources(query, None, &mut |range, grouping| {
            sources.push(Source::new(range, grouping, &times, now)?);
            Ok(())
        })?;
        Ok(Evaluation {
            query,
            times,
            limits,
            sources,
            cells: 0,
            samples: 0,
        })
    }

    /// How many sources there are: one for each range aggregation, from left to right, as in [`crate::hints`].
    pub fn sources(&self) -> usize {
        self.sources.len()
    }

    /// Whether a source asks for a stream; [`Evaluation::push`] does not look at it again.
    pub fn selects(&self, source: usize, stream: &[(&str, &str)]) -> bool {
        self.sources[source].selects(stream)
    }

    /// What a source looks at beside the time of a line and its stream.
    pub fn wants(&self, source: usize) -> Wants<'_> {
        let (line, labels) = self.sources[source].wants();
        Wants { line, labels }
    }

    /// About the memory that series and their cells take, in bytes.
    pub fn held_bytes(&self) -> usize {
        let series: usize = self.sources.iter().map(Source::series).sum();
        SERIES_BYTES * series + CELL_BYTES * self.cells + SAMPLE_BYTES * self.samples
    }

    /// Gives a line to a source. Lines outside of every window are passed over.
    ///
    /// An error ends the evaluation: a line that a stage could not read, unless the query filters by `__error__`, or a
    /// limit.
    pub fn push(&mut self, source: usize, entry: &Entry<'_>) -> Result<()> {
        let source = &mut self.sources[source];
        let Some(kept) = source.push(entry)? else {
            return Ok(());
        };
        self.cells += usize::from(kept.new_cell);
        self.samples += usize::from(kept.is_sample);
        if source.series() > self.limits.series {
            return Err(limit(
                "the series of a query",
                self.limits.series,
                "aggregate by fewer labels, or select less",
            ));
        }
        if self.cells > self.limits.cells {
            return Err(limit(
                "series times steps",
                self.limits.cells,
                "aggregate by fewer labels, or ask for less time or longer steps",
            ));
        }
        if self.samples > self.limits.samples {
            return Err(limit(
                "the samples of rate_counter",
                self.limits.samples,
                "ask for less time",
            ));
        }
        Ok(())
    }

    /// The answer to what was pushed.
    pub fn finish(self) -> Result<Answer> {
        let steps = self.times.count();
        let mut sources = self.sources.into_iter();
        let evaluated = evaluate(self.query, &mut sources, &self.times)?;
        let matrix = match evaluated {
            Evaluated::Number(value) if self.times.is_instant() => {
                return Ok(Answer::Scalar(value));
            }
            Evaluated::Number(value) => Matrix::constant(value, steps),
            Evaluated::Matrix(matrix) => matrix,
        };
        if matrix.series.len() > self.limits.series {
            return Err(limit(
                "the series of an answer",
                self.limits.series,
                "aggregate by fewer labels",
            ));
        }
        let mut answer: Vec<Series> = matrix
            .series
            .into_iter()
            .filter_map(|row| row.points(&self.times))
            .collect();
        if !(self.times.is_instant() && is_ordered(self.query)) {
            answer.sort_by(|left, right| left.labels.cmp(&right.labels));
        }
        if self.times.is_instant() {
            let vector = answer
                .into_iter()
                .filter_map(|series| Some((series.labels, series.points.first()?.1)));
            return Ok(Answer::Vector(vector.collect()));
        }
        Ok(Answer::Matrix(answer))
    }
}

fn limit(what: &'static str, limit: usize, advice: &'static str) -> Error {
    Error::Limit {
        what,
        limit: limit as u64,
        advice,
    }
}

/// Whether the order of the series of an instant answer means something.
fn is_ordered(query: &Metric) -> bool {
    let Metric::Aggregation(aggregation) = query else {
        return false;
    };
    matches!(
        aggregation.op,
        VectorOp::Sort
            | VectorOp::SortDesc
            | VectorOp::Topk
            | VectorOp::Bottomk
            | VectorOp::ApproxTopk
    )
}

/// What is done with a range aggregation, and the labels that the aggregation around it keeps.
type Visit<'v> = dyn FnMut(&RangeAggregation, Option<Grouping>) -> Result<()> + 'v;

/// Visits the range aggregations from left to right. Where the aggregation around one gives the same when it is done line
/// by line, its labels are handed down, so that there is no series that is only summed up again.
fn collect_sources(query: &Metric, outer: Option<Grouping>, visit: &mut Visit<'_>) -> Result<()> {
    match query {
        Metric::Range(range) => visit(range, outer),
        Metric::Aggregation(aggregation) => {
            let inner = match &*aggregation.inner {
                Metric::Range(range)
                    if range.grouping.is_none() && hands_down(aggregation.op, range.op) =>
                {
                    Some(aggregation.grouping.clone().unwrap_or(Grouping {
                        without: false,
                        labels: Vec::new(),
                    }))
                }
                _ => None,
            };
            collect_sources(&aggregation.inner, inner, visit)
        }
        Metric::LabelReplace(replace) => collect_sources(&replace.inner, None, visit),
        Metric::Binary(binary) => {
            collect_sources(&binary.left, None, visit)?;
            collect_sources(&binary.right, None, visit)
        }
        Metric::Literal(_) | Metric::Vector(_) => Ok(()),
    }
}

fn hands_down(outer: VectorOp, inner: RangeOp) -> bool {
    match outer {
        VectorOp::Sum => matches!(
            inner,
            RangeOp::Rate | RangeOp::Count | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum
        ),
        VectorOp::Max => inner == RangeOp::Max,
        VectorOp::Min => inner == RangeOp::Min,
        _ => false,
    }
}

fn evaluate(
    query: &Metric,
    sources: &mut std::vec::IntoIter<Source>,
    times: &Times,
) -> Result<Evaluated> {
    let steps = times.count();
    Ok(match query {
        Metric::Literal(value) => Evaluated::Number(*value),
        Metric::Vector(value) => Evaluated::Matrix(Matrix::constant(*value, steps)),
        Metric::Range(_) => {
            let source = sources
                .next()
                .ok_or_else(|| Error::invalid("a range has no source"))?;
            Evaluated::Matrix(source.finish(times))
        }
        Metric::Aggregation(aggregation) => {
            let inner = evaluate(&aggregation.inner, sources, times)?.into_matrix(steps);
            Evaluated::Matrix(vector::aggregate(aggregation, inner, steps))
        }
        Metric::LabelReplace(replace) => {
            let inner = evaluate(&replace.inner, sources, times)?.into_matrix(steps);
            Evaluated::Matrix(relabel::replace(replace, inner)?)
        }
        Metric::Binary(binary) => {
            let left = evaluate(&binary.left, sources, times)?;
            let right = evaluate(&binary.right, sources, times)?;
            binary::binary(binary, left, right, steps)?
        }
    })
}

#[cfg(test)]
mod tests;
