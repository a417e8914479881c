//! `google.rpc.Status` and the details we send in it.
//!
//! One type for both transports: gRPC carries it in trailers, OTLP/HTTP as the body of every error.

pub use tonic::{Code, Status};
pub use tonic_types::{ErrorDetails, Status as StatusMessage, StatusExt};
