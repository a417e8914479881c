//! Answers in Prometheus' JSON.

use crate::api::reply;
use axum::{http::HeaderMap, response::Response};
use cairn_promql::{
    histogram::{Bucket, Histogram},
    labels::Labels,
    query::{Answer, Element, Line, Point, Value as Evaluated},
};
use cairn_query::sql::answer::AnswerEnd;
use serde_json::{Map, Value, json};
use std::{fmt::Write, sync::Arc};

/// The value of a query, cut to `limit` series where there is one.
pub(super) fn evaluated(
    answer: Answer,
    (limit, end): (Option<usize>, &AnswerEnd),
    headers: &HeaderMap,
) -> Response {
    let mut warnings = answer.warnings;
    let mut text = String::from(r#"{"resultType":"#);
    let limit = limit.unwrap_or(usize::MAX);
    let cut = match answer.value {
        Evaluated::Scalar { time_ms, value } => {
            write!(text, r#""scalar","result":{}"#, point(time_ms, value))
                .expect("a string takes everything");
            false
        }
        Evaluated::String { time_ms, value } => {
            let (time, value) = (seconds(time_ms), Value::from(value));
            write!(text, r#""string","result":[{time},{value}]"#)
                .expect("a string takes everything");
            false
        }
        Evaluated::Vector(elements) => {
            text.push_str(r#""vector","result":["#);
            let shown = elements.iter().take(limit);
            joined(&mut text, shown, |text, element| {
                write_series(text, &element.labels);
                write_element(text, element);
            });
            text.push(']');
            elements.len() > limit
        }
        Evaluated::Matrix(series) => {
            text.push_str(r#""matrix","result":["#);
            let shown = series.iter().take(limit);
            joined(&mut text, shown, |text, series| {
                write_series(text, &series.labels);
                write_points(text, series);
            });
            text.push(']');
            series.len() > limit
        }
    };
    text.push('}');
    if cut {
        warnings.push(CUT.to_owned());
    }
    respond(&text, (warnings, answer.infos), Some(end), headers)
}

/// Told where `limit` left something out.
const CUT: &str = "results truncated due to limit";

/// A list, cut to `limit` where there is one.
pub(super) fn list(
    values: impl Iterator<Item = Value>,
    (limit, end): (Option<usize>, &AnswerEnd),
    headers: &HeaderMap,
) -> Response {
    let mut values = values;
    let shown: Vec<Value> = values.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
    let warnings = match values.next() {
        Some(_) => vec![CUT.to_owned()],
        None => Vec::new(),
    };
    respond(
        &Value::Array(shown).to_string(),
        (warnings, Vec::new()),
        Some(end),
        headers,
    )
}

/// Any other value.
pub(super) fn data(data: &Value, end: Option<&AnswerEnd>, headers: &HeaderMap) -> Response {
    respond(&data.to_string(), (Vec::new(), Vec::new()), end, headers)
}

/// A set of labels as an object.
pub(super) fn labels(labels: &Labels) -> Value {
    let pairs = labels
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(value.as_ref())));
    Value::Object(Map::from_iter(pairs))
}

/// A number as text: Go's shortest form, as Prometheus' own answers have it.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

fn joined<T>(
    text: &mut String,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(text, item);
    }
}

/// `{"metric":{…}`, without the end.
fn write_series(text: &mut String, of: &Labels) {
    text.push_str(r#"{"metric":{"#);
    joined(text, of.iter(), |text, (name, value)| {
        let (name, value) = (Value::from(name.as_ref()), Value::from(value.as_ref()));
        write!(text, "{name}:{value}").expect("a string takes everything");
    });
    text.push('}');
}

fn write_element(text: &mut String, element: &Element) {
    match &element.point {
        Point::Float(value) => {
            write!(text, r#","value":{}}}"#, point(element.time_ms, *value))
        }
        Point::Histogram(histogram) => {
            let time = seconds(element.time_ms);
            write!(
                text,
                r#","histogram":[{time},{}]}}"#,
                distribution(histogram)
            )
        }
    }
    .expect("a string takes everything");
}

fn write_points(text: &mut String, series: &Line) {
    if !series.floats.is_empty() {
        text.push_str(r#","values":["#);
        joined(text, series.floats.iter(), |text, (time, value)| {
            text.push_str(&point(*time, *value))
        });
        text.push(']');
    }
    if !series.histograms.is_empty() {
        text.push_str(r#","histograms":["#);
        joined(
            text,
            series.histograms.iter(),
            |text: &mut String, (time, histogram): &(i64, Arc<Histogram>)| {
                write!(text, "[{},{}]", seconds(*time), distribution(histogram))
                    .expect("a string takes everything");
            },
        );
        text.push(']');
    }
    text.push('}');
}

fn point(time_ms: i64, value: f64) -> String {
    format!(r#"[{},"{}"]"#, seconds(time_ms), number(value))
}

/// Milliseconds as seconds, with as many digits as there are.
fn seconds(time_ms: i64) -> String {
    let (whole, rest) = (time_ms.div_euclid(1000), time_ms.rem_euclid(1000));
    match (rest, time_ms < 0) {
        (0, _) => whole.to_string(),
        (_, true) => (time_ms as f64 / 1000.0).to_string(),
        (rest, false) => format!("{whole}.{rest:03}")
            .trim_end_matches('0')
            .to_owned(),
    }
}

/// A native histogram: count, sum, and each bucket with whether its bounds belong to it (0 the upper one does, 1 the
/// lower one, 2 neither, 3 both). As in Prometheus the zero bucket is shown where its count is above 0.
fn distribution(histogram: &Histogram) -> Value {
    let is_hidden = |bucket: &Bucket| {
        let is_zeros = bucket.includes_lower && bucket.includes_upper && !histogram.is_custom();
        is_zeros && (bucket.count < 0.0 || bucket.count.is_nan())
    };
    let buckets: Vec<Value> = histogram
        .buckets()
        .filter(|bucket| !is_hidden(bucket))
        .map(|bucket| {
            let rule = match (bucket.includes_lower, bucket.includes_upper) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            json!([
                rule,
                number(bucket.lower),
                number(bucket.upper),
                number(bucket.count)
            ])
        })
        .collect();
    let mut about = json!({ "count": number(histogram.count), "sum": number(histogram.sum) });
    if !buckets.is_empty() {
        about["buckets"] = Value::Array(buckets);
    }
    about
}

/// The answer around `data`.
fn respond(
    data: &str,
    (mut warnings, infos): (Vec<String>, Vec<String>),
    end: Option<&AnswerEnd>,
    asked: &HeaderMap,
) -> Response {
    warnings.extend(end.into_iter().flat_map(reply::warnings));
    let mut text = format!(r#"{{"status":"success","data":{data}"#);
    for (name, notes) in [("warnings", warnings), ("infos", infos)] {
        if !notes.is_empty() {
            write!(text, r#","{name}":{}"#, Value::from(notes)).expect("a string takes everything");
        }
    }
    text.push('}');
    reply::json(text, end, asked)
}

#[cfg(test)]
mod tests {
    use super::{number, seconds};

    #[test]
    fn numbers_are_written_as_go_does() {
        let check = |value, expected| assert_eq!(number(value), expected);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.5, "1.5");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(1.5e-7, "1.5e-07");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
    }

    #[test]
    fn times_are_seconds() {
        let check = |ms, expected| assert_eq!(seconds(ms), expected);
        check(1_700_000_000_000, "1700000000");
        check(1_700_000_000_120, "1700000000.12");
        check(-1_500, "-1.5");
    }
}
