//! Tenants' rows: write-ahead log, buffers, Parquet segments on an object store, catalog.
//!
//! This crate knows no wire format, no SQL text and no HTTP.

pub mod append;
pub mod attributes;
pub mod budget;
pub mod buffered;
pub mod catalog;
pub mod config;
pub mod conformance;
pub mod deletion;
pub mod error;
pub mod id;
pub mod objects;
pub mod refuse;
pub mod schema;
pub mod segment;
pub mod signal;
pub mod simulate;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod time;
pub mod wal;
pub mod world;
