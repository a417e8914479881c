//! The evaluation of a tree.
//!
//! `evaluate.rs` recurses over the tree and gives each node's computation its inputs; all else here is a leaf.

mod context;
mod evaluate;
mod interpolate;
mod invariant;
mod range;
mod select;
mod statistics;
mod subquery;

pub(crate) use context::Context;
pub use context::Limits;
pub(crate) use evaluate::{matrix, rows, scalar};
pub(crate) use statistics::mark as mark_statistics;
