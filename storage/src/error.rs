//! The one error of this crate; its kind says what the caller can do.

use std::path::PathBuf;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The input is wrong: change it.
    Invalid,
    /// The thing asked for does not exist.
    NotFound,
    /// Somebody else changed it first: read again and decide anew.
    Conflict,
    /// A limit is reached: try again later with less.
    Limited,
    /// A part is out of reach for now: try again later.
    Unavailable,
    /// Bytes on disk or on the object store are damaged.
    Corrupt,
    /// A bug of ours.
    Internal,
}

/// Everything that can go wrong in storage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("invalid {what}: {detail}")]
    Invalid { what: &'static str, detail: String },
    #[error("{what} {id} does not exist")]
    NotFound { what: &'static str, id: String },
    #[error("{what} was changed by somebody else: {detail}")]
    Conflict { what: &'static str, detail: String },
    #[error("limit reached on {what}: {detail}")]
    Limited { what: &'static str, detail: String },
    #[error("{what} is out of reach: {detail}")]
    Unavailable { what: &'static str, detail: String },
    #[error("{what} is damaged: {detail}")]
    Corrupt { what: String, detail: String },
    #[error("{doing} {path}")]
    Disk {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{doing} on the object store")]
    Objects {
        doing: &'static str,
        source: object_store::Error,
    },
    #[error("{doing} in the catalog")]
    Catalog {
        doing: &'static str,
        source: sqlx::Error,
    },
    #[error("{doing}")]
    Parquet {
        doing: &'static str,
        source: parquet::errors::ParquetError,
    },
    #[error("{doing}")]
    Arrow {
        doing: &'static str,
        source: arrow::error::ArrowError,
    },
    #[error("{0}")]
    Internal(String),
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the caller can do about this error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Invalid { .. } => Kind::Invalid,
            Error::NotFound { .. } => Kind::NotFound,
            Error::Conflict { .. } => Kind::Conflict,
            Error::Limited { .. } => Kind::Limited,
            Error::Unavailable { .. } | Error::Disk { .. } | Error::Catalog { .. } => {
                Kind::Unavailable
            }
            Error::Objects {
                source: object_store::Error::NotFound { .. },
                ..
            } => Kind::NotFound,
            Error::Objects { .. } => Kind::Unavailable,
            Error::Corrupt { .. } | Error::Parquet { .. } => Kind::Corrupt,
            Error::Arrow { .. } | Error::Internal(_) => Kind::Internal,
        }
    }
}
