//! What a store may leave unread: for each selector the streams, the time, and text that every wanted line contains.
//!
//! Hints only ever say what is certain: a line that passes the pipeline satisfies them. What a filter needs after a stage
//! that changes the line says nothing about the line that is stored, and is left out.

mod literals;

pub use literals::Needle;

use crate::{
    ast::{Expr, LineFilter, LineMatch, LineOp, LogExpr, Matcher, Stage},
    pattern::Pattern,
    times::{TimeRange, Times},
};

/// What is certain about the lines that one selector of a query wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Hints {
    /// All of them hold for the labels of the stream.
    pub matchers: Vec<Matcher>,
    /// Of a metric query: with its ranges and offsets. Of a log query: from start, up to and without end.
    pub times: TimeRange,
    /// The line contains one needle of each of these lists.
    pub lines: Vec<Vec<Needle>>,
}

/// The most needles of one list; more cost more to look for than they save.
const ALTERNATIVES: usize = 32;

/// The hints of a query: one of a log query, and one for each range aggregation of a metric query, from left to right.
pub fn hints(expr: &Expr, times: &Times) -> Vec<Hints> {
    match expr {
        Expr::Log(log) => {
            let times = TimeRange {
                start: times.start(),
                end: times.end(),
            };
            vec![of_log(log, times)]
        }
        Expr::Metric(metric) => metric
            .ranges()
            .into_iter()
            .map(|range| {
                of_log(
                    &range.range.log,
                    times.lines(range.range.interval, range.range.offset),
                )
            })
            .collect(),
    }
}

fn of_log(log: &LogExpr, times: TimeRange) -> Hints {
    let keeps_line = |stage: &&Stage| {
        !matches!(
            stage,
            Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize
        )
    };
    let filters = log
        .stages
        .iter()
        .take_while(keeps_line)
        .filter_map(|stage| match stage {
            Stage::Line(filter) if !filter.op.is_negative() => Some(filter),
            _ => None,
        });
    let lines = filters
        .flat_map(needles)
        .filter(|needles| needles.len() <= ALTERNATIVES);
    Hints {
        matchers: log.selector.clone(),
        times,
        lines: lines.collect(),
    }
}

/// Lists of needles of one filter: a line that passes contains one needle of each.
fn needles(filter: &LineFilter) -> Vec<Vec<Needle>> {
    let mut of_matches = filter
        .matches
        .iter()
        .map(|found| of_match(filter.op, found));
    match filter.matches.len() {
        1 => of_matches.next().unwrap_or_default(),
        _ => literals::alternatives(of_matches).into_iter().collect(),
    }
}

fn of_match(op: LineOp, found: &LineMatch) -> Vec<Vec<Needle>> {
    let LineMatch::Text(text) = found else {
        return Vec::new();
    };
    match op {
        LineOp::Contains if !text.is_empty() => vec![vec![Needle::exact(text)]],
        LineOp::Regex => literals::of_regex(text),
        LineOp::Pattern => match Pattern::without_names(text) {
            Ok(pattern) => pattern
                .literals()
                .filter_map(|literal| Some(vec![Needle::exact(std::str::from_utf8(literal).ok()?)]))
                .collect(),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
