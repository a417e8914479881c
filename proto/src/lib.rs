//! Wire messages: what receivers answer with. Requests are decoded from their bytes in `ingest`.
//!
//! - `status`: `google.rpc.Status` with its details, as gRPC and OTLP/HTTP errors carry it.
//! - `export`: the answer to an accepted OTLP request.
//! - `loki`: what clients of Loki push, for those who send it.
//! - `read`: Prometheus remote read.
//! - `write_v1`, `write_v2`: Prometheus remote write, as its senders write it.
//!
//! Knows no other crate of ours.

pub mod export;
pub mod loki;
pub mod read;
pub mod status;
pub mod write_v1;
pub mod write_v2;
