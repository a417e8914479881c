//! The query crate against a real store: the same answers from the buffer, from segments and from both.

mod attributes;
mod batch;
mod corrupt;
mod pruning;
mod pushdown;
mod search;
mod shop;
mod slt;
mod world;
