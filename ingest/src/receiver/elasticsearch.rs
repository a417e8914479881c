//! Elasticsearch's bulk API, and what its shippers ask for before they send.
//!
//! Source: Elasticsearch 8, "REST APIs". Templates, policies and pipelines are acknowledged and forgotten: the columns
//! of a table of telemetry make themselves.

use super::{
    foreign::{Form, refuse, take},
    head::require,
    intake::Intake,
};
use crate::{
    dialect::{
        Source,
        bulk::{Action, Bulk, Document},
    },
    error::{Error, Result},
    reply::elasticsearch as answers,
    telemetry::Protocol,
};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::Response,
    routing::{MethodRouter, any, get},
};
use http::{HeaderMap, Method, request::Parts};
use std::sync::Arc;

type Request = http::Request<Body>;

/// None of these can be sent by a web page of somebody else's without asking first.
const MEDIA_TYPES: [&str; 4] = [
    "application/x-ndjson",
    "application/json",
    "application/vnd.elasticsearch+x-ndjson",
    "application/vnd.elasticsearch+json",
];

/// Longest name of an index, and longest id (Elasticsearch: 255 and 512 bytes).
const MAX_INDEX_BYTES: usize = 255;
const MAX_ID_BYTES: usize = 512;

const BULK: Form = Form {
    protocol: Protocol::Elasticsearch,
    methods: &[Method::POST, Method::PUT],
    taken: answers::bulk,
    refused: answers::refused,
};

const DOCUMENT: Form = Form {
    taken: answers::document,
    ..BULK
};

/// What shippers put in place before they send.
const PREPARED: [&str; 6] = [
    "/_index_template/{name}",
    "/_template/{name}",
    "/_component_template/{name}",
    "/_ilm/policy/{name}",
    "/_ingest/pipeline/{name}",
    "/_data_stream/{name}",
];

/// The routes that say by their name whose they are.
pub(super) fn router(intake: Arc<Intake>) -> Router {
    let mut router = Router::new()
        .route("/", any(about))
        .route("/_license", get(license))
        .route("/_xpack", get(features))
        .route("/_cluster/health", get(health))
        .route("/_bulk", any(bulk))
        .route("/{index}/_bulk", any(bulk_of_index))
        .route("/{index}/_doc", any(document))
        .route("/{index}/_doc/{id}", any(document_of_id))
        .route("/{index}/_create/{id}", any(document_to_create));
    for path in PREPARED {
        router = router.route(path, prepared());
    }
    router.with_state(intake)
}

/// All routes under `prefix`, where every path is Elasticsearch's.
pub(super) fn nested(intake: Arc<Intake>, prefix: &str) -> Router {
    let indices = Router::new()
        .route("/{index}", any(index))
        .with_state(intake.clone());
    let inside = router(intake.clone()).merge(indices).fallback(unknown);
    let slash = Router::new()
        .route(&format!("{prefix}/"), any(about))
        .with_state(intake);
    Router::new().nest(prefix, inside).merge(slash)
}

async fn bulk(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let source = |head: &Parts| {
        media_type(head)?;
        Ok(Source::Bulk(Bulk::default()))
    };
    take(&intake, &BULK, request, source).await
}

async fn bulk_of_index(
    State(intake): State<Arc<Intake>>,
    Path(index): Path<String>,
    request: Request,
) -> Response {
    let source = |head: &Parts| {
        media_type(head)?;
        let index = Some(checked("index", index, MAX_INDEX_BYTES)?);
        Ok(Source::Bulk(Bulk { index }))
    };
    take(&intake, &BULK, request, source).await
}

async fn document(
    State(intake): State<Arc<Intake>>,
    Path(index): Path<String>,
    request: Request,
) -> Response {
    one(&intake, (Action::Index, index, None), request).await
}

async fn document_of_id(
    State(intake): State<Arc<Intake>>,
    Path((index, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    one(&intake, (Action::Index, index, Some(id)), request).await
}

async fn document_to_create(
    State(intake): State<Arc<Intake>>,
    Path((index, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    one(&intake, (Action::Create, index, Some(id)), request).await
}

/// Takes one document.
async fn one(
    intake: &Intake,
    (action, index, id): (Action, String, Option<String>),
    request: Request,
) -> Response {
    let source = |head: &Parts| {
        media_type(head)?;
        let id = id.map(|id| checked("id", id, MAX_ID_BYTES)).transpose()?;
        Ok(Source::Document(Document {
            action,
            index: checked("index", index, MAX_INDEX_BYTES)?,
            id,
        }))
    };
    take(intake, &DOCUMENT, request, source).await
}

fn media_type(head: &Parts) -> Result<()> {
    let expected = "send application/x-ndjson or application/json, in UTF-8";
    require(&head.headers, &MEDIA_TYPES, expected)
}

/// A name of a path, which answers repeat in JSON.
fn checked(name: &'static str, value: String, limit_bytes: usize) -> Result<String> {
    let is_plain = |c: char| !c.is_control() && c != '"' && c != '\\';
    if !value.is_empty() && value.len() <= limit_bytes && value.chars().all(is_plain) {
        return Ok(value);
    }
    Err(Error::Parameter {
        name,
        expected: "at most 255 bytes (an id: 512) without quotes, backslashes and control characters",
    })
}

/// The version, which every client asks for first. Other methods than GET and HEAD are not for this path.
async fn about(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match is_read {
        true => known(&intake, request.headers(), answers::about),
        false => answers::unknown(),
    }
}

async fn license(State(intake): State<Arc<Intake>>, headers: HeaderMap) -> Response {
    known(&intake, &headers, answers::license)
}

async fn features(State(intake): State<Arc<Intake>>, headers: HeaderMap) -> Response {
    known(&intake, &headers, answers::features)
}

async fn health(State(intake): State<Arc<Intake>>, headers: HeaderMap) -> Response {
    known(&intake, &headers, answers::health)
}

/// Whatever is put is acknowledged; nothing of it can be got.
fn prepared() -> MethodRouter<Arc<Intake>> {
    any(
        |State(intake): State<Arc<Intake>>, request: Request| async move {
            let answer = match *request.method() {
                Method::PUT | Method::POST => answers::acknowledged,
                _ => answers::missing,
            };
            known(&intake, request.headers(), answer)
        },
    )
}

/// Every index is there already.
async fn index(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let answer = match *request.method() {
        Method::PUT => answers::acknowledged,
        Method::HEAD => answers::present,
        _ => answers::unknown,
    };
    known(&intake, request.headers(), answer)
}

async fn unknown() -> Response {
    answers::unknown()
}

/// The answer to a sender who may send.
fn known(intake: &Intake, headers: &HeaderMap, answer: fn() -> Response) -> Response {
    match intake.admits(headers) {
        Ok(()) => answer(),
        Err(error) => refuse(&BULK, &error),
    }
}
