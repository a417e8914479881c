//! OTLP requests to rows: one pass over the protobuf bytes straight into Arrow columns.

mod error;

pub use error::DecodeError;

use bytes::Bytes;
use cairn_storage::{
    append::{Decode, Decoded},
    signal::{Encoding, Signal},
    time::Nanos,
};

/// The version of this decoder, kept in every frame of the write-ahead log.
pub const DECODER_VERSION: u16 = 1;

/// Decodes a request of `signal`, received at `received`, into rows and rejected records.
pub fn decode(
    signal: Signal,
    encoding: Encoding,
    version: u16,
    payload: &Bytes,
    received: Nanos,
) -> Result<Decoded, DecodeError> {
    let _ = (signal, payload, received);
    if version != DECODER_VERSION {
        return Err(DecodeError::Version {
            version,
            known: DECODER_VERSION,
        });
    }
    Err(DecodeError::Encoding { encoding })
}

/// [`decode`] for the store, which decodes anew at replay.
#[derive(Debug, Clone, Default)]
pub struct OtlpDecode;

impl Decode for OtlpDecode {
    fn decode(
        &self,
        signal: Signal,
        encoding: Encoding,
        version: u16,
        payload: &Bytes,
        received: Nanos,
    ) -> Result<Decoded, String> {
        decode(signal, encoding, version, payload, received).map_err(|e| e.to_string())
    }
}
