//! Deletion by predicate: what is to be deleted (`predicate`, kept as a `tombstone`) and which rows that are.
//!
//! `field` says what a condition is held against, `matching` does it for the rows of a batch, `letters` for dead letters,
//! whose bytes nobody here can read. `purge` takes rows out of a buffered request, `prune` tells by its statistics that a
//! segment has none, `find` reads a segment and tells which rows go. Spans that go are remembered by their row ids
//! (`owners`), because their events and links may lie elsewhere.
//!
//! Text is compared as SQL's text of a value is: the same for a column, a promoted attribute and the overflow.

mod field;
pub mod find;
mod letters;
mod matching;
pub mod owners;
pub mod predicate;
mod prune;
pub mod purge;
pub mod tombstone;

#[cfg(test)]
mod tests;

pub use owners::Owners;
pub use predicate::{Condition, Field, Predicate};
pub use prune::may_hold;
pub use tombstone::Tombstone;
