//! `absent`, `absent_over_time`: something where there is nothing.

use crate::{
    expr::{Expr, Kind},
    labels::{Labels, METRIC_NAME},
    matcher::{MatchOp, Matcher},
    row::{Row, Sample},
};

/// The labels of the result: those that the selector fixes.
pub(crate) fn labels(expr: &Expr) -> Labels {
    let matchers: &[Matcher] = match &expr.unwrapped().kind {
        Kind::Selector(selector) => &selector.matchers,
        Kind::Range(range) => &range.selector.matchers,
        _ => &[],
    };
    let fixed = |matcher: &&Matcher| {
        let same_label = matchers
            .iter()
            .filter(|other| other.name == matcher.name)
            .count();
        matcher.op == MatchOp::Equal && matcher.name != METRIC_NAME && same_label == 1
    };
    let fixed = matchers.iter().filter(fixed);
    Labels::new(fixed.map(|matcher| (matcher.name.as_str(), matcher.value.as_str())))
}

/// 1 at each step that is not `present`.
pub(crate) fn row(labels: Labels, present: &[bool]) -> Row {
    let samples = present.iter().map(|present| match present {
        true => Sample::Absent,
        false => Sample::Float(1.0),
    });
    Row::new(labels, samples.collect())
}
