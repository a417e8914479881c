//! SQL, PromQL, log search, trace and APM questions over snapshots of the store.
//!
//! This crate knows no wire format and no ingest. DataFusion is used here and nowhere else.
//!
//! The way of a question, file by file:
//! - `engine`: the one door; statement in, rows and completeness out;
//! - `sql`: what a statement may say, planning and running it within limits;
//! - `session`: one DataFusion session for one request of one tenant, with that tenant's tables and our rules;
//! - `attributes`, `ids`, `functions`: what SQL text means here (`attributes['k']`, hex ids, time buckets);
//! - `tables`: the tables, their columns and the `metrics` view;
//! - `prune`: which segments a filter cannot match, from the catalog's statistics alone;
//! - `scan`: the remaining segments and the buffered rows as one physical plan;
//! - `condense`, over `codes`: batches that repeat themselves, on their way to an aggregation;
//! - `promql`: the stored series as PromQL sees them, `logql`: the log records as LogQL does, `translate`: their names;
//! - `batches`: what these two share;
//! - `patterns`: templates mined from texts;
//! - `completeness`: what an answer is based on;
//! - `format`: answers as JSON, NDJSON, Arrow and CSV; rows as Parquet;
//! - `search`: the language of the log search, as a condition in SQL.
//!
//! Invariants:
//! - all tables of a signal see one snapshot within one session;
//! - an attribute has the same value, to the byte, from the buffer, a promoted column or the overflow;
//! - a predicate that the scan takes over is evaluated for every row (`scan::adapt` says how that is kept);
//! - a segment of another tenant is never opened, whatever the catalog says.
//!
//! Deliberately not here: HTTP, authentication, writing of any kind.

pub mod attributes;
mod batches;
mod codes;
mod columns;
pub mod completeness;
mod condense;
pub mod config;
pub mod dialect;
pub mod engine;
pub mod error;
pub mod format;
pub mod functions;
pub mod ids;
pub mod logql;
mod operators;
pub mod patterns;
pub mod promql;
mod prune;
mod scan;
mod scope;
pub mod search;
pub mod session;
pub mod sql;
pub mod tables;
pub mod telemetry;
mod translate;
mod workplace;

#[cfg(test)]
mod testing;
