//! Answers in Loki's JSON.

use crate::api::reply;
use axum::{
    http::{HeaderMap, HeaderName},
    response::Response,
};
use cairn_logql::{Answer, Labels};
use cairn_query::{
    logql::{Line, LogqlAnswer},
    sql::answer::AnswerEnd,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a client wants of the labels of lines.
const FLAGS: HeaderName = HeaderName::from_static("x-loki-response-encoding-flags");

/// The flag that tells labels of the stream, of the record and of stages apart.
const CATEGORIZE: &str = "categorize-labels";

/// Whether the client asks for labels by where they come from.
pub(super) fn categorizes(headers: &HeaderMap) -> bool {
    let flags = headers.get(FLAGS).and_then(|value| value.to_str().ok());
    flags
        .unwrap_or_default()
        .split(',')
        .any(|flag| flag.trim() == CATEGORIZE)
}

/// The answer to a query.
pub(super) fn evaluated(
    answer: &LogqlAnswer,
    (time_ns, end): (i64, &AnswerEnd),
    headers: &HeaderMap,
) -> Response {
    let mut data = match answer {
        LogqlAnswer::Lines(lines) => {
            let mut data = json!({ "resultType": "streams", "result": streams(lines, headers) });
            if categorizes(headers) {
                data["encodingFlags"] = json!([CATEGORIZE]);
            }
            data
        }
        LogqlAnswer::Metric(Answer::Scalar(value)) => {
            json!({ "resultType": "scalar", "result": sample((time_ns, *value)) })
        }
        LogqlAnswer::Metric(Answer::Vector(elements)) => {
            let element = |(of, value): &(Labels, f64)| json!({ "metric": labels(of), "value": sample((time_ns, *value)) });
            let result: Vec<Value> = elements.iter().map(element).collect();
            json!({ "resultType": "vector", "result": result })
        }
        LogqlAnswer::Metric(Answer::Matrix(series)) => {
            let result = series.iter().map(|series| {
                let values: Vec<Value> = series.points.iter().map(|point| sample(*point)).collect();
                json!({ "metric": labels(&series.labels), "values": values })
            });
            json!({ "resultType": "matrix", "result": result.collect::<Vec<_>>() })
        }
    };
    let entries = match answer {
        LogqlAnswer::Lines(lines) => lines.len(),
        LogqlAnswer::Metric(_) => 0,
    };
    data["stats"] = stats(entries, end);
    success(data, Some(end), headers)
}

/// Lines by their labels: `[{"stream": {…}, "values": [["<ns>", "<line>"], …]}, …]`.
pub(super) fn streams(lines: &[Line], headers: &HeaderMap) -> Vec<Value> {
    let categorize = categorizes(headers);
    let mut by_labels: BTreeMap<Labels, Vec<Value>> = BTreeMap::new();
    for line in lines {
        let time = line.time_ns.to_string();
        if categorize {
            let mut own = Map::new();
            for (name, of) in [
                ("structuredMetadata", &line.metadata),
                ("parsed", &line.parsed),
            ] {
                if !of.is_empty() {
                    own.insert(name.to_owned(), labels(of));
                }
            }
            let values = by_labels.entry(line.stream.clone()).or_default();
            values.push(json!([time, line.text, own]));
            continue;
        }
        let sets = [&line.stream, &line.metadata, &line.parsed];
        let all: Labels = sets.into_iter().flat_map(Labels::iter).collect();
        by_labels
            .entry(all)
            .or_default()
            .push(json!([time, line.text]));
    }
    let streams = by_labels.into_iter();
    streams
        .map(|(of, values)| json!({ "stream": labels(&of), "values": values }))
        .collect()
}

/// `{"status": "success", "data": …}`.
pub(super) fn success(data: Value, end: Option<&AnswerEnd>, headers: &HeaderMap) -> Response {
    let mut answer = json!({ "status": "success", "data": data });
    let warnings: Vec<String> = end.into_iter().flat_map(reply::warnings).collect();
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    plain(&answer, end, headers)
}

/// An answer without an envelope.
pub(super) fn plain(answer: &Value, end: Option<&AnswerEnd>, headers: &HeaderMap) -> Response {
    reply::json(answer.to_string(), end, headers)
}

/// Labels as an object.
pub(super) fn labels(of: &Labels) -> Value {
    let pairs = of
        .iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)));
    Value::Object(Map::from_iter(pairs))
}

/// A value at an instant: `[<seconds>, "<value>"]`.
pub(super) fn sample((time_ns, value): (i64, f64)) -> Value {
    json!([seconds(time_ns), number(value)])
}

/// Seconds as far as milliseconds, which is what clients of Loki see.
fn seconds(time_ns: i64) -> Value {
    let ms = time_ns.div_euclid(1_000_000);
    match ms.rem_euclid(1_000) {
        0 => json!(ms.div_euclid(1_000)),
        _ => json!(ms as f64 / 1_000.0),
    }
}

/// A number as text, without an exponent.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

/// What is known of the work, where Loki's clients look for it.
fn stats(entries: usize, end: &AnswerEnd) -> Value {
    let read = &end.completeness;
    let bytes = read.bytes_read + read.bytes_cached;
    let elapsed = end.elapsed.as_secs_f64();
    let per_second = match elapsed > 0.0 {
        true => (bytes as f64 / elapsed) as u64,
        false => 0,
    };
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second,
            "linesProcessedPerSecond": 0,
            "totalBytesProcessed": bytes,
            "totalLinesProcessed": 0,
            "execTime": elapsed,
            "queueTime": 0,
            "subqueries": 0,
            "totalEntriesReturned": entries,
            "splits": 0,
            "shards": 0,
        },
        "ingester": { "totalLinesSent": read.buffered_rows },
        "querier": {
            "store": {
                "totalChunksRef": read.segments_considered,
                "totalChunksDownloaded": read.segments_read,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{number, sample};
    use serde_json::json;

    #[test]
    fn samples_are_seconds_and_text() {
        assert_eq!(
            sample((1_700_000_000_000_000_000, 0.5)),
            json!([1_700_000_000, "0.5"])
        );
        assert_eq!(
            sample((1_700_000_000_120_000_001, 2.0)),
            json!([1_700_000_000.12, "2"])
        );
        assert_eq!(
            (number(f64::NAN), number(f64::INFINITY)),
            ("NaN".to_owned(), "+Inf".to_owned())
        );
        assert_eq!(number(1e21), "1000000000000000000000");
    }
}
