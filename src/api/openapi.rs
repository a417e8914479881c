//! `GET /api/v1/openapi.json`: what the API is, as OpenAPI 3.1.
//!
//! Paths, methods and scopes come from the operations that the router serves; media types, kinds of problems and their
//! codes from where they are defined. `docs/api/openapi.json` is the same document.

mod foreign;
mod logs;
mod loki;
mod operations;
mod prometheus;
mod schemas;
mod searches;

pub(super) use operations::{
    delete, deletions, flush, itself, live, metrics, ready, reconcile, replay, schema, sql,
    storage, version,
};

pub(super) use logs::all as logs;
pub(super) use loki::all as loki;
pub(super) use prometheus::all as prometheus;
pub(super) use searches::all as searches;

use super::{operation::Operation, problem::Problem};
use axum::{
    Extension,
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
};
use cairn_tenancy::principal::Scope;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The text of the document.
#[derive(Clone)]
pub(super) struct Document(pub(super) Arc<str>);

/// The document itself.
pub(super) async fn get(
    Extension(document): Extension<Document>,
) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "application/json")], document.0.to_string())
}

/// What every operation that asks for a principal may answer.
const CHECKED: &[StatusCode] = &[
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::MISDIRECTED_REQUEST,
    StatusCode::INTERNAL_SERVER_ERROR,
];

/// The document of `operations`.
pub(super) fn document(operations: &[Operation]) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method.key()] = about(operation);
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Cairn",
            "version": "1",
            "description": "SQL over logs, metrics and traces, and what an operator needs. Within `/api/v1` changes only \
                            add: new paths, new optional members of requests, new members of answers. Telemetry comes \
                            in over OTLP, whose own specification describes it.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:4319", "description": "the default of `listen.api`" }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "A key that `cairn key new` made." },
                "header": { "type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key." },
            },
        },
    })
}

/// An operation with what follows from its scopes.
fn about(operation: &Operation) -> Value {
    let mut about = operation.about.clone();
    if operation.scopes.is_empty() {
        about["security"] = json!([]);
        return about;
    }
    let names: Vec<&str> = operation
        .scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect();
    // Where no keys are configured, everybody on the machine may.
    about["security"] = json!([{ "bearer": [] }, { "header": [] }, {}]);
    about["x-cairn-scopes"] = json!(names);
    for status in CHECKED {
        let responses = &mut about["responses"];
        if responses.get(status.as_str()).is_none() {
            responses[status.as_str()] = problem(*status);
        }
    }
    about
}

/// A response that is a problem document.
fn problem(status: StatusCode) -> Value {
    let mut response = json!({
        "description": status.canonical_reason().unwrap_or_default(),
        "content": { Problem::MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    for name in Problem::headers(status) {
        response["headers"][name.as_str()] = json!({ "schema": { "type": "string" } });
    }
    response
}

/// Who may read the document: everybody who is known.
pub(super) const READERS: &[Scope] = &[Scope::Query, Scope::Operate];

#[cfg(test)]
mod tests;
