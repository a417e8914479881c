//! PromQL over the stored series.
//!
//! `metric` says which Prometheus series a stored series becomes, and `identity` what labels they have. `catalog` reads
//! the series that a selector may mean (`described` from batches, `remembered` from query to query), `points` their points in passes that fit in memory, `distributions`, `collected` and
//! `hints` put them together, and `source` is all that as what `cairn_promql` evaluates over. `evaluate` runs on a lane, like a
//! statement; `questions` are about the series themselves.

mod catalog;
mod collected;
mod described;
mod distributions;
pub(crate) mod evaluate;
mod hints;
mod identity;
mod metric;
mod points;
pub mod questions;
pub(crate) mod remembered;
mod selected;
mod source;

pub use evaluate::PromqlRequest;
