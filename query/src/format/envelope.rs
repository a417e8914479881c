//! What an answer is based on, as JSON, the same in every format.

use super::time::instant;
use crate::{
    completeness::Missing,
    error::{Error, Place},
    sql::answer::AnswerEnd,
};
use arrow::datatypes::TimeUnit;

#[derive(serde::Serialize)]
struct Envelope<'a> {
    /// Whether nothing is missing and nothing was cut.
    complete: bool,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<String>,
    /// Requests up to this commit sequence are in the answer.
    sequence: u64,
    /// When the rows were looked at.
    taken: String,
    segments: Segments,
    missing: &'a [Missing],
    buffered_rows: u64,
    bytes_read: u64,
    bytes_cached: u64,
    requests: u64,
    elapsed_ms: f64,
}

#[derive(serde::Serialize)]
struct Segments {
    considered: u64,
    pruned: u64,
    read: u64,
}

/// The completeness of an answer as one JSON object without line breaks, in ASCII: it also serves as a header.
pub fn completeness(end: &AnswerEnd) -> String {
    let based_on = &end.completeness;
    let mut taken = Vec::new();
    instant(&mut taken, based_on.taken, TimeUnit::Nanosecond, true);
    let envelope = Envelope {
        complete: end.truncated.is_none() && based_on.missing.is_empty(),
        rows: end.rows,
        truncated: end.truncated.map(|truncated| truncated.to_string()),
        sequence: based_on.sequence,
        taken: String::from_utf8(taken).expect("an instant is ASCII"),
        segments: Segments {
            considered: based_on.segments_considered,
            pruned: based_on.segments_pruned,
            read: based_on.segments_read,
        },
        missing: &based_on.missing,
        buffered_rows: based_on.buffered_rows,
        bytes_read: based_on.bytes_read,
        bytes_cached: based_on.bytes_cached,
        requests: based_on.requests,
        elapsed_ms: (end.elapsed.as_secs_f64() * 1e6).round() / 1e3,
    };
    ascii(&serde_json::to_string(&envelope).expect("plain data is JSON"))
}

/// An error on the way, as JSON.
pub(super) fn error(error: &Error) -> String {
    #[derive(serde::Serialize)]
    struct Failed {
        kind: &'static str,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<Place>,
    }
    let failed = Failed {
        kind: error.kind().name(),
        detail: error.to_string(),
        position: error.place(),
    };
    serde_json::to_string(&failed).expect("plain data is JSON")
}

/// `json` with everything beyond ASCII escaped.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            ' '..='~' => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}
