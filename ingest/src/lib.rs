//! Requests in, rows appended, an honest answer out. This crate knows no query.
//!
//! The flow, in the order of a request:
//! - `receiver/{http,grpc}`: head of a request -> principal and signal, before a byte of the body is read.
//! - `receiver/{wire,payload,compression}`: body -> the request's bytes, decompressed, within limits.
//! - `receiver/{loki,elasticsearch,lines,syslog}`: the same for logs that are no OTLP.
//! - `pipeline`: decode, admit, append.
//! - `dialect`: logs that are no OTLP -> the request that they would be.
//! - `decode`: bytes -> rows and rejected records, by encoding: `otlp`, `prometheus`; `lines` turns text into the latter.
//! - `admit`: rows -> those within the limits on records, and refusals.
//! - `scrape`: what targets expose, asked for as Prometheus does -> requests of ours, through the same pipeline.
//! - `replay`: dead letters -> rows, through the same pipeline, when their cause is mended.
//! - `reply`: outcome or error -> what the client is told; the only place with codes of HTTP and gRPC.
//!
//! Invariants: nobody unknown makes the server read or decompress a body. No size that a client declares
//! is believed: memory is reserved as bytes arrive. A request that got its OK is durable. Every record
//! offered is stored, or counted in the answer with a reason.
//!
//! Deliberately not here: sockets and TLS (the binary's), what became of records (storage's ledger).

pub mod config;
pub mod error;
pub mod telemetry;

pub mod receiver;
pub mod scrape;

pub mod replay;

pub mod pipeline;

mod snappy;

pub mod admit;
pub mod decode;
pub mod lines;
pub mod prometheus;

pub mod dialect;
pub mod otlp;
pub mod reply;
