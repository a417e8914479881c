//! What the ways in for metrics that are not OTLP share: who sends, the body, the pipeline, answers in plain text.

use super::{
    compression::Compression,
    intake::{Exchange, Intake},
    payload::Payload,
    snappy,
    wire::Wire,
};
use crate::{
    error::{Error, Kind, Result},
    lines::LineForm,
    pipeline::{Request, Written},
    reply::ErrorReply,
    telemetry::Protocol,
};
use axum::{body::Body, response::Response};
use cairn_storage::{
    append::Outcome,
    id::TenantId,
    signal::{Encoding, Signal},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};

/// How the body of a request becomes rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    /// A request that is decoded as it is.
    Encoded(Encoding),
    /// Lines of text, received now.
    Lines(LineForm),
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Snappy,
    Stream(Compression),
}

/// What became of a request.
pub(super) type Done = Result<(Outcome, Written)>;

/// Takes a request whose head says what it is by `content`, and says what became of it.
///
/// The order of checks: method, sender, media type, compression, body. So nobody unknown makes us read.
pub(super) async fn take(
    intake: &Intake,
    protocol: Protocol,
    request: http::Request<Body>,
    content: impl Fn(&Parts) -> Result<Content>,
) -> Done {
    let (head, body) = request.into_parts();
    let exchange = intake.begin(protocol, Signal::Metrics);
    let mut wire = intake.wire(body);
    let received = receive(intake, &exchange, (&head, &mut wire), content).await;
    match &received {
        Ok((outcome, _)) => {
            let status = status(outcome);
            intake.end(&exchange, status.as_u16().into(), None);
        }
        Err(error) => {
            let code = ErrorReply::of(error).http.as_u16();
            intake.end(&exchange, code.into(), Some(error));
            if may_still_send(&head, error) {
                wire.drain().await;
            }
        }
    }
    received
}

async fn receive(
    intake: &Intake,
    exchange: &Exchange,
    (head, wire): (&Parts, &mut Wire),
    content: impl Fn(&Parts) -> Result<Content>,
) -> Done {
    if head.method != Method::POST {
        return Err(Error::Method);
    }
    let sender = intake.sender(exchange, &head.headers)?;
    let content = content(head)?;
    let packing = Packing::of(&head.headers, content)?;
    let payload = gather(intake, exchange, wire, packing).await?;
    let received = intake.clock().now();
    let request = request(sender.tenant, content, payload);
    let request = match content {
        Content::Encoded(_) => request,
        Content::Lines(form) => {
            let pipeline = &intake.pipeline;
            let (request, texts) = pipeline.transcode_lines(request, form, received).await?;
            intake.skipped_texts(exchange, texts);
            request
        }
    };
    intake.pipeline.ingest_counted(request, received).await
}

fn request(tenant: TenantId, content: Content, payload: Payload) -> Request {
    Request {
        tenant,
        signal: Signal::Metrics,
        encoding: match content {
            Content::Encoded(encoding) => encoding,
            Content::Lines(_) => Encoding::Samples,
        },
        payload: payload.bytes,
        memory: payload.memory,
    }
}

async fn gather(
    intake: &Intake,
    exchange: &Exchange,
    wire: &mut Wire,
    packing: Packing,
) -> Result<Payload> {
    match packing {
        Packing::Stream(compression) => intake.gather(exchange, wire, compression).await,
        Packing::Snappy => {
            let block = intake.gather(exchange, wire, Compression::Identity).await?;
            let (limit_bytes, memory) = (intake.max_request_bytes(), intake.memory());
            let length = block.bytes.len();
            let work = move || snappy::decompress(block, limit_bytes, memory);
            intake.pipeline.run(length, work).await
        }
    }
}

impl Packing {
    /// Remote write is a snappy block, also where it does not say so (Remote-Write 1.0).
    fn of(headers: &HeaderMap, content: Content) -> Result<Packing> {
        let name = match headers.get(CONTENT_ENCODING).map(HeaderValue::to_str) {
            None => None,
            Some(Ok(name)) => Some(name.trim()),
            Some(Err(_)) => {
                return Err(Error::Compression {
                    found: "not ASCII".to_string(),
                });
            }
        };
        let is_write = matches!(content, Content::Encoded(_));
        match name {
            Some(name) if name.eq_ignore_ascii_case("snappy") => Ok(Packing::Snappy),
            None | Some("") if is_write => Ok(Packing::Snappy),
            name => Compression::parse(name).map(Packing::Stream),
        }
    }
}

/// Whether reading on a little gets the answer to the client: over HTTP/1 an answer before the end of the
/// request resets the connection. Not where the client waits for a word before it sends.
fn may_still_send(head: &Parts, error: &Error) -> bool {
    let broken = matches!(error, Error::Broken { .. }) || error.kind() == Kind::TooSlow;
    head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT) && !broken
}

/// The status of a request that was taken: 400 where some of its records were refused and must not come again.
pub(super) fn status(outcome: &Outcome) -> StatusCode {
    match outcome.answer.rejected {
        0 => StatusCode::NO_CONTENT,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// An answer with a body of `media`.
pub(super) fn answer(status: StatusCode, media: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        let media = HeaderValue::from_static(media);
        response.headers_mut().insert(CONTENT_TYPE, media);
    }
    response
}

/// Adds the headers that say what a client can do about `error`.
pub(super) fn add_headers(headers: &mut HeaderMap, error: &Error, reply: &ErrorReply) {
    if let Some(after) = reply.retry_after {
        headers.insert(RETRY_AFTER, after.as_secs().max(1).into());
    }
    if matches!(error, Error::Method) {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if reply.http == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"cairn\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
}
