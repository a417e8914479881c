//! A request's bytes -> rows and rejected records, by the encoding: here, and when the store replays its log.

use crate::{
    otlp::{self, DecodeError},
    prometheus::{self, Families},
};
use bytes::Bytes;
use cairn_storage::{
    append::{Decode, Decoded, Record},
    signal::{Encoding, Signal},
    time::Nanos,
};

/// Decodes a request of `signal`, received at `received`, into rows and rejected records; `known` describes series of
/// Prometheus as far as the request does not.
///
/// An error means that no record of the request can be told from another; nothing is stored then.
pub fn decode(
    (signal, encoding, version): (Signal, Encoding, u16),
    payload: &Bytes,
    received: Nanos,
    known: &Families,
) -> Result<Decoded, DecodeError> {
    let is_prometheus = prometheus::takes(encoding);
    if !is_prometheus {
        return otlp::decode(signal, encoding, version, payload, received);
    }
    if version != otlp::DECODER_VERSION {
        return Err(DecodeError::Version {
            version,
            known: otlp::DECODER_VERSION,
        });
    }
    match signal {
        Signal::Metrics => prometheus::decode(encoding, payload, received, known),
        Signal::Logs | Signal::Spans | Signal::DeadLetters => Err(DecodeError::Signal { signal }),
    }
}

/// The records with these ordinals, in the order asked for; nothing for a request that cannot be decoded.
pub fn records(
    signal: Signal,
    encoding: Encoding,
    payload: &Bytes,
    ordinals: &[u32],
) -> Vec<Record> {
    if prometheus::takes(encoding) {
        return prometheus::records(encoding, payload, ordinals);
    }
    otlp::records(signal, encoding, payload, ordinals)
}

/// [`decode`] for the store, which decodes anew at replay.
#[derive(Debug, Clone, Default)]
pub struct FrameDecode;

impl Decode for FrameDecode {
    fn decode(
        &self,
        signal: Signal,
        encoding: Encoding,
        version: u16,
        payload: &Bytes,
        received: Nanos,
    ) -> Result<Decoded, String> {
        let of = (signal, encoding, version);
        decode(of, payload, received, &Families::default()).map_err(|error| error.to_string())
    }

    fn records(
        &self,
        signal: Signal,
        encoding: Encoding,
        payload: &Bytes,
        ordinals: &[u32],
    ) -> Vec<Record> {
        records(signal, encoding, payload, ordinals)
    }
}
