//! PromQL of Prometheus 3: parse, check, print and evaluate, over series that a [`source::Source`] gives.
//!
//! The flow: `lex.rs` cuts a text into tokens, `parse.rs` makes a tree of them, `check.rs` holds its types, `query.rs`
//! computes it. An evaluation is vectorised over steps and streams over series: a selector yields one row a series (its
//! samples at all steps), functions map rows, aggregations fold them, and only binary operators hold a side.
//!
//! Invariants: parsing and evaluating never panic; what an input can make large has a limit; times are milliseconds
//! since 1970.
//!
//! Deliberately not here: storage, SQL, HTTP. A caller implements [`source::Source`].

pub mod error;
pub mod expr;
pub mod format;
pub mod histogram;
pub mod json;
pub mod labels;
pub mod matcher;
pub mod parse;
pub mod query;
pub mod script;
pub mod signature;
pub mod source;

pub use eval::Limits;

mod aggregate;
mod annotations;
mod binary;
mod check;
mod eval;
mod functions;
mod lex;
mod row;
mod summation;
mod timing;
