//! What each operation takes and answers.

use super::{READERS, problem};
use crate::api::{
    dead_letters, deletions as deleted, flush as flushing, health, metrics as telemetry,
    operation::{Method, Operation},
    schema as tables, sql as statements, storage as stored,
};
use axum::http::StatusCode;
use cairn_query::format::Format;
use cairn_tenancy::principal::Scope;
use serde_json::{Value, json};

/// Responses that are problem documents, added to `responses`.
pub(super) fn with_problems(mut responses: Value, statuses: &[StatusCode]) -> Value {
    for status in statuses {
        responses[status.as_str()] = problem(*status);
    }
    responses
}

/// A response that is JSON of a schema.
pub(super) fn json_of(schema: &str, description: &str) -> Value {
    let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
    json!({ "description": description, "content": { "application/json": { "schema": reference } } })
}

fn text(media_type: &str, description: &str) -> Value {
    json!({ "description": description, "content": { media_type: { "schema": { "type": "string" } } } })
}

/// `POST /api/v1/sql`.
pub(in crate::api) fn sql() -> Operation {
    let statement = json!({ "schema": { "type": "string", "description": "The statement." } });
    let about = json!({
        "operationId": "sql",
        "summary": "Answers a statement in SQL over the rows of the caller's tenant.",
        "description": "`Accept` chooses the format of the answer. An answer up to 1 MiB has its completeness in the \
                        header `cairn-completeness`, a longer one in a trailer of that name.",
        "parameters": [{
            "name": "cairn-sequence",
            "in": "header",
            "description": "The answer waits until this commit sequence, as ingest replies give it, can be read; it \
                            goes before `min_sequence`.",
            "schema": { "type": "integer", "minimum": 0, "maximum": u64::MAX },
        }],
        "requestBody": {
            "required": true,
            "content": {
                "application/json": { "schema": { "$ref": "#/components/schemas/Question" } },
                "text/plain": statement,
                "application/sql": statement,
            },
        },
        "responses": with_problems(json!({ "200": answer() }), &[
            StatusCode::NOT_FOUND,
            StatusCode::NOT_ACCEPTABLE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ]),
    });
    let path = (Method::Post, "/api/v1/sql");
    Operation::new(path, &[Scope::Query], statements::post, about)
}

/// The answer of a statement in every format.
pub(super) fn answer() -> Value {
    let mut response = json!({
        "description": "The rows.",
        "headers": {
            "cairn-completeness": {
                "description": "What the answer is based on; a trailer of a long answer.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Completeness" } } },
            },
        },
        "content": {},
    });
    for format in Format::ALL {
        let schema = match format {
            Format::Json => json!({ "$ref": "#/components/schemas/Answer" }),
            Format::Ndjson | Format::Csv => json!({ "type": "string" }),
            // Bytes, which a schema of JSON has nothing to say of.
            Format::Arrow => json!({}),
        };
        response["content"][format.media_type()] = json!({ "schema": schema });
    }
    response
}

/// `GET /api/v1/schema`.
pub(in crate::api) fn schema() -> Operation {
    let about = json!({
        "operationId": "schema",
        "summary": "Tables, their columns, and the attribute keys seen in them.",
        "responses": with_problems(
            json!({ "200": json_of("Schema", "What the caller's tenant can ask about.") }),
            &[StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT],
        ),
    });
    let path = (Method::Get, "/api/v1/schema");
    Operation::new(path, &[Scope::Query], tables::get, about)
}

/// `POST /api/v1/deletions`.
pub(in crate::api) fn delete() -> Operation {
    let wanted = json!({ "$ref": "#/components/schemas/Deletion" });
    let about = json!({
        "operationId": "delete",
        "summary": "Deletes rows of the caller's tenant for ever.",
        "description": "Rows of requests that were acknowledged before are in no answer from now on, and no byte of them is left \
                        when the deletion is completed.",
        "requestBody": { "required": true, "content": { "application/json": { "schema": wanted } } },
        "responses": with_problems(
            json!({ "202": json_of("Deleted", "It is accepted and durable.") }),
            &[StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE],
        ),
    });
    let path = (Method::Post, "/api/v1/deletions");
    Operation::new(path, &[Scope::Admin], deleted::post, about)
}

/// `GET /api/v1/deletions`.
pub(in crate::api) fn deletions() -> Operation {
    let about = json!({
        "operationId": "deletions",
        "summary": "The deletions of the caller's tenant, the oldest first.",
        "responses": with_problems(
            json!({ "200": json_of("Deletions", "Those under way and those that are done.") }),
            &[StatusCode::SERVICE_UNAVAILABLE],
        ),
    });
    let path = (Method::Get, "/api/v1/deletions");
    Operation::new(path, &[Scope::Admin, Scope::Operate], deleted::get, about)
}

