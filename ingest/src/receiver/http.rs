//! OTLP/HTTP (OTLP 1.11, "OTLP/HTTP"): protobuf over POST, every error a `google.rpc.Status`.
//!
//! Order of checks: path, method, sender, media type, compression, body. So nobody unknown makes us read.

use super::{
    compression::Compression,
    intake::{Exchange, Intake},
    wire::Wire,
};
use crate::{
    error::{Error, Kind, Result},
    pipeline::Request,
    reply::{self, ErrorReply},
    telemetry::Protocol,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{MethodRouter, any},
};
use cairn_storage::{
    append::Outcome,
    id::TenantId,
    signal::{Encoding, Signal},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, EXPECT},
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};
use std::sync::Arc;

/// The answer's header with the commit sequence: a query that asks for it sees this request.
const SEQUENCE: &str = "cairn-sequence";

const PATHS: &str = "POST to /v1/logs, /v1/metrics or /v1/traces";

const MEDIA_TYPES: &str = "send application/x-protobuf";

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
}

/// What the head of an acceptable request says.
struct Accepted {
    tenant: TenantId,
    compression: Compression,
}

pub(super) fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/v1/logs", exports(Signal::Logs))
        .route("/v1/metrics", exports(Signal::Metrics))
        .route("/v1/traces", exports(Signal::Spans))
        .fallback(unknown_path)
        .with_state(intake)
}

fn exports(signal: Signal) -> MethodRouter<Arc<Intake>> {
    any(
        move |State(intake): State<Arc<Intake>>, request: http::Request<Body>| async move {
            export(&intake, signal, request).await
        },
    )
}

async fn export(intake: &Intake, signal: Signal, request: http::Request<Body>) -> Response {
    let exchange = intake.begin(Protocol::Http, signal);
    let (head, body) = request.into_parts();
    let media = Media::of_answer(&head.headers);
    let mut wire = intake.wire(body);
    match receive(intake, &exchange, signal, (&head, &mut wire)).await {
        Ok(outcome) => {
            intake.end(&exchange, StatusCode::OK.as_u16().into(), None);
            success(&outcome, signal, media)
        }
        Err(error) => {
            let reply = ErrorReply::of(&error);
            intake.end(&exchange, reply.http.as_u16().into(), Some(&error));
            if may_still_send(&head, &error) {
                wire.drain().await;
            }
            failure(&error, &reply, media)
        }
    }
}

async fn receive(
    intake: &Intake,
    exchange: &Exchange,
    signal: Signal,
    (head, wire): (&Parts, &mut Wire),
) -> Result<Outcome> {
    let accepted = accept(intake, exchange, head)?;
    let payload = intake.gather(exchange, wire, accepted.compression).await?;
    let request = Request {
        tenant: accepted.tenant,
        signal,
        encoding: Encoding::OtlpProtobuf,
        payload: payload.bytes,
        memory: payload.memory,
    };
    intake.pipeline.ingest(request).await
}

fn accept(intake: &Intake, exchange: &Exchange, head: &Parts) -> Result<Accepted> {
    if head.method != Method::POST {
        return Err(Error::Method);
    }
    let sender = intake.sender(exchange, &head.headers)?;
    let found = essence(&head.headers);
    if found != "application/x-protobuf" {
        let found = found[..found.floor_char_boundary(64)].to_string();
        return Err(Error::MediaType {
            found,
            expected: MEDIA_TYPES,
        });
    }
    let compression = match head.headers.get(CONTENT_ENCODING).map(HeaderValue::to_str) {
        None => Compression::Identity,
        Some(Ok(name)) => Compression::parse(Some(name))?,
        Some(Err(_)) => {
            return Err(Error::Compression {
                found: "not ASCII".to_string(),
            });
        }
    };
    Ok(Accepted {
        tenant: sender.tenant,
        compression,
    })
}

/// Whether reading on a little gets the answer to the client: over HTTP/1 an answer before the end of the
/// request resets the connection. Not where the client waits for a word before it sends.
fn may_still_send(head: &Parts, error: &Error) -> bool {
    let broken = matches!(error, Error::Broken { .. }) || error.kind() == Kind::TooSlow;
    head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT) && !broken
}

async fn unknown_path(request: http::Request<Body>) -> Response {
    let error = Error::Path { expected: PATHS };
    failure(
        &error,
        &ErrorReply::of(&error),
        Media::of_answer(request.headers()),
    )
}

fn success(outcome: &Outcome, signal: Signal, media: Media) -> Response {
    let body = match media {
        Media::Protobuf => reply::success_protobuf(&outcome.answer),
        Media::Json => reply::success_json(&outcome.answer, signal),
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.header());
    headers.insert(SEQUENCE, outcome.sequence.into());
    response
}

fn failure(error: &Error, reply: &ErrorReply, media: Media) -> Response {
    let body = match media {
        Media::Protobuf => Body::from(reply.status().details().to_vec()),
        Media::Json => Body::from(reply.json()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.http;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.header());
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
    response
}

impl Media {
    /// The media type of the request; for one that sent protobuf protobuf, for everybody else what people can read.
    fn of_answer(headers: &HeaderMap) -> Media {
        match essence(headers).as_str() {
            "application/x-protobuf" => Media::Protobuf,
            _ => Media::Json,
        }
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Media::Protobuf => "application/x-protobuf",
            Media::Json => "application/json",
        })
    }
}

/// The media type without its parameters, in lower case; empty when there is none.
fn essence(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let essence = value.split(';').next().unwrap_or("");
    essence.trim().to_ascii_lowercase()
}
