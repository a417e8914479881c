//! What the head of a request over HTTP says, and what the head of an error has to say.

use super::compression::Compression;
use crate::{
    error::{Error, Kind, Result},
    reply::ErrorReply,
};
use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, EXPECT},
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};

/// How the body is compressed.
pub(super) fn compression(headers: &HeaderMap) -> Result<Compression> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::to_str) {
        None => Ok(Compression::Identity),
        Some(Ok(name)) => Compression::parse(Some(name)),
        Some(Err(_)) => Err(Error::Compression {
            found: "not ASCII".to_string(),
        }),
    }
}

pub(super) fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
}

/// The media type without its parameters, in lower case; empty when there is none.
pub(super) fn essence(headers: &HeaderMap) -> String {
    let essence = content_type(headers).split(';').next().unwrap_or("");
    essence.trim().to_ascii_lowercase()
}

/// The parameter `charset`, without its quotes (RFC 9110, 8.3.1).
pub(super) fn charset(headers: &HeaderMap) -> Option<String> {
    let parameters = content_type(headers).split(';').skip(1);
    let (_, value) = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"').to_string())
}

pub(super) fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Fails unless the media type is one of `known`; JSON in another charset than UTF-8 is none.
pub(super) fn require(headers: &HeaderMap, known: &[&str], expected: &'static str) -> Result<()> {
    let is_known = known.contains(&essence(headers).as_str());
    if is_known && charset(headers).is_none_or(|name| is_utf8(&name)) {
        return Ok(());
    }
    let found = content_type(headers);
    let found = found[..found.floor_char_boundary(64)].to_string();
    Err(Error::MediaType { found, expected })
}

/// Whether reading on a little gets the answer to the client: over HTTP/1 an answer before the end of the
/// request resets the connection. Not where the client waits for a word before it sends.
pub(super) fn may_still_send(head: &Parts, error: &Error) -> bool {
    let broken = matches!(error, Error::Broken { .. }) || error.kind() == Kind::TooSlow;
    head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT) && !broken
}

/// Adds what an error says in headers: when to come back, and what would have been taken.
pub(super) fn explain(headers: &mut HeaderMap, error: &Error, reply: &ErrorReply) {
    if let Some(after) = reply.retry_after {
        headers.insert(RETRY_AFTER, after.as_secs().max(1).into());
    }
    match error {
        Error::Method => headers.insert(ALLOW, HeaderValue::from_static("POST")),
        Error::Compression { .. } => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"))
        }
        _ if reply.http == StatusCode::UNAUTHORIZED => headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"cairn\""),
        ),
        _ => None,
    };
}
