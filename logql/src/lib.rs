//! LogQL, the language of Loki: text in, answers out, over log lines that the caller gives.
//!
//! The flow:
//! - `lexer`, `parser`: text -> [`ast`], checked; errors have a place.
//! - `format`: the tree -> its canonical text.
//! - `hints`: the tree -> what a store may leave unread.
//! - `pipeline`: a log query, compiled: lines in, changed lines with labels out.
//! - `evaluate`: a metric query over lines: pipelines, windows, aggregations, operators.
//! - `template`: what `line_format` and `label_format` run. `regexes`, `pattern`, `ip`, `path`, `units`: the small
//!   languages inside of the language.
//!
//! Invariants: what [`parse`] returns compiles; the canonical text of a tree is read as the same tree; no text, line or
//! template makes anything panic or grow over its limit ([`limits`]); a line that passes a pipeline satisfies the hints.
//!
//! Deliberately not here: storage, SQL, HTTP, tenants, a clock. The order and the limit of the lines of a log query, and
//! their grouping to streams, are the caller's. Of Loki's language there are no `variants`.

pub mod ast;
mod error;
mod evaluate;
mod format;
mod hints;
mod ip;
mod labels;
mod lexer;
pub mod limits;
mod parser;
mod path;
mod pattern;
mod pipeline;
mod regexes;
mod template;
mod times;
mod units;

pub use ast::Expr;
pub use error::{Error, Kind, Result};
pub use evaluate::{Answer, Evaluation, Series, Wants};
pub use format::format;
pub use hints::{Hints, Needle, hints};
pub use labels::{ERROR, ERROR_DETAILS, Labels};
pub use limits::Limits;
pub use parser::{parse, parse_log};
pub use pipeline::{Category, Entry, LabelSet, Needs, Pipeline, Processed};
pub use times::{TimeRange, Times};
