//! The one error of this crate; its kind says what the caller can do.

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The query is wrong: change it.
    Invalid,
    /// A limit is reached: ask for less.
    Limited,
}

/// Everything that can go wrong here. Lines that cannot be read are no errors: they get the label `__error__`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not LogQL; `line` and `column` count from 1, in characters.
    #[error("parse error at line {line}, col {column}: {detail}")]
    Syntax {
        line: u32,
        column: u32,
        detail: String,
    },
    /// The text is LogQL and cannot be evaluated as it is.
    #[error("invalid query: {detail}")]
    Invalid { detail: String },
    /// A metric query met a line that one of its stages could not read.
    #[error(
        "pipeline error: '{error}' for series: '{labels}': {details}; \
         use a label filter to skip this error on purpose, like | __error__=\"\", or to keep it, like | __error__!=\"\""
    )]
    Pipeline {
        error: String,
        details: String,
        labels: String,
    },
    /// More than the limit that `what` names.
    #[error("limit reached on {what}: more than {limit}; {advice}")]
    Limit {
        what: &'static str,
        limit: u64,
        advice: &'static str,
    },
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the caller can do about this error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Syntax { .. } | Error::Invalid { .. } | Error::Pipeline { .. } => Kind::Invalid,
            Error::Limit { .. } => Kind::Limited,
        }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Error {
        Error::Invalid {
            detail: detail.into(),
        }
    }
}
