//! What our SQL has beyond the standard: map columns with keys, short names for them, ids as hexadecimal text.
//!
//! `text` works on the parsed statement, `planner` while it is planned and analysed.

mod planner;
mod text;

pub use planner::{Analyze, Dialect};
pub use text::normalize;
