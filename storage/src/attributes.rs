//! Attribute maps as canonical JSON: the one form that decoders write, segments keep and SQL reads.
//!
//! An object with unique keys (the last one wins) in the order of their UTF-8 bytes, without white space. Strings escape only
//! `"`, `\` and control characters; integers are digits; finite doubles are the shortest text that always has a `.` or an
//! `e`; what JSON cannot say is tagged (`$double`, `$bytes`), and nested keys that begin with `$` get one more. The
//! page `docs/formats/attributes.md` is the specification. Every conversion between a value and SQL's text, number or
//! integer lives in `convert`, so that buffer, promoted column and overflow agree to the byte.

pub mod convert;
pub mod decode;
pub mod encode;
pub mod kind;
pub mod merge;

mod tagged;

#[cfg(test)]
mod tests;
