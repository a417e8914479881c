//! Why a request, or one record of it, did not become protobuf.

use crate::otlp::json::error::Stop;
use cairn_storage::{append::Reason, error::Error as StorageError};

/// A request that is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    /// Where one record ends and the next begins cannot be told.
    #[error("not {what}: {detail}")]
    Malformed { what: &'static str, detail: String },
    /// The protobuf that it stands for is larger than a request may be.
    #[error("as protobuf the request is larger than the limit: send less at once")]
    TooLarge,
    #[error("the request has more than {limit} records: send fewer at once")]
    TooMany { limit: usize },
    /// No memory for it at the moment.
    #[error(transparent)]
    Memory(StorageError),
}

/// What stops the reading of a record: the record is refused and the next one read, or the request is refused.
#[derive(Debug)]
pub(super) enum Fault {
    Record { reason: Reason, detail: String },
    Request(DialectError),
}

impl Fault {
    /// A record that is not what it should be.
    pub(super) fn malformed(detail: impl Into<String>) -> Fault {
        Fault::Record {
            reason: Reason::Malformed,
            detail: detail.into(),
        }
    }

    /// The same where records cannot be told apart: the request is not `what`.
    pub(super) fn of_request(self, what: &'static str) -> DialectError {
        match self {
            Fault::Record { detail, .. } => DialectError::Malformed { what, detail },
            Fault::Request(error) => error,
        }
    }
}

impl From<DialectError> for Fault {
    fn from(error: DialectError) -> Fault {
        Fault::Request(error)
    }
}

impl From<Box<Stop>> for Fault {
    fn from(stop: Box<Stop>) -> Fault {
        match *stop {
            Stop::At { offset, what } => Fault::malformed(format!("byte {offset}: {what}")),
            Stop::TooLarge => Fault::Request(DialectError::TooLarge),
            Stop::Memory(error) => Fault::Request(DialectError::Memory(error)),
        }
    }
}

impl From<Box<Stop>> for DialectError {
    /// For writing only, which never stops at a byte of the text.
    fn from(stop: Box<Stop>) -> DialectError {
        Fault::from(stop).of_request("a request of log records")
    }
}
