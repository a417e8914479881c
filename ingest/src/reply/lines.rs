//! The answers to JSON lines: how many were stored, and what is wrong with which of the others.

use super::ErrorReply;
use crate::{dialect::Places, pipeline::Taken};
use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// Errors that are told one by one.
const MAX_ERRORS: usize = 100;

/// Longest detail of one, in bytes.
const MAX_DETAIL_BYTES: usize = 200;

/// 200 where anything was stored or nothing was sent; 400 where every line was refused.
pub(crate) fn taken(taken: &Taken) -> Response {
    let rejected = taken.refused.len() as u64;
    let stored = taken.offered.saturating_sub(rejected);
    let lines: &[u32] = match &taken.places {
        Places::Lines(lines) => lines,
        _ => &[],
    };
    let told = taken.refused.iter().take(MAX_ERRORS).map(|refusal| {
        let detail = &refusal.detail;
        json!({
            "line": lines.get(refusal.ordinal as usize),
            "record": refusal.ordinal,
            "reason": refusal.reason.as_str(),
            "detail": &detail[..detail.floor_char_boundary(MAX_DETAIL_BYTES)],
        })
    });
    let mut answer = json!({"stored": stored, "rejected": rejected});
    if rejected > 0 {
        answer["errors"] = told.collect();
    }
    if taken.refused.len() > MAX_ERRORS {
        answer["errors_left_out"] = Value::from(taken.refused.len() - MAX_ERRORS);
    }
    if taken.outcome.deduplicated {
        answer["deduplicated"] = Value::Bool(true);
    }
    let status = match (stored, rejected) {
        (0, 1..) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    response(status, &answer)
}

/// The answer to a request that was refused.
pub(crate) fn refused(reply: &ErrorReply) -> Response {
    response(reply.http, &json!({"error": reply.message}))
}

fn response(status: StatusCode, answer: &Value) -> Response {
    let mut response = Response::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
