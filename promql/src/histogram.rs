//! Native histograms as an evaluation computes with them: float counts, exponential or custom buckets.
//!
//! Every operation follows the native histograms of Prometheus 3 (<https://prometheus.io/docs/specs/native_histograms/>).

mod accumulator;
mod arithmetic;
mod bounds;
mod bucket;
mod display;
mod layout;
mod model;
mod notation;
mod number;
mod powers;
mod precise;
mod reset;
mod statistics;
mod trim;

pub use accumulator::Accumulator;
pub use arithmetic::{Combined, MixedSchemas};
pub use bounds::{CUSTOM_SCHEMA, MAX_SCHEMA, MIN_SCHEMA};
pub use bucket::Bucket;
pub use layout::Buckets;
pub use model::{Histogram, ResetHint};
pub use notation::{Noted, parse_notation};
pub use number::shortest;
pub use reset::detect_hints;
pub use statistics::{Fraction, NanEffect, Quantile};
pub use trim::Trim;

#[cfg(test)]
mod tests;
