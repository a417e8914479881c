//! Whether an answer is the expected one.

use super::model::{EvalTime, Expected, ExpectedSeries, Item};
use crate::{
    histogram::{Buckets, Histogram},
    labels::Labels,
};
use std::sync::Arc;

/// What may differ from the expected number, as a part of both; the suite of Prometheus has the same.
const EPSILON: f64 = 0.000_001;

/// The answer of an evaluation.
#[derive(Debug)]
pub(super) enum Got {
    Scalar(f64),
    String(String),
    Vector(Vec<(Labels, Value)>),
    Matrix(Vec<(Labels, Vec<(i64, Value)>)>),
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Float(f64),
    Histogram(Arc<Histogram>),
}

/// Compares an answer; the error says what is different.
pub(super) fn check(
    expected: &Expected,
    time: EvalTime,
    ordered: bool,
    got: &Got,
) -> Result<(), String> {
    match (expected, got) {
        (Expected::Scalar(value), Got::Scalar(got)) if close(*value, *got) => Ok(()),
        (Expected::String(text), Got::String(got)) if text == got => Ok(()),
        (Expected::Series(series), Got::Vector(got)) => check_vector(series, got, ordered),
        (Expected::Series(series), Got::Matrix(got)) => match time {
            EvalTime::Range { start, end, step } => check_matrix(series, got, [start, end, step]),
            EvalTime::Instant(_) => Err("a matrix where a vector was expected".to_owned()),
        },
        (
            Expected::RangeVector {
                series,
                start,
                end,
                step,
            },
            Got::Matrix(got),
        ) => check_matrix(series, got, [*start, *end, *step]),
        (expected, got) => Err(format!("expected {expected:?}, got {got:?}")),
    }
}

fn check_vector(
    expected: &[ExpectedSeries],
    got: &[(Labels, Value)],
    ordered: bool,
) -> Result<(), String> {
    for (at, (labels, value)) in got.iter().enumerate() {
        // The last of two lines with the same labels counts, as in the suite of Prometheus.
        let place = expected.iter().rposition(|one| one.labels == *labels);
        let Some(place) = place else {
            return Err(format!(
                "unexpected series {labels} with {}",
                describe(value)
            ));
        };
        if ordered && place != at {
            return Err(format!("{labels} is at place {at} and not {place}"));
        }
        let item = expected[place].values.first().unwrap_or(&Item::Nothing);
        if !same(item, value) {
            let (item, value) = (describe_item(item), describe(value));
            return Err(format!("expected {item} for {labels}, got {value}"));
        }
        if got[..at].iter().any(|(before, _)| before == labels) {
            return Err(format!("{labels} comes twice"));
        }
    }
    check_missing(expected, |labels| got.iter().any(|(own, _)| own == labels))
}

/// `times` are start, end and step.
fn check_matrix(
    expected: &[ExpectedSeries],
    got: &[(Labels, Vec<(i64, Value)>)],
    times: [i64; 3],
) -> Result<(), String> {
    let [start, end, step] = times;
    if let Some(pair) = got.windows(2).find(|pair| pair[0].0 > pair[1].0) {
        return Err(format!("{} comes before {}", pair[0].0, pair[1].0));
    }
    for (labels, points) in got {
        let Some(one) = expected.iter().rfind(|one| one.labels == *labels) else {
            let points: Vec<_> = points
                .iter()
                .map(|(time, value)| format!("{}@{time}", describe(value)))
                .collect();
            return Err(format!("unexpected series {labels} with {points:?}"));
        };
        let wanted: Vec<(i64, &Item)> = (0..)
            .zip(&one.values)
            .map(|(at, item)| (start + step * at, item))
            .filter(|(_, item)| !matches!(item, Item::Nothing))
            .collect();
        if wanted.last().is_some_and(|(time, _)| *time > end) {
            return Err(format!(
                "there are fewer steps than values expected for {labels}"
            ));
        }
        let same_points = wanted.len() == points.len()
            && wanted
                .iter()
                .zip(points)
                .all(|((time, item), (got_time, value))| time == got_time && same(item, value));
        if !same_points {
            let wanted: Vec<_> = wanted
                .iter()
                .map(|(time, item)| format!("{}@{time}", describe_item(item)))
                .collect();
            let points: Vec<_> = points
                .iter()
                .map(|(time, value)| format!("{}@{time}", describe(value)))
                .collect();
            return Err(format!("expected {wanted:?} for {labels}, got {points:?}"));
        }
    }
    check_missing(expected, |labels| got.iter().any(|(own, _)| own == labels))
}

fn check_missing(
    expected: &[ExpectedSeries],
    is_there: impl Fn(&Labels) -> bool,
) -> Result<(), String> {
    match expected.iter().find(|one| !is_there(&one.labels)) {
        Some(missing) => Err(format!("the series {} is missing", missing.labels)),
        None => Ok(()),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Float(value) => value.to_string(),
        Value::Histogram(histogram) => histogram.notation(),
    }
}

fn describe_item(item: &Item) -> String {
    match item {
        Item::Nothing => "_".to_owned(),
        Item::Stale => "stale".to_owned(),
        Item::Float(value) => value.to_string(),
        Item::Histogram { histogram, .. } => histogram.notation(),
    }
}

fn same(item: &Item, value: &Value) -> bool {
    match (item, value) {
        (Item::Float(expected), Value::Float(got)) => close(*expected, *got),
        (
            Item::Histogram {
                histogram,
                has_hint,
            },
            Value::Histogram(got),
        ) => same_histogram(histogram, got) && (!has_hint || histogram.hint == got.hint),
        _ => false,
    }
}

fn same_histogram(expected: &Histogram, got: &Histogram) -> bool {
    expected.schema == got.schema
        && expected.bounds == got.bounds
        && expected.zero_threshold == got.zero_threshold
        && close(expected.zero_count, got.zero_count)
        && close(expected.count, got.count)
        && close(expected.sum, got.sum)
        && same_buckets(&expected.positive, &got.positive)
        && same_buckets(&expected.negative, &got.negative)
}

fn same_buckets(expected: &Buckets, got: &Buckets) -> bool {
    expected.len() == got.len()
        && expected
            .iter()
            .zip(got.iter())
            .all(|(one, other)| one.0 == other.0 && close(one.1, other.1))
}

/// Equal but for what computing in another order may change; NaN is NaN.
fn close(expected: f64, got: f64) -> bool {
    if expected == got || (expected.is_nan() && got.is_nan()) {
        return true;
    }
    let difference = (expected - got).abs();
    let size = expected.abs() + got.abs();
    // Near zero there are no parts to speak of.
    if expected == 0.0 || got == 0.0 || size < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / size.min(f64::MAX) < EPSILON
}
