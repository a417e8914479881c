//! Why a query has no answer.

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no PromQL. `offset` is in bytes.
    #[error("{line}:{column}: parse error: {message}")]
    Parse {
        line: usize,
        column: usize,
        message: String,
    },
    #[error("the regular expression {pattern:?} cannot be used")]
    Pattern {
        pattern: String,
        #[source]
        source: Box<regex::Error>,
    },
    /// The query is PromQL that cannot be asked for in this way: of points over steps, of lengths of time that are none.
    #[error("{0}")]
    Unfit(String),
    /// The query is PromQL and has no answer over this data.
    #[error("{0}")]
    Evaluation(String),
    /// A limit that keeps the process alive.
    #[error("{0}")]
    Limit(String),
    /// The source gave up.
    #[error("the series cannot be read")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
}
