//! LogQL.

pub mod ast;
pub mod error;
mod format;
mod ip;
pub mod labels;
mod lexer;
pub mod limits;
mod parser;
mod path;
mod pattern;
mod regexes;
mod template;
mod units;

pub use format::format;
pub use parser::{parse, parse_log};
