//! OTLP/HTTP (OTLP 1.11, "OTLP/HTTP"): protobuf and JSON over POST, every error a `google.rpc.Status`.
//!
//! Order of checks: path, method, sender, media type, compression, body. So nobody unknown makes us read.

use super::{
    compression::Compression,
    head::{charset, compression, content_type, essence, explain, is_utf8, may_still_send},
    intake::{Exchange, Intake},
    wire::Wire,
};
use crate::{
    error::{Error, Result},
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
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE, request::Parts};
use std::sync::Arc;

const PATHS: &str = "POST to /v1/logs, /v1/metrics or /v1/traces";

const MEDIA_TYPES: &str = "send application/x-protobuf, or application/json in UTF-8";

/// The form of a request and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
}

/// What the head of an acceptable request says.
struct Accepted {
    tenant: TenantId,
    encoding: Encoding,
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
    let (head, body) = request.into_parts();
    let media = Media::of_answer(&head.headers);
    let exchange = intake.begin(protocol(&head.headers), signal);
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
        encoding: accepted.encoding,
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
    let encoding = encoding(&head.headers)?;
    let compression = compression(&head.headers)?;
    Ok(Accepted {
        tenant: sender.tenant,
        encoding,
        compression,
    })
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
    headers.insert(reply::SEQUENCE, outcome.sequence.into());
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
    explain(headers, error, reply);
    response
}

impl Media {
    /// The media type of a request, whatever its parameters are.
    fn of_request(headers: &HeaderMap) -> Option<Media> {
        match essence(headers).as_str() {
            "application/x-protobuf" => Some(Media::Protobuf),
            "application/json" => Some(Media::Json),
            _ => None,
        }
    }

    /// The media type of the request; where it has none of ours what people can read.
    fn of_answer(headers: &HeaderMap) -> Media {
        Media::of_request(headers).unwrap_or(Media::Json)
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Media::Protobuf => "application/x-protobuf",
            Media::Json => "application/json",
        })
    }
}

/// How the request is counted.
fn protocol(headers: &HeaderMap) -> Protocol {
    match Media::of_request(headers) {
        Some(Media::Protobuf) => Protocol::HttpProtobuf,
        Some(Media::Json) => Protocol::HttpJson,
        None => Protocol::Http,
    }
}

/// The encoding that the media type names. JSON is UTF-8 (RFC 8259); any other `charset` is refused.
fn encoding(headers: &HeaderMap) -> Result<Encoding> {
    match Media::of_request(headers) {
        Some(Media::Protobuf) => Ok(Encoding::OtlpProtobuf),
        Some(Media::Json) if charset(headers).is_none_or(|name| is_utf8(&name)) => {
            Ok(Encoding::OtlpJson)
        }
        _ => {
            let found = content_type(headers);
            let found = found[..found.floor_char_boundary(64)].to_string();
            Err(Error::MediaType {
                found,
                expected: MEDIA_TYPES,
            })
        }
    }
}
