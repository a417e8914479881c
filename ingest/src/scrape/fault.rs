//! Why a scrape failed. The text is what `/targets` shows; no secret is in it.

use crate::error::{Error, Kind};

/// What kept a target's samples from being stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("reading {path}: {detail}")]
    Secret { path: String, detail: String },
    #[error("the address {address:?} is not readable: {detail}")]
    Address { address: String, detail: String },
    #[error("TLS settings: {detail}")]
    Tls { detail: String },
    #[error("connecting: {detail}")]
    Connect { detail: String },
    #[error("no answer within {millis} ms: raise scrape_timeout or make the target faster")]
    Timeout { millis: u128 },
    #[error("the target answered with the status {status}")]
    Status { status: http::StatusCode },
    #[error("the target redirects {detail}")]
    Redirect { detail: String },
    #[error(
        "the target says {found:?} of what it sends, which is no format of metrics: name a fallback_scrape_protocol"
    )]
    ContentType { found: String },
    #[error("the target does not say what it sends: name a fallback_scrape_protocol")]
    NoContentType,
    #[error("the answer: {0}")]
    Body(Error),
    #[error("the answer broke off: {detail}")]
    Broken { detail: String },
    #[error("line {line}: {what}")]
    Malformed { line: usize, what: &'static str },
    #[error("the protobuf of the target is broken: {detail}")]
    Protobuf { detail: &'static str },
    #[error("the text does not end in # EOF")]
    Incomplete,
    #[error("{what} is {found}, and {limit_name} is {limit}")]
    Limit {
        what: &'static str,
        found: u64,
        limit_name: &'static str,
        limit: u64,
    },
    #[error("a series has no name after metric_relabel_configs")]
    NoName,
    #[error("the samples cannot be stored: {0}")]
    Refused(Error),
}

impl Fault {
    /// The stable name, for metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Fault::Secret { .. } => "secret",
            Fault::Address { .. } => "address",
            Fault::Tls { .. } => "tls",
            Fault::Connect { .. } => "connect",
            Fault::Timeout { .. } => "timeout",
            Fault::Status { .. } => "status",
            Fault::Redirect { .. } => "redirect",
            Fault::ContentType { .. } | Fault::NoContentType => "content_type",
            Fault::Body(error) => error.reason(),
            Fault::Broken { .. } => "broken_off",
            Fault::Malformed { .. } | Fault::Protobuf { .. } | Fault::Incomplete => "malformed",
            Fault::Limit { limit_name, .. } => limit_name,
            Fault::NoName => "no_name",
            Fault::Refused(error) => error.reason(),
        }
    }
}

/// Whether the pipeline may take the same samples a little later.
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), Kind::Limited | Kind::Unavailable)
}
