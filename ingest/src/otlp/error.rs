//! Why a whole request cannot be decoded.

use cairn_storage::{error::Kind, signal::Encoding};

/// A request that cannot be decoded as a whole; what is wrong with one record only is in `Decoded::rejected`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The framing of the request is broken where no single record can be blamed.
    #[error("malformed request at byte {offset}: {what}")]
    Malformed { offset: usize, what: &'static str },
    /// More rows than one request may make; bounds the memory that few bytes can ask for.
    #[error("the request makes more than {limit} rows of {of}; send fewer at once")]
    TooManyRows { of: &'static str, limit: usize },
    /// No decoder for this encoding.
    #[error("no decoder for requests in {encoding:?}")]
    Encoding { encoding: Encoding },
    /// The signal has no requests (`dead_letters`).
    #[error("no decoder for signal {signal}")]
    Signal {
        signal: cairn_storage::signal::Signal,
    },
    /// The frame was decoded by a version that this binary does not have.
    #[error("no decoder of version {version}, only of version {known}")]
    Version { version: u16, known: u16 },
    /// A bug of ours: what was decoded does not fit the schema.
    #[error("decoded rows do not fit the schema: {detail}")]
    Internal { detail: String },
}

impl DecodeError {
    /// What the caller can do about this error.
    pub fn kind(&self) -> Kind {
        match self {
            DecodeError::Malformed { .. }
            | DecodeError::TooManyRows { .. }
            | DecodeError::Encoding { .. }
            | DecodeError::Signal { .. }
            | DecodeError::Version { .. } => Kind::Invalid,
            DecodeError::Internal { .. } => Kind::Internal,
        }
    }
}
