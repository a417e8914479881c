//! JSON objects, one a line or in an array: `POST /api/v1/logs/json`.

use super::{
    foreign::{Form, take},
    head::require,
    intake::Intake,
};
use crate::{
    dialect::{
        Source,
        document::{Fields, Names},
        lines,
    },
    error::{Error, Result},
    reply,
    telemetry::Protocol,
};
use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    response::Response,
    routing::any,
};
use http::{Method, request::Parts};
use std::sync::Arc;

/// None of these can be sent by a web page of somebody else's without asking first.
const MEDIA_TYPES: [&str; 6] = [
    "application/json",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
];

/// Longest value of a parameter.
const MAX_PARAMETER_BYTES: usize = 256;

const LINES: Form = Form {
    protocol: Protocol::JsonLines,
    methods: &[Method::POST],
    taken: reply::lines::taken,
    refused: reply::lines::refused,
};

/// The parameters of the path.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    time_field: Option<String>,
    message_field: Option<String>,
    level_field: Option<String>,
    service: Option<String>,
}

pub(super) fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/api/v1/logs/json", any(store))
        .with_state(intake)
}

async fn store(State(intake): State<Arc<Intake>>, request: http::Request<Body>) -> Response {
    take(&intake, &LINES, request, source).await
}

fn source(head: &Parts) -> Result<Source> {
    require(
        &head.headers,
        &MEDIA_TYPES,
        "send application/x-ndjson or application/json, in UTF-8",
    )?;
    let unreadable = |_| Error::Parameter {
        name: "of the query",
        expected: "time_field, message_field, level_field and service are known, once each",
    };
    let Query(parameters) = Query::<Parameters>::try_from_uri(&head.uri).map_err(unreadable)?;
    let names = |name, value: Option<String>, known| match checked(name, value)? {
        Some(value) => Ok::<_, Error>(Names::One(value)),
        None => Ok(known),
    };
    Ok(Source::Lines(Fields {
        time: names("time_field", parameters.time_field, lines::TIME)?,
        body: names("message_field", parameters.message_field, lines::BODY)?,
        severity: names("level_field", parameters.level_field, lines::SEVERITY)?,
        unit: lines::UNIT,
        service: checked("service", parameters.service)?,
    }))
}

fn checked(name: &'static str, value: Option<String>) -> Result<Option<String>> {
    match value {
        Some(value) if value.is_empty() || value.len() > MAX_PARAMETER_BYTES => {
            Err(Error::Parameter {
                name,
                expected: "1 to 256 bytes",
            })
        }
        value => Ok(value),
    }
}
