//! LogQL over the stored log records.
//!
//! `streams` says what labels a record's stream has, `lower` what of a selector and its line filters a scan can do itself,
//! and `records` reads what the scan leaves, in the order of time.

mod lower;
mod records;
mod streams;
