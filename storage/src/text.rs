//! Words of text, the tokens by which an index knows them, and what a pattern demands of the text that it matches.
//!
//! `words` cuts text into words; `token` says what an index keeps of them; `demand` joins tokens by and and or; `pattern`
//! and `regex` find the tokens that every text that matches must have. What none can be found for demands nothing, and is
//! searched by reading. Tokens are folded, so a demand holds for matches with and without regard to case. The page
//! `docs/formats/index.md` is the specification.

pub mod demand;
pub mod pattern;
pub mod regex;
pub mod token;
pub mod words;
