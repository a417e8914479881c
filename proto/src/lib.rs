//! Wire messages: what receivers answer with. OTLP requests are decoded from their bytes in `ingest`.
//!
//! - `status`: `google.rpc.Status` with its details, as gRPC and OTLP/HTTP errors carry it.
//! - `export`: the answer to an accepted OTLP request.
//!
//! Knows no other crate of ours.

pub mod export;
pub mod status;
