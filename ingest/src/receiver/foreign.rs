//! A request with logs that are no OTLP, from its head to its answer: the same for every form.
//!
//! Order of checks: method, sender, what the form asks of the head, compression, body. So nobody unknown makes us read.

use super::compression::Compression;
use super::{
    head::{compression, explain, may_still_send},
    intake::{Exchange, Intake},
    wire::Wire,
};
use crate::{
    dialect::Source,
    error::{Error, Result},
    pipeline::{Foreign, Taken},
    reply::{self, ErrorReply},
    telemetry::Protocol,
};
use axum::{body::Body, response::Response};
use cairn_storage::signal::Signal;
use http::{Method, header::CONTENT_ENCODING, request::Parts};

/// How a form of logs takes and answers requests.
pub(super) struct Form {
    pub(super) protocol: Protocol,
    pub(super) methods: &'static [Method],
    /// The answer to logs that were taken.
    pub(super) taken: fn(&Taken) -> Response,
    /// The answer to a request that was not.
    pub(super) refused: fn(&ErrorReply) -> Response,
}

/// Takes a request, of which `source` says how it is written, and answers it.
pub(super) async fn take(
    intake: &Intake,
    form: &Form,
    request: http::Request<Body>,
    source: impl FnOnce(&Parts) -> Result<Source>,
) -> Response {
    let (head, body) = request.into_parts();
    let exchange = intake.begin(form.protocol, Signal::Logs);
    let mut wire = intake.wire(body);
    let received = receive(intake, &exchange, (form, &head, &mut wire), source).await;
    match received {
        Ok(taken) => {
            let mut response = (form.taken)(&taken);
            let sequence = taken.outcome.sequence;
            response
                .headers_mut()
                .insert(reply::SEQUENCE, sequence.into());
            intake.end(&exchange, response.status().as_u16().into(), None);
            response
        }
        Err(error) => {
            let response = refuse(form, &error);
            intake.end(&exchange, response.status().as_u16().into(), Some(&error));
            if may_still_send(&head, &error) {
                wire.drain().await;
            }
            response
        }
    }
}

/// The answer to a request that is refused with `error`.
pub(super) fn refuse(form: &Form, error: &Error) -> Response {
    let reply = ErrorReply::of(error);
    let mut response = (form.refused)(&reply);
    explain(response.headers_mut(), error, &reply);
    response
}

async fn receive(
    intake: &Intake,
    exchange: &Exchange,
    (form, head, wire): (&Form, &Parts, &mut Wire),
    source: impl FnOnce(&Parts) -> Result<Source>,
) -> Result<Taken> {
    if !form.methods.contains(&head.method) {
        return Err(Error::Method);
    }
    let sender = intake.sender(exchange, &head.headers)?;
    let source = source(head)?;
    let compression = compression_of(head, &source)?;
    let payload = intake.gather(exchange, wire, compression).await?;
    let foreign = Foreign {
        tenant: sender.tenant,
        source,
        payload: payload.bytes,
        memory: payload.memory,
    };
    intake.pipeline.ingest_foreign(foreign).await
}

/// Snappy belongs to Loki's protobuf and may be named or not.
fn compression_of(head: &Parts, source: &Source) -> Result<Compression> {
    let named = head.headers.get(CONTENT_ENCODING);
    let is_block = named.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"snappy"));
    match source {
        Source::LokiProtobuf if is_block => Ok(Compression::Identity),
        _ => compression(&head.headers),
    }
}
