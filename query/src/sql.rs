//! SQL text of a tenant -> a checked plan -> rows, within limits of time, memory and size.
//!
//! In the order of a statement's life: `guard` (with `tokens`, `expansion`) bounds the text and its syntax tree,
//! `parameters` fills in values, the session plans, `nesting` bounds what optimizing takes, `plan` (with `allow`) holds the
//! plan against the allow-list, `width` bounds what it can compute, `cooperate` makes it yield and stop, `run` sends
//! its rows as `answer` says. All of that happens on a thread of `lanes` and takes memory from `memory`; `pressure`
//! stops what takes memory that it did not ask for. `describe` knows what there is to ask,
//! `expression` keeps a condition within the statement that it is put into, `place` and `missing` know where in the text an error is, `scrub` keeps paths in.

mod allow;
pub mod answer;
mod cooperate;
pub(crate) mod describe;
mod expansion;
pub mod expression;
mod guard;
pub(crate) mod lanes;
mod limits;
pub(crate) mod memory;
mod missing;
mod nesting;
mod parameters;
mod place;
mod plan;
pub(crate) mod pressure;
pub(crate) mod run;
pub(crate) mod scrub;
mod size;
mod tokens;
mod width;

pub use describe::sql_type;
