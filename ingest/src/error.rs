//! The one error of this crate: why a request as a whole was not accepted; its kind says what the client can do.
//!
//! A single record that cannot be kept is not an error: it is rejected, counted and told in the answer.

use crate::{
    dialect::DialectError,
    otlp::{DecodeError, json::JsonError},
};

/// What a client can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong: change it.
    Invalid,
    /// Nobody knows who is asking: send a valid key.
    Unauthenticated,
    /// The key does not allow this.
    Denied,
    /// There is nothing at this path.
    NotFound,
    /// The path takes another method.
    MethodNotAllowed,
    /// The request did not come in within its time.
    TooSlow,
    /// The request is larger than the limit: split it.
    TooLarge,
    /// A media type or compression that the server does not take.
    Unsupported,
    /// A limit is reached for now: try again later.
    Limited,
    /// A part of the server is out of reach for now: try again later.
    Unavailable,
    /// A bug of ours, or a violation of the protocol that only a bug explains.
    Internal,
}

/// Everything that can keep a request from being accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Credentials(#[from] cairn_tenancy::error::Error),
    #[error("nothing is served at this path: {expected}")]
    Path { expected: &'static str },
    #[error("this path takes POST only")]
    Method,
    #[error("the content type {found:?} is not taken: {expected}")]
    MediaType {
        found: String,
        expected: &'static str,
    },
    #[error("the compression {found:?} is not taken: use gzip, zstd or none")]
    Compression { found: String },
    #[error("the request is larger than {limit_bytes} bytes ({measured}): send less at once")]
    TooLarge {
        limit_bytes: u64,
        measured: &'static str,
    },
    #[error(
        "the zstd window of {window_bytes} bytes is larger than {limit_bytes}: use a lower level"
    )]
    Window { window_bytes: u64, limit_bytes: u64 },
    #[error("the request came in too slowly: {detail}")]
    TooSlow { detail: String },
    #[error("the client's deadline passed")]
    Deadline,
    #[error("broken {compression} data: {detail}")]
    BrokenCompression {
        compression: &'static str,
        detail: String,
    },
    #[error("the request broke off: {detail}")]
    Broken { detail: String },
    #[error("not one gRPC message: {detail}")]
    Framing { detail: String },
    #[error("the message is marked as compressed and no grpc-encoding is given")]
    CompressionUnnamed,
    #[error("{header} is not readable: {expected}")]
    Header {
        header: &'static str,
        expected: &'static str,
    },
    #[error("the parameter {name} is not readable: {expected}")]
    Parameter {
        name: &'static str,
        expected: &'static str,
    },
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Logs in which no record can be told from another.
    #[error(transparent)]
    Dialect(DialectError),
    /// JSON that is none, or no request.
    #[error(transparent)]
    Json(JsonError),
    #[error(transparent)]
    Storage(#[from] cairn_storage::error::Error),
    #[error("handling the request panicked")]
    Panicked,
    #[error("invalid ingest settings: {detail}")]
    Settings { detail: String },
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the client can do about this error.
    pub fn kind(&self) -> Kind {
        use cairn_storage::error::Kind as Storage;
        match self {
            Error::Credentials(error) => match error.kind() {
                cairn_tenancy::error::Kind::Denied => Kind::Denied,
                cairn_tenancy::error::Kind::Unauthenticated => Kind::Unauthenticated,
                cairn_tenancy::error::Kind::Invalid => Kind::Internal,
            },
            Error::Path { .. } => Kind::NotFound,
            Error::Method => Kind::MethodNotAllowed,
            Error::MediaType { .. } | Error::Compression { .. } => Kind::Unsupported,
            Error::TooLarge { .. }
            | Error::Window { .. }
            | Error::Decode(DecodeError::TooManyRows { .. }) => Kind::TooLarge,
            Error::TooSlow { .. } | Error::Deadline => Kind::TooSlow,
            Error::BrokenCompression { .. }
            | Error::Broken { .. }
            | Error::Framing { .. }
            | Error::Header { .. }
            | Error::Parameter { .. }
            | Error::Json(_)
            | Error::Dialect(_)
            | Error::Settings { .. } => Kind::Invalid,
            Error::CompressionUnnamed | Error::Panicked => Kind::Internal,
            Error::Decode(error) => match error.kind() {
                Storage::Invalid => Kind::Invalid,
                _ => Kind::Internal,
            },
            Error::Storage(error) => match error.kind() {
                Storage::Limited => Kind::Limited,
                Storage::Invalid => Kind::Invalid,
                // Trouble with what lies on disk or in the bucket is no fault of this request, and may pass.
                Storage::Unavailable | Storage::Corrupt | Storage::Conflict | Storage::NotFound => {
                    Kind::Unavailable
                }
                Storage::Internal => Kind::Internal,
            },
        }
    }

    /// The stable name of the reason, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Error::Credentials(error) => error.reason(),
            Error::Path { .. } => "path",
            Error::Method => "method",
            Error::MediaType { .. } => "media_type",
            Error::Compression { .. } => "compression",
            Error::TooLarge { .. } => "too_large",
            Error::Window { .. } => "window",
            Error::TooSlow { .. } => "too_slow",
            Error::Deadline => "deadline",
            Error::BrokenCompression { .. } => "broken_compression",
            Error::Broken { .. } => "broken_off",
            Error::Framing { .. } | Error::CompressionUnnamed => "framing",
            Error::Header { .. } => "header",
            Error::Parameter { .. } => "parameter",
            Error::Decode(DecodeError::TooManyRows { .. }) => "too_many_rows",
            Error::Decode(_) | Error::Json(_) | Error::Dialect(_) => "malformed",
            Error::Storage(_) => match self.kind() {
                Kind::Limited => "limited",
                Kind::Unavailable => "unavailable",
                _ => "storage",
            },
            Error::Panicked => "panicked",
            Error::Settings { .. } => "settings",
        }
    }
}

impl Error {
    /// The error of logs that may have `limit_bytes` as protobuf.
    pub(crate) fn of_dialect(error: DialectError, limit_bytes: u64) -> Error {
        match error {
            DialectError::TooLarge => Error::TooLarge {
                limit_bytes,
                measured: "as protobuf",
            },
            DialectError::TooMany { limit } => Error::Decode(DecodeError::TooManyRows {
                of: "records",
                limit,
            }),
            DialectError::Memory(error) => Error::Storage(error),
            DialectError::Malformed { .. } => Error::Dialect(error),
        }
    }
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Error {
        match error {
            JsonError::TooLarge { limit_bytes } => Error::TooLarge {
                limit_bytes,
                measured: "as protobuf",
            },
            JsonError::Memory(error) => Error::Storage(error),
            JsonError::Malformed { .. } => Error::Json(error),
        }
    }
}
