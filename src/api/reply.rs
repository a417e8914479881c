//! Answers in the JSON of other products: compressed where the client reads that, with our completeness in a header.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    response::Response,
};
use cairn_query::{format, sql::answer::AnswerEnd};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// The header with what the answer is based on, as for SQL.
const COMPLETENESS: HeaderName = HeaderName::from_static("cairn-completeness");

/// Shorter answers are not compressed: that would take longer than sending them.
const COMPRESSED_BYTES: usize = 1024;

/// The answer `text`, to a request with the headers `asked`.
pub(super) fn json(text: String, end: Option<&AnswerEnd>, asked: &HeaderMap) -> Response {
    let zipped = match reads_gzip(asked) && text.len() >= COMPRESSED_BYTES {
        true => gzip(text.as_bytes()),
        false => None,
    };
    let is_zipped = zipped.is_some();
    let mut response = Response::new(Body::from(zipped.unwrap_or_else(|| text.into_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_zipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(value) = end.and_then(|end| HeaderValue::try_from(format::completeness(end)).ok()) {
        headers.insert(COMPLETENESS, value);
    }
    response
}

/// What an answer lacks, a sentence each.
pub(super) fn warnings(end: &AnswerEnd) -> impl Iterator<Item = String> {
    end.completeness.missing.iter().map(|missing| {
        let of = missing.segment.as_ref().or(missing.log.as_ref());
        let of = of.map_or("", String::as_str);
        format!(
            "the answer is not whole: {of} cannot be read: {}",
            missing.reason
        )
    })
}

fn reads_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let mut codings = accepted.unwrap_or_default().split(',');
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// `None` where it cannot be compressed, which nothing in memory should bring about.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}
