//! The functions, each a pure computation over rows or windows; `eval` gives them what they need.

pub(crate) mod absent;
pub(crate) mod clamp;
pub(crate) mod date;
pub(crate) mod histogram;
pub(crate) mod info;
pub(crate) mod label;
pub(crate) mod math;
pub(crate) mod quantile;
pub(crate) mod range;
pub(crate) mod sort;
pub(crate) mod window;

mod changes;
mod classic;
mod extended;
mod instant_rate;
mod natural;
mod over_time;
mod rate;
mod regression;
