//! OTLP requests to rows: one walk over the protobuf bytes, straight into Arrow columns.
//!
//! The flow: [`decode`] - `outline` finds resources, scopes and records - `walk` reads resource and scope once a
//! group - `logs`, `spans`, `metrics` read records - `attributes` and `value` write canonical JSON - `rows` and
//! `columns` become batches. `wire` reads bytes; `tally` counts what does not become a row. `json` makes such bytes of
//! OTLP/JSON before.
//!
//! Held everywhere:
//! - A record is stored whole or rejected whole, with a reason; a rejected one takes no other with it.
//! - Nothing recurses, and nothing is allocated by a length that the sender declared.
//! - Unknown fields are skipped, unknown enum numbers kept; fields come in any order and may be repeated, as
//!   protobuf's merging says. A known field of another wire type is malformed, as it is to prost.
//! - Text is read unchecked first and the finished columns are checked as a whole. Only a request that fails this is
//!   read again, every text by itself, U+FFFD in place of what is not UTF-8.
//!
//! Not here: limits of tenants (`admit`), transport and compression (`receiver`).

mod attributes;
pub mod columns;
mod entities;
mod error;
pub mod json;
mod logs;
pub(crate) mod metrics;
mod outline;
mod records;
mod replay;
pub mod rows;
mod spans;
pub(crate) mod tally;
mod value;
mod walk;
pub(crate) mod wire;

pub use error::DecodeError;
pub use records::records;
pub(crate) use records::request;
pub(crate) use replay::Offer;
pub(crate) use tally::MAX_ROWS;
pub(crate) use value::MAX_DEPTH;

use self::{
    columns::Unfit,
    tally::Care,
    walk::{Failure, Walk},
};
use bytes::Bytes;
use cairn_storage::{
    append::Decoded,
    signal::{Encoding, Signal},
    time::Nanos,
};

/// The version of this decoder, kept in every frame of the write-ahead log.
///
/// It goes up when the same bytes make other rows; old versions then stay, so that a frame replays as it was
/// acknowledged.
pub const DECODER_VERSION: u16 = 1;

/// Decodes a request of `signal` (`ExportLogsServiceRequest` and its like), received at `received`, into rows
/// and rejected records.
///
/// An error means that no record of the request can be told from another; nothing is stored then.
pub fn decode(
    signal: Signal,
    encoding: Encoding,
    version: u16,
    payload: &Bytes,
    received: Nanos,
) -> Result<Decoded, DecodeError> {
    if version != DECODER_VERSION {
        return Err(DecodeError::Version {
            version,
            known: DECODER_VERSION,
        });
    }
    match encoding {
        Encoding::OtlpProtobuf => decode_protobuf(signal, payload, received),
        Encoding::OtlpJson
        | Encoding::PrometheusV1
        | Encoding::PrometheusV2
        | Encoding::Samples => Err(DecodeError::Encoding { encoding }),
        Encoding::Replay => {
            let offer = Offer::read(payload)?;
            let mut decoded = decode_protobuf(signal, &offer.request, offer.received)?;
            decoded.replayed = offer.letters;
            Ok(decoded)
        }
    }
}

fn decode_protobuf(
    signal: Signal,
    payload: &Bytes,
    received: Nanos,
) -> Result<Decoded, DecodeError> {
    let decoded = match decode_with(signal, payload, received, Care::Unchecked) {
        Err(Failure::Columns(Unfit::Text)) => decode_with(signal, payload, received, Care::Repair),
        done => done,
    };
    let mut decoded = decoded.map_err(into_error)?;
    records::envelop(signal, payload, &mut decoded);
    Ok(decoded)
}

fn decode_with(
    signal: Signal,
    payload: &Bytes,
    received: Nanos,
    care: Care,
) -> Result<Decoded, Failure> {
    let walk = Walk::new(payload, received, care)?;
    match signal {
        Signal::Logs => logs::decode(walk),
        Signal::Spans => spans::decode(walk),
        Signal::Metrics => metrics::decode(walk),
        Signal::DeadLetters => Err(DecodeError::Signal { signal }.into()),
    }
}

fn into_error(failure: Failure) -> DecodeError {
    match failure {
        Failure::Request(error) => error,
        Failure::Columns(unfit) => DecodeError::Internal {
            detail: format!("{unfit:?}"),
        },
    }
}
