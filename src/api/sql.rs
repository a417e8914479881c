//! `POST /api/v1/sql`: a statement in, its answer out in the format that `Accept` asks for.
//!
//! The body is the statement (`text/plain`) or a JSON object (`application/json`) with `sql` and, optionally,
//! `parameters`, `timeout_ms`, `max_rows`, `min_sequence`. The header `cairn-sequence`, as ingest replies give
//! it, is the same as `min_sequence`. A short answer carries its completeness in the header
//! `cairn-completeness`; a long one in a trailer of that name and, where the format has a place, in the body.

use super::{body, problem::Problem, state::Api};
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, TRAILER},
    },
    response::Response,
};
use bytes::Bytes;
use cairn_query::{
    engine::SqlRequest,
    error::Error,
    format::{self, Encoder, Format},
    sql::answer::{Part, SqlAnswer},
};
use cairn_tenancy::principal::Principal;
use futures::{StreamExt, stream::BoxStream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// The header and trailer with what the answer is based on, as JSON.
const COMPLETENESS: HeaderName = HeaderName::from_static("cairn-completeness");

/// The header with a commit sequence that the answer has to reflect.
const SEQUENCE: &str = "cairn-sequence";

/// An answer up to this size is finished before its first byte goes out, so that an error in it still has a
/// status of its own, and its completeness a header.
const WHOLE_BYTES: usize = 1 << 20;

/// The body of a request in JSON.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    sql: String,
    #[serde(default)]
    parameters: Value,
    timeout_ms: Option<u64>,
    max_rows: Option<u64>,
    min_sequence: Option<u64>,
}

/// Answers a statement.
pub(super) async fn post(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let format = accepted(&headers)?;
    let request = request(principal, &headers, &body)?;
    let answer = api.parts()?.engine.sql(request).await?;
    respond(answer, format).await
}

pub(super) fn accepted(headers: &HeaderMap) -> Result<Format, Problem> {
    let Some(accept) = headers.get(ACCEPT) else {
        return Ok(Format::Json);
    };
    accept
        .to_str()
        .ok()
        .and_then(Format::accepted)
        .ok_or_else(|| {
            let media: Vec<&str> = Format::ALL
                .iter()
                .map(|format| format.media_type())
                .collect();
            let detail = format!("answers come as {}", media.join(", "));
            Problem::new(StatusCode::NOT_ACCEPTABLE, "invalid", detail)
        })
}

fn request(principal: Principal, headers: &HeaderMap, body: &[u8]) -> Result<SqlRequest, Problem> {
    let question = question(headers, body)?;
    let sequence = match headers.get(SEQUENCE) {
        None => question.min_sequence,
        Some(sequence) => {
            let sequence = sequence.to_str().ok().and_then(|text| text.parse().ok());
            let detail = format!("the header {SEQUENCE} must be a number");
            Some(sequence.ok_or_else(|| Problem::invalid(detail))?)
        }
    };
    Ok(SqlRequest {
        tenant: principal.tenant,
        statement: question.sql,
        parameters: question.parameters,
        deadline: question.timeout_ms.map(Duration::from_millis),
        max_rows: question.max_rows,
        min_sequence: sequence,
    })
}

fn question(headers: &HeaderMap, body: &[u8]) -> Result<Question, Problem> {
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| value != "identity")
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid",
            "the body must not be compressed",
        ));
    }
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media = media
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media.as_str() {
        "application/json" => body::object(body),
        // What a client sends that sets no type of its own: most probably the statement.
        "text/plain" | "application/sql" | "" | "application/x-www-form-urlencoded" => {
            let sql = std::str::from_utf8(body)
                .map_err(|_| Problem::invalid("the statement is not valid UTF-8"))?;
            Ok(Question {
                sql: sql.to_string(),
                parameters: Value::Null,
                timeout_ms: None,
                max_rows: None,
                min_sequence: None,
            })
        }
        other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid",
            format!("the body must be text/plain or application/json, not {other}"),
        )),
    }
}

/// Writes an answer, piece by piece.
struct Writing {
    parts: BoxStream<'static, Result<Part, Error>>,
    encoder: Encoder,
    at: At,
}

#[derive(PartialEq)]
enum At {
    Start,
    Rows,
    Done,
}

/// A piece of the body.
enum Piece {
    Bytes(Vec<u8>),
    /// The last bytes, and the completeness.
    End(Vec<u8>, HeaderValue),
}

impl Writing {
    /// The next piece; `None` after the end and after an error.
    async fn next(&mut self) -> Option<Result<Piece, Error>> {
        if self.at == At::Done {
            return None;
        }
        let piece = self.piece().await;
        if !matches!(piece, Ok(Piece::Bytes(_))) {
            self.at = At::Done;
        }
        Some(piece)
    }

    async fn piece(&mut self) -> Result<Piece, Error> {
        if self.at == At::Start {
            self.at = At::Rows;
            return Ok(Piece::Bytes(self.encoder.start()?));
        }
        match self.parts.next().await {
            Some(Ok(Part::Rows(batch))) => Ok(Piece::Bytes(self.encoder.rows(&batch)?)),
            Some(Ok(Part::End(end))) => {
                let completeness = format::completeness(&end);
                let header = HeaderValue::try_from(completeness).map_err(|_| {
                    Error::Internal("the completeness of an answer is not ASCII".to_string())
                })?;
                Ok(Piece::End(self.encoder.end(&end)?, header))
            }
            Some(Err(error)) => Err(error),
            None => Err(Error::Internal("an answer has no end".to_string())),
        }
    }

    /// The next piece as frames of a body that is under way.
    async fn frames(&mut self) -> Option<Vec<Result<Frame<Bytes>, Error>>> {
        let data = |bytes: Vec<u8>| Ok(Frame::data(bytes.into()));
        Some(match self.next().await? {
            Ok(Piece::Bytes(bytes)) => vec![data(bytes)],
            Ok(Piece::End(bytes, completeness)) => {
                let trailers = HeaderMap::from_iter([(COMPLETENESS, completeness)]);
                vec![data(bytes), Ok(Frame::trailers(trailers))]
            }
            Err(error) => match self.encoder.failed(&error) {
                Some(bytes) => vec![data(bytes)],
                // Breaking off is the only way to say that the answer is not whole.
                None => vec![Err(error)],
            },
        })
    }
}

pub(super) async fn respond(answer: SqlAnswer, format: Format) -> Result<Response, Problem> {
    let encoder = Encoder::new(format, &answer.schema)?;
    let mut writing = Writing {
        parts: answer.parts,
        encoder,
        at: At::Start,
    };
    let mut first = Vec::new();
    while first.len() < WHOLE_BYTES {
        match writing.next().await {
            Some(Ok(Piece::Bytes(bytes))) => first.extend_from_slice(&bytes),
            Some(Ok(Piece::End(bytes, completeness))) => {
                first.extend_from_slice(&bytes);
                let mut response = response(format, Body::from(first));
                response.headers_mut().insert(COMPLETENESS, completeness);
                return Ok(response);
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Problem::internal("an answer has no end")),
        }
    }
    let rest = futures::stream::unfold(writing, async |mut writing| {
        Some((futures::stream::iter(writing.frames().await?), writing))
    });
    let first = futures::stream::iter([Ok(Frame::data(first.into()))]);
    let body = Body::new(StreamBody::new(first.chain(rest.flatten()).boxed()));
    let mut response = response(format, body);
    response
        .headers_mut()
        .insert(TRAILER, HeaderValue::from_static("cairn-completeness"));
    Ok(response)
}

fn response(format: Format, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    // The next answer may differ, and it belongs to one tenant.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
