//! `attributes['k']`: what it means in a statement and how it is evaluated.
//!
//! In SQL the map columns are text (canonical JSON). `attributes['k']` becomes `attr(attributes, 'k')`, which is
//! text; where a number is wanted it becomes `attr_double`, or `attr_int` beside it where a double would
//! not be exact (`wanted`). `function` evaluates them over the JSON, `promoted` over the columns that a segment
//! made of its frequent keys, and both call `cairn_storage::attributes`, so that they cannot differ.

pub mod evaluate;
pub mod function;
pub mod promoted;
pub mod wanted;
