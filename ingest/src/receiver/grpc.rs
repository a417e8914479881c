//! OTLP/gRPC: unary calls, framed and decompressed here and not by a codec.
//!
//! So the sender is known before a byte of the body is read, what is decompressed is counted as it comes out,
//! and nothing is ever allocated from the length that a frame declares.
//!
//! Source: grpc "PROTOCOL-HTTP2.md" and "compression.md".

mod frame;

use super::{
    compression::{ACCEPTED, Compression},
    intake::{Exchange, Intake},
    payload::{Gathering, Payload},
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
use bytes::Bytes;
use cairn_proto::status::{Code, Status};
use cairn_storage::{
    append::Outcome,
    signal::{Encoding, Signal},
};
use frame::Framing;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use std::{sync::Arc, time::Duration};

const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// See the header of the same name in `http`.
const SEQUENCE: &str = "cairn-sequence";

const METHODS: &str = "call Export of the collector services v1 of logs, metrics and traces";

pub(super) fn router(intake: Arc<Intake>) -> Router {
    let path = |service: &str| format!("/opentelemetry.proto.collector.{service}/Export");
    Router::new()
        .route(&path("logs.v1.LogsService"), exports(Signal::Logs))
        .route(&path("metrics.v1.MetricsService"), exports(Signal::Metrics))
        .route(&path("trace.v1.TraceService"), exports(Signal::Spans))
        .fallback(unknown_method)
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
    if let Some(refusal) = not_grpc(&request) {
        return refusal;
    }
    let exchange = intake.begin(Protocol::Grpc, signal);
    match within_deadline(intake, &exchange, signal, request).await {
        Ok(outcome) => {
            intake.end(&exchange, Code::Ok as u32, None);
            success(&outcome)
        }
        Err(error) => {
            let reply = ErrorReply::of(&error);
            intake.end(&exchange, reply.code as u32, Some(&error));
            failure(&reply)
        }
    }
}

async fn within_deadline(
    intake: &Intake,
    exchange: &Exchange,
    signal: Signal,
    request: http::Request<Body>,
) -> Result<Outcome> {
    let timeout = timeout(request.headers())?;
    let work = receive(intake, exchange, signal, request);
    let Some(timeout) = timeout else {
        return work.await;
    };
    tokio::select! {
        biased;
        outcome = work => outcome,
        () = intake.clock().sleep(timeout) => Err(Error::Deadline),
    }
}

async fn receive(
    intake: &Intake,
    exchange: &Exchange,
    signal: Signal,
    request: http::Request<Body>,
) -> Result<Outcome> {
    let sender = intake.sender(exchange, request.headers())?;
    let compression = match request
        .headers()
        .get(GRPC_ENCODING)
        .map(HeaderValue::to_str)
    {
        None => Compression::Identity,
        Some(Ok(name)) => Compression::parse(Some(name))?,
        Some(Err(_)) => {
            return Err(Error::Compression {
                found: "not ASCII".to_string(),
            });
        }
    };
    let mut wire = intake.wire(request.into_body());
    let payload = message(intake, exchange, &mut wire, compression).await?;
    let request = Request {
        tenant: sender.tenant,
        signal,
        encoding: Encoding::OtlpProtobuf,
        payload: payload.bytes,
        memory: payload.memory,
    };
    intake.pipeline.ingest(request).await
}

/// Reads the one message of a unary call.
async fn message(
    intake: &Intake,
    exchange: &Exchange,
    wire: &mut Wire,
    compression: Compression,
) -> Result<Payload> {
    let mut gathering = None;
    let filled = fill(intake, wire, compression, &mut gathering).await;
    intake.count_bytes(exchange, wire, gathering.as_ref());
    filled?;
    gathering
        .expect("a whole frame was read, so its head was")
        .finish()
}

async fn fill(
    intake: &Intake,
    wire: &mut Wire,
    compression: Compression,
    gathering: &mut Option<Gathering>,
) -> Result<()> {
    let mut framing = Framing::default();
    while let Some(chunk) = wire.next().await? {
        let Some(frame) = framing.push(chunk, wire.limit_bytes())? else {
            continue;
        };
        let gathering = match gathering {
            Some(gathering) => gathering,
            None => {
                let compression = compression_of(frame.compressed, compression)?;
                gathering.insert(intake.gathering(compression)?)
            }
        };
        gathering.push(frame.piece).await?;
    }
    framing.finish()
}

/// A message need not be compressed only because a compression is named.
fn compression_of(compressed: bool, named: Compression) -> Result<Compression> {
    match (compressed, named) {
        (false, _) => Ok(Compression::Identity),
        (true, Compression::Identity) => Err(Error::CompressionUnnamed),
        (true, named) => Ok(named),
    }
}

/// What is no gRPC at all is answered in plain HTTP.
fn not_grpc(request: &http::Request<Body>) -> Option<Response> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let mut response = Response::new(Body::empty());
    if request.method() != Method::POST {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("POST"));
    } else if !matches!(
        content_type.strip_prefix(b"application/grpc"),
        Some([] | [b';', ..] | [b'+', b'p', b'r', b'o', b't', b'o', ..])
    ) {
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    } else {
        return None;
    }
    Some(response)
}

async fn unknown_method(request: http::Request<Body>) -> Response {
    let error = Error::Path { expected: METHODS };
    not_grpc(&request).unwrap_or_else(|| failure(&ErrorReply::of(&error)))
}

/// A message and trailers.
fn success(outcome: &Outcome) -> Response {
    let message = frame::encode(&reply::success_protobuf(&outcome.answer));
    let mut trailers = HeaderMap::new();
    Status::new(Code::Ok, "")
        .add_header(&mut trailers)
        .expect("a status without text is a header");
    let trailers = async move { Some(Ok(trailers)) };
    let body = Full::new(Bytes::from(message)).with_trailers(trailers);
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    headers.insert(SEQUENCE, outcome.sequence.into());
    response
}

/// Trailers alone, which stand in the head of the response.
fn failure(reply: &ErrorReply) -> Response {
    let mut response: Response = reply.status().into_http();
    response
        .headers_mut()
        .insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    response
}

/// The value of `grpc-timeout`: one to eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else {
        return Ok(None);
    };
    let bad = || Error::Header {
        header: GRPC_TIMEOUT,
        expected: "one to eight digits and one of H, M, S, m, u, n",
    };
    let (unit, digits) = value.as_bytes().split_last().ok_or_else(bad)?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let timeout = match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return Err(bad()),
    };
    Ok(Some(timeout))
}
