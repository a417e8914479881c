//! LogQL over the stored log records.
//!
//! `streams` says what labels a record's stream has, `lower` what of a selector and its line filters a scan can do itself,
//! and `records` reads what the scan leaves, in the order of time. `evaluate` takes a `request` from its text to its answer on a
//! lane: `lines` answers a log query, `samples` a metric query. `questions` are about the streams themselves, `fields` about
//! what lines have in them.

pub(crate) mod evaluate;
pub mod fields;
mod lines;
mod lower;
pub mod questions;
mod records;
mod request;
mod samples;
mod streams;

pub use evaluate::LogqlAnswer;
pub use lines::Line;
pub use request::{Direction, LogqlRequest};
