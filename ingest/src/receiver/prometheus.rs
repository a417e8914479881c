//! Prometheus remote write 1.0 and 2.0, and its text formats, over HTTP.
//!
//! Sources: Prometheus Remote-Write 1.0 and 2.0 ("Protocol"). 204 where all was stored. 400 with a text where something
//! can never be stored: what is good in such a request is stored all the same. 429 and 503 say when to come back.

use super::{
    intake::Intake,
    metrics::{self, Content, Done},
};
use crate::{
    error::{Error, Result},
    lines::LineForm,
    pipeline::Written,
    reply::ErrorReply,
    telemetry::Protocol,
};
use axum::{Router, body::Body, extract::State, response::Response, routing::any};
use cairn_storage::signal::Encoding;
use http::{HeaderMap, header::CONTENT_TYPE, request::Parts};
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";

const MEDIA_TYPES: &str = "send application/x-protobuf with proto=prometheus.WriteRequest (or \
     none) or proto=io.prometheus.write.v2.Request";

/// The headers of Remote-Write 2.0 that say what was stored.
const SAMPLES: &str = "x-prometheus-remote-write-samples-written";
const HISTOGRAMS: &str = "x-prometheus-remote-write-histograms-written";
const EXEMPLARS: &str = "x-prometheus-remote-write-exemplars-written";

pub(super) fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/prometheus/api/v1/write", any(write))
        .route("/prometheus/api/v1/import/prometheus", any(import))
        .with_state(intake)
}

async fn write(State(intake): State<Arc<Intake>>, request: http::Request<Body>) -> Response {
    let content = |head: &Parts| encoding(&head.headers).map(Content::Encoded);
    let done = metrics::take(&intake, Protocol::RemoteWrite, request, content).await;
    let written = done.as_ref().map_or(Written::default(), |done| done.1);
    let mut response = plain(&done);
    let headers = response.headers_mut();
    // On every answer: without them a sender of version 2.0 takes it for one that knows 1.0 only.
    headers.insert(SAMPLES, written.samples.into());
    headers.insert(HISTOGRAMS, written.histograms.into());
    headers.insert(EXEMPLARS, written.exemplars.into());
    response
}

async fn import(State(intake): State<Arc<Intake>>, request: http::Request<Body>) -> Response {
    let content = |head: &Parts| Ok(Content::Lines(form(&head.headers)));
    let done = metrics::take(&intake, Protocol::Exposition, request, content).await;
    plain(&done)
}

fn plain(done: &Done) -> Response {
    match done {
        Ok((outcome, _)) => {
            let text = match outcome.answer.rejected {
                0 => String::new(),
                _ => outcome.answer.message.clone(),
            };
            metrics::answer(metrics::status(outcome), TEXT, text)
        }
        Err(error) => {
            let reply = ErrorReply::of(error);
            let mut response = metrics::answer(reply.http, TEXT, reply.message.clone());
            metrics::add_headers(response.headers_mut(), error, &reply);
            response
        }
    }
}

/// The messages that the media type names (Remote-Write 2.0, "Content-Type"); without `proto` those of 1.0.
fn encoding(headers: &HeaderMap) -> Result<Encoding> {
    let found = media(headers);
    let mut parts = found.split(';').map(str::trim);
    let is_protobuf = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-protobuf"));
    let proto = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("proto").then_some(value)
    });
    match proto {
        None | Some("prometheus.WriteRequest") if is_protobuf => Ok(Encoding::PrometheusV1),
        Some("io.prometheus.write.v2.Request") if is_protobuf => Ok(Encoding::PrometheusV2),
        _ => Err(Error::MediaType {
            found: found[..found.floor_char_boundary(96)].to_string(),
            expected: MEDIA_TYPES,
        }),
    }
}

/// OpenMetrics where the request says so, else the text format.
fn form(headers: &HeaderMap) -> LineForm {
    let essence = media(headers).split(';').next().unwrap_or("").trim();
    match essence.eq_ignore_ascii_case("application/openmetrics-text") {
        true => LineForm::OpenMetrics,
        false => LineForm::Text,
    }
}

fn media(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}
