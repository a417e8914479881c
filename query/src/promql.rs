//! PromQL over the stored series.
//!
//! `metric` says which Prometheus series a stored series becomes, and `identity` what labels they have. `catalog` reads
//! the series that a selector may mean, `points` their points in passes that fit in memory, `distributions`, `collected` and
//! `hints` put them together, and `source` is all that as what `cairn_promql` evaluates over. `evaluate` runs on a lane, like a
//! statement; `questions` are about the series themselves.

mod catalog;
mod collected;
mod distributions;
pub(crate) mod evaluate;
mod hints;
mod identity;
mod metric;
mod points;
pub mod questions;
mod source;

pub use evaluate::PromqlRequest;
