//! Outcome or error -> what the client is told: the only place that knows codes of HTTP and gRPC.
//!
//! The forms of logs that are no OTLP answer in their own way: `elasticsearch`, `lines`, `loki`.
//!
//! Source: OTLP 1.11 "Failures" and "Response". Retryable are 429 and 503, RESOURCE_EXHAUSTED with
//! RetryInfo and UNAVAILABLE; nothing that is permanently wrong with a request may get one of these, and
//! nothing that may pass may get another.

pub(crate) mod elasticsearch;
pub(crate) mod lines;
pub(crate) mod loki;

use crate::error::{Error, Kind};
use cairn_proto::{
    export::ExportResponse,
    status::{Code, ErrorDetails, Status, StatusExt},
};
use cairn_storage::{append::Answer, signal::Signal};
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// The answer's header with the commit sequence: a query that asks for it sees this request.
pub(crate) const SEQUENCE: &str = "cairn-sequence";

/// Longest text of an error that goes out, in bytes: over gRPC it travels in headers, twice.
const MAX_MESSAGE_BYTES: usize = 512;

/// When to come back after a limit: flushing frees memory within a second or two.
const RETRY_AFTER_LIMITED: Duration = Duration::from_secs(1);

/// When to come back after an outage: no sooner, or all clients come at once and often.
const RETRY_AFTER_UNAVAILABLE: Duration = Duration::from_secs(5);

/// An error as the client is told it.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorReply {
    pub http: StatusCode,
    pub code: Code,
    pub message: String,
    /// Set exactly when trying again can help.
    pub retry_after: Option<Duration>,
}

impl ErrorReply {
    /// The reply to `error`.
    pub fn of(error: &Error) -> ErrorReply {
        let kind = error.kind();
        let (http, code, retry_after) = codes(kind);
        let message = match kind {
            // These may name paths and machines of ours: the operator reads them in the log.
            Kind::Unavailable => "telemetry cannot be stored at the moment".to_string(),
            Kind::Internal if !matches!(error, Error::CompressionUnnamed) => {
                "the server made a mistake with this request".to_string()
            }
            _ => error.to_string(),
        };
        let message = message[..message.floor_char_boundary(MAX_MESSAGE_BYTES)].to_string();
        ErrorReply {
            http,
            code,
            message,
            retry_after,
        }
    }

    /// The status for gRPC's trailers. Its `details` are the bytes of a `google.rpc.Status`, which is also
    /// the body of an OTLP/HTTP error.
    pub fn status(&self) -> Status {
        let mut details = ErrorDetails::new();
        if let Some(delay) = self.retry_after {
            details.set_retry_info(Some(delay));
        }
        if self.code == Code::InvalidArgument {
            details.add_bad_request_violation("", self.message.clone());
        }
        Status::with_error_details(self.code, self.message.clone(), details)
    }

    /// The same as JSON (proto3 mapping of `google.rpc.Status`).
    pub fn json(&self) -> Vec<u8> {
        let mut details = Vec::new();
        if let Some(delay) = self.retry_after {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", delay.as_secs()),
            }));
        }
        if self.code == Code::InvalidArgument {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"description": self.message}],
            }));
        }
        let mut status = json!({"code": self.code as i32, "message": self.message});
        if !details.is_empty() {
            status["details"] = Value::Array(details);
        }
        status.to_string().into_bytes()
    }
}

/// The export response of `answer`, the same for every signal.
pub fn success_protobuf(answer: &Answer) -> Vec<u8> {
    ExportResponse::new(answer.rejected, &answer.message).encode()
}

/// The same as OTLP/JSON: lowerCamelCase, 64-bit integers as strings, nothing on full success.
pub fn success_json(answer: &Answer, signal: Signal) -> Vec<u8> {
    if *answer == Answer::default() {
        return b"{}".to_vec();
    }
    let count = match signal {
        Signal::Logs | Signal::DeadLetters => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Spans => "rejectedSpans",
    };
    let mut partial = json!({"errorMessage": answer.message});
    if answer.rejected > 0 {
        partial[count] = Value::String(answer.rejected.to_string());
    }
    json!({"partialSuccess": partial}).to_string().into_bytes()
}

fn codes(kind: Kind) -> (StatusCode, Code, Option<Duration>) {
    match kind {
        Kind::Invalid => (StatusCode::BAD_REQUEST, Code::InvalidArgument, None),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, Code::Unauthenticated, None),
        Kind::Denied => (StatusCode::FORBIDDEN, Code::PermissionDenied, None),
        Kind::NotFound => (StatusCode::NOT_FOUND, Code::Unimplemented, None),
        Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, None),
        // OTLP lets a client try this code over gRPC again, and over HTTP none that is not 429 or 502 to 504: with
        // 408 it would drop what may well arrive the next time.
        Kind::TooSlow => {
            let after = Some(RETRY_AFTER_UNAVAILABLE);
            let http = StatusCode::SERVICE_UNAVAILABLE;
            (http, Code::DeadlineExceeded, after)
        }
        // Without RetryInfo this code says: never again like this.
        Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, None),
        Kind::Unsupported => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Unimplemented,
            None,
        ),
        Kind::Limited => {
            let after = Some(RETRY_AFTER_LIMITED);
            (
                StatusCode::TOO_MANY_REQUESTS,
                Code::ResourceExhausted,
                after,
            )
        }
        Kind::Unavailable => {
            let after = Some(RETRY_AFTER_UNAVAILABLE);
            (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, after)
        }
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, None),
    }
}

#[cfg(test)]
mod tests;
