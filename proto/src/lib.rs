//! Wire messages: what receivers answer with. OTLP requests are decoded from their bytes in `ingest`.
//!
//! - `status`: `google.rpc.Status` with its details, as gRPC and OTLP/HTTP errors carry it.
//! - `export`: the answer to an accepted OTLP request.
//! - `write_v1`, `write_v2`: Prometheus remote write, as its senders write it.
//!
//! Knows no other crate of ours.

pub mod export;
pub mod status;
pub mod write_v1;
pub mod write_v2;
