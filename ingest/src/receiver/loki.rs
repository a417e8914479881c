//! Loki's push API: `POST /loki/api/v1/push`, protobuf and JSON.

use super::{
    foreign::{Form, take},
    head::{essence, require},
    intake::Intake,
};
use crate::{dialect::Source, error::Result, reply::loki, telemetry::Protocol};
use axum::{Router, body::Body, extract::State, response::Response, routing::any};
use http::{Method, request::Parts};
use std::sync::Arc;

const PROTOBUF: &str = "application/x-protobuf";

const JSON: &str = "application/json";

const LOKI: Form = Form {
    protocol: Protocol::Loki,
    methods: &[Method::POST],
    taken: loki::taken,
    refused: loki::refused,
};

pub(super) fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/loki/api/v1/push", any(push))
        .with_state(intake)
}

async fn push(State(intake): State<Arc<Intake>>, request: http::Request<Body>) -> Response {
    take(&intake, &LOKI, request, source).await
}

fn source(head: &Parts) -> Result<Source> {
    require(
        &head.headers,
        &[PROTOBUF, JSON],
        "send application/x-protobuf with a snappy block, or application/json in UTF-8",
    )?;
    Ok(match essence(&head.headers) == PROTOBUF {
        true => Source::LokiProtobuf,
        false => Source::LokiJson,
    })
}
