//! The one error of this crate; its kind says what the caller can do.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use parquet::errors::ParquetError;
use std::time::Duration;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The statement is wrong: change it.
    Invalid,
    /// The statement is well formed and not allowed here.
    Denied,
    /// The thing asked for does not exist.
    NotFound,
    /// A limit on what runs at the same time is reached: ask later.
    Limited,
    /// A limit on one statement is reached: ask for less.
    TooLarge,
    /// The statement did not end in time: ask for less, or for longer.
    TimedOut,
    /// A part is out of reach for now: try again later.
    Unavailable,
    /// Bytes on disk or on the object store are damaged.
    Corrupt,
    /// A bug of ours.
    Internal,
}

impl Kind {
    /// The name in answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid",
            Kind::Denied => "denied",
            Kind::NotFound => "not_found",
            Kind::Limited => "limited",
            Kind::TooLarge => "too_large",
            Kind::TimedOut => "timed_out",
            Kind::Unavailable => "unavailable",
            Kind::Corrupt => "corrupt",
            Kind::Internal => "internal",
        }
    }
}

/// A place in the text of a statement, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

/// Everything that can go wrong between a question and its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{detail}")]
    Invalid {
        detail: String,
        place: Option<Place>,
    },
    #[error("{what} is not allowed: {detail}")]
    Denied {
        what: String,
        detail: String,
        place: Option<Place>,
    },
    /// Something in one statement is larger than `limit`.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        what: String,
        limit: u64,
        place: Option<Place>,
    },
    #[error("{what} {name} does not exist")]
    NotFound { what: &'static str, name: String },
    #[error("limit reached on {what}: {detail}")]
    Limited { what: &'static str, detail: String },
    #[error("the statement ran longer than {}", Seconds(*.0))]
    TimedOut(Duration),
    #[error("reading telemetry")]
    Storage(#[from] cairn_storage::error::Error),
    #[error("planning or running the statement")]
    Engine(#[source] Box<DataFusionError>),
    /// A query in PromQL that is wrong, or asks for too much.
    #[error("{0}")]
    Promql(#[source] cairn_promql::error::Error),
    /// A query in LogQL that is wrong, or asks for too much.
    #[error("{0}")]
    Logql(#[from] cairn_logql::Error),
    #[error("{0}")]
    Internal(String),
    /// Any other error as a caller may see it, see [`Error::for_caller`].
    #[error("{detail}")]
    Reported { kind: Kind, detail: String },
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

impl Error {
    /// A statement that is wrong, without a place.
    pub fn invalid(detail: impl Into<String>) -> Error {
        Error::Invalid {
            detail: detail.into(),
            place: None,
        }
    }

    /// This error as its caller may see it. Faults of the server go to its log in full and to the caller in
    /// general words; messages about the statement pass `clean`, which takes paths out of them.
    pub fn for_caller(self, clean: impl Fn(&str) -> String) -> Error {
        let detail = match self.kind() {
            Kind::Internal => {
                tracing::error!(
                    error = &self as &dyn std::error::Error,
                    "a statement failed"
                );
                "the server has a bug; its log has the details".to_string()
            }
            Kind::Unavailable | Kind::Corrupt => {
                tracing::error!(
                    error = &self as &dyn std::error::Error,
                    "telemetry cannot be read"
                );
                clean(&self.outage())
            }
            _ => match &self {
                Error::Engine(source) => short(clean(&source.find_root().message())),
                _ => return self,
            },
        };
        Error::Reported {
            kind: self.kind(),
            detail,
        }
    }

    /// What is out of reach or damaged, by name.
    fn outage(&self) -> String {
        let external = match self {
            Error::Storage(source) => return source.to_string(),
            Error::Engine(source) => match source.find_root() {
                DataFusionError::External(source) => source.as_ref(),
                _ => return self.to_string(),
            },
            _ => return self.to_string(),
        };
        match external.downcast_ref::<cairn_storage::error::Error>() {
            Some(source) => source.to_string(),
            None => self.to_string(),
        }
    }

    /// The place in the statement, where it is known.
    pub fn place(&self) -> Option<Place> {
        match self {
            Error::Invalid { place, .. }
            | Error::Denied { place, .. }
            | Error::TooLarge { place, .. } => *place,
            _ => None,
        }
    }

    /// What the caller can do about this error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Invalid { .. } => Kind::Invalid,
            Error::Denied { .. } => Kind::Denied,
            Error::NotFound { .. } => Kind::NotFound,
            Error::Limited { .. } => Kind::Limited,
            Error::TooLarge { .. } => Kind::TooLarge,
            Error::TimedOut(_) => Kind::TimedOut,
            Error::Storage(source) => storage_kind(source),
            Error::Engine(source) => engine_kind(source),
            Error::Promql(cairn_promql::error::Error::Limit(_)) => Kind::TooLarge,
            Error::Promql(_) => Kind::Invalid,
            Error::Logql(source) => match source.kind() {
                cairn_logql::Kind::Invalid => Kind::Invalid,
                cairn_logql::Kind::Limited => Kind::TooLarge,
            },
            Error::Internal(_) => Kind::Internal,
            Error::Reported { kind, .. } => *kind,
        }
    }
}

impl From<DataFusionError> for Error {
    /// Takes our own error out of the wrapping that it got on its way through DataFusion.
    fn from(error: DataFusionError) -> Error {
        match error {
            DataFusionError::External(source) => match source.downcast::<Error>() {
                Ok(own) => *own,
                Err(source) => match source.downcast::<cairn_storage::error::Error>() {
                    Ok(own) => Error::Storage(*own),
                    Err(source) => Error::Engine(Box::new(DataFusionError::External(source))),
                },
            },
            DataFusionError::Context(_, inner)
                if matches!(*inner, DataFusionError::External(_)) =>
            {
                Error::from(*inner)
            }
            other => Error::Engine(Box::new(other)),
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> DataFusionError {
        match error {
            Error::Engine(source) => *source,
            own => DataFusionError::External(Box::new(own)),
        }
    }
}

fn storage_kind(error: &cairn_storage::error::Error) -> Kind {
    use cairn_storage::error::Kind as Storage;
    match error.kind() {
        Storage::Invalid => Kind::Invalid,
        Storage::NotFound => Kind::NotFound,
        Storage::Conflict | Storage::Unavailable => Kind::Unavailable,
        Storage::Limited => Kind::Limited,
        Storage::Corrupt => Kind::Corrupt,
        Storage::Internal => Kind::Internal,
    }
}

fn engine_kind(error: &DataFusionError) -> Kind {
    match error.find_root() {
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::Configuration(_)
        | DataFusionError::NotImplemented(_)
        // Values decide: division by zero, a cast that fails, an overflow.
        | DataFusionError::Execution(_)
        | DataFusionError::ArrowError(..) => Kind::Invalid,
        DataFusionError::ResourcesExhausted(_) => Kind::TooLarge,
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => Kind::Unavailable,
        DataFusionError::ParquetError(source) => parquet_kind(source),
        DataFusionError::External(source) => external_kind(source.as_ref()),
        DataFusionError::Internal(text) if is_of_statement(text) => Kind::Invalid,
        _ => Kind::Internal,
    }
}

/// The reader of Parquet evaluates filters, too: what goes wrong there is the statement's, and comes as an error of
/// Arrow in one of its own.
fn parquet_kind(error: &ParquetError) -> Kind {
    let ParquetError::External(source) = error else {
        return Kind::Corrupt;
    };
    match source.downcast_ref::<ArrowError>() {
        Some(ArrowError::ComputeError(_)) => Kind::Invalid,
        Some(_) => Kind::Corrupt,
        None => match external_kind(source.as_ref()) {
            Kind::Internal => Kind::Corrupt,
            kind => kind,
        },
    }
}

/// What DataFusion calls an internal error although the statement is at fault. Its words are all there is to tell it
/// by: patterns that are none or too large come from libraries that we do not depend on.
fn is_of_statement(text: &str) -> bool {
    [
        "regex parse error",
        "Regular expression did not compile",
        "Compiled regex exceeds size limit",
        "Failed to coerce types",
        "failed to match any signature",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// Longest message about a statement, in bytes: DataFusion repeats values of any size in them.
const MESSAGE_BYTES: usize = 2_048;

fn short(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message.push('…');
    }
    message
}

fn external_kind(source: &(dyn std::error::Error + Send + Sync + 'static)) -> Kind {
    if let Some(own) = source.downcast_ref::<Error>() {
        own.kind()
    } else if let Some(storage) = source.downcast_ref::<cairn_storage::error::Error>() {
        storage_kind(storage)
    } else if is_of_statement(&source.to_string()) {
        Kind::Invalid
    } else {
        Kind::Internal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_now_is_out_of_reach_and_not_damaged() {
        let of_disk = cairn_storage::error::Error::Disk {
            doing: "using the local bucket",
            path: "x.parquet".into(),
            source: std::io::Error::other("EIO"),
        };
        let parquet = ParquetError::External(Box::new(of_disk));
        let failed = DataFusionError::ParquetError(Box::new(parquet));
        assert_eq!(engine_kind(&failed), Kind::Unavailable);
        let parquet = ParquetError::General("no footer".to_string());
        let damaged = DataFusionError::ParquetError(Box::new(parquet));
        assert_eq!(engine_kind(&damaged), Kind::Corrupt);
    }
}
