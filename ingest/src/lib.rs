//! Requests in, rows appended, an honest answer out. This crate knows no query.

pub mod otlp;