/// `POST /api/v1/flush`.
pub(in crate::api) fn flush() -> Operation {
    let about = json!({
        "operationId": "flush",
        "summary": "Writes everything that is acknowledged, of all tenants, to segments in the bucket.",
        "responses": with_problems(
            json!({ "200": json_of("Flushed", "Everything is committed.") }),
            &[StatusCode::SERVICE_UNAVAILABLE],
        ),
    });
    let path = (Method::Post, "/api/v1/flush");
    Operation::new(path, &[Scope::Operate], flushing::post, about)
}

/// `POST /api/v1/dead-letters/replay`.
pub(in crate::api) fn replay() -> Operation {
    let about = json!({
        "operationId": "replayDeadLetters",
        "summary": "Offers dead letters of the caller's tenant again, a page a call; what is sound now becomes rows, once.",
        "requestBody": {
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Replay" } } },
        },
        "responses": with_problems(
            json!({ "200": json_of("Replayed", "What became of the letters of this page.") }),
            &[
                StatusCode::NOT_FOUND,
                StatusCode::CONFLICT,
                StatusCode::UNPROCESSABLE_ENTITY,
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ],
        ),
    });
    let path = (Method::Post, "/api/v1/dead-letters/replay");
    Operation::new(path, &[Scope::Operate], dead_letters::replay, about)
}

/// `GET /api/v1/storage`.
pub(in crate::api) fn storage() -> Operation {
    let about = json!({
        "operationId": "storage",
        "summary": "What is stored of every tenant and signal, how long it is kept, and what waits for its deletion.",
        "responses": with_problems(
            json!({ "200": json_of("Storage", "What is stored now.") }),
            &[StatusCode::SERVICE_UNAVAILABLE],
        ),
    });
    let path = (Method::Get, "/api/v1/storage");
    Operation::new(path, &[Scope::Operate], stored::get, about)
}

/// `POST /api/v1/storage/reconcile`.
pub(in crate::api) fn reconcile() -> Operation {
    let about = json!({
        "operationId": "reconcileStorage",
        "summary": "Lists the whole bucket and counts objects that nobody needs and objects that are missing; deletes nothing.",
        "responses": with_problems(
            json!({ "200": json_of("Orphans", "What the bucket has.") }),
            &[StatusCode::SERVICE_UNAVAILABLE],
        ),
    });
    let path = (Method::Post, "/api/v1/storage/reconcile");
    Operation::new(path, &[Scope::Operate], stored::reconcile, about)
}

/// `GET /api/v1/version`.
pub(in crate::api) fn version() -> Operation {
    let about = json!({
        "operationId": "version",
        "summary": "Which version answers.",
        "responses": { "200": json_of("Version", "The version.") },
    });
    let path = (Method::Get, "/api/v1/version");
    Operation::new(path, READERS, crate::api::version, about)
}

/// `GET /api/v1/openapi.json`.
pub(in crate::api) fn itself() -> Operation {
    let schema = json!({ "type": "object", "required": ["openapi", "info", "paths"] });
    let about = json!({
        "operationId": "openapi",
        "summary": "This document.",
        "responses": {
            "200": { "description": "OpenAPI 3.1.", "content": { "application/json": { "schema": schema } } },
        },
    });
    let path = (Method::Get, "/api/v1/openapi.json");
    Operation::new(path, READERS, super::get, about)
}

/// `GET /metrics`.
pub(in crate::api) fn metrics() -> Operation {
    let about = json!({
        "operationId": "metrics",
        "summary": "Metrics of the server: all to principals with the scope `operate`, else the rows of the own tenant.",
        "responses": { "200": text(telemetry::FORMAT, "The OpenMetrics text format.") },
    });
    Operation::new((Method::Get, "/metrics"), READERS, telemetry::get, about)
}

/// `GET /healthz`.
pub(in crate::api) fn live() -> Operation {
    let about = json!({
        "operationId": "live",
        "summary": "Whether the process is well.",
        "responses": {
            "200": json_of("Health", "It does its work, if need be with less."),
            "503": json_of("Health", "It takes no requests any more."),
        },
    });
    Operation::new((Method::Get, "/healthz"), &[], health::live, about)
}

/// `GET /readyz`.
pub(in crate::api) fn ready() -> Operation {
    let media_type = "text/plain; charset=utf-8";
    let about = json!({
        "operationId": "ready",
        "summary": "Whether requests should be sent here.",
        "responses": {
            "200": text(media_type, "They should."),
            "503": text(media_type, "They should not."),
        },
    });
    Operation::new((Method::Get, "/readyz"), &[], health::ready, about)
}
