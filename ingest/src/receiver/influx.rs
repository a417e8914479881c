//! Influx line protocol over HTTP, as InfluxDB 1 and 2 take it.
//!
//! Parameters that name a database, bucket, organization or retention policy are not looked at: the key says whose data
//! it is. Errors are JSON as clients of either version read it.

use super::{
    intake::Intake,
    metrics::{self, Content, Done},
};
use crate::{
    error::{Error, Result},
    lines::{LineForm, Precision},
    reply::ErrorReply,
    telemetry::Protocol,
};
use axum::{Router, body::Body, extract::State, response::Response, routing::any};
use http::{StatusCode, request::Parts};
use serde_json::json;
use std::sync::Arc;

const JSON: &str = "application/json";

pub(super) fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/influx/write", any(write))
        .route("/influx/api/v2/write", any(write))
        .route("/influx/ping", any(ping))
        .with_state(intake)
}

/// What clients ask for before they write.
async fn ping() -> Response {
    metrics::answer(StatusCode::NO_CONTENT, JSON, String::new())
}

async fn write(State(intake): State<Arc<Intake>>, request: http::Request<Body>) -> Response {
    let content = |head: &Parts| {
        let precision = precision(head.uri.query().unwrap_or(""))?;
        Ok(Content::Lines(LineForm::Influx(precision)))
    };
    let done = metrics::take(&intake, Protocol::Influx, request, content).await;
    answer(&done)
}

fn answer(done: &Done) -> Response {
    match done {
        Ok((outcome, _)) if outcome.answer.rejected == 0 => {
            metrics::answer(StatusCode::NO_CONTENT, JSON, String::new())
        }
        Ok((outcome, _)) => {
            let rejected = outcome.answer.rejected;
            let text = format!(
                "partial write: {} dropped={rejected}",
                outcome.answer.message
            );
            metrics::answer(metrics::status(outcome), JSON, body("invalid", &text))
        }
        Err(error) => {
            let reply = ErrorReply::of(error);
            let text = body(code(reply.http), &reply.message);
            let mut response = metrics::answer(reply.http, JSON, text);
            metrics::add_headers(response.headers_mut(), error, &reply);
            response
        }
    }
}

/// `error` is what clients of version 1 read, `code` and `message` those of version 2.
fn body(code: &str, text: &str) -> String {
    json!({"code": code, "message": text, "error": text}).to_string()
}

/// The codes of InfluxDB's API, version 2.
fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::METHOD_NOT_ALLOWED => "method not allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::INTERNAL_SERVER_ERROR => "internal error",
        _ => "invalid",
    }
}

/// The parameter `precision` of a query.
fn precision(query: &str) -> Result<Precision> {
    let mut parameters = query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='));
    let Some((_, name)) = parameters.find(|(name, _)| *name == "precision") else {
        return Ok(Precision::default());
    };
    let name = match name {
        "%C2%B5" | "%c2%b5" => "u",
        name => name,
    };
    Precision::parse(name).ok_or(Error::Header {
        header: "the parameter precision",
        expected: "one of ns, us, ms, s, m and h",
    })
}
