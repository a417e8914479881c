//! Prometheus remote write requests to rows: one walk over the protobuf bytes, straight into Arrow columns.
//!
//! Sources: Prometheus Remote-Write 1.0 and 2.0, `prompb/types.proto`, `prompb/io/prometheus/write/v2/types.proto`.
//!
//! The flow: `outline` finds series, symbols and metadata - `series` reads the parts of one series - `labels` checks and
//! writes its labels - `points` and `histogram` read its points - `tables` become batches. `family` keeps what metadata
//! says about series; `samples` writes requests for formats that are lines of text.
//!
//! Held everywhere:
//! - A record is a sample, a histogram or an exemplar. It is stored whole or rejected whole, with a reason.
//! - Names and labels are verbatim; the resource is empty; `prometheus.type` in `metadata` marks such series.
//! - The identity of a series is its labels and the form of its points, whatever metadata says.
//! - Nothing is allocated by a length that the sender declared.

mod family;
mod fault;
mod histogram;
mod identity;
mod labels;
mod ledger;
mod outline;
mod points;
pub(crate) mod samples;
mod series;
mod tables;

pub(crate) use family::Family;
pub use family::{Families, KnownFamilies, MetricType};
pub(crate) use points::STALE_NAN_BITS;

use crate::otlp::DecodeError;
use bytes::Bytes;
use cairn_storage::{
    append::{Decoded, Record},
    signal::Encoding,
    time::Nanos,
};
use outline::Outline;
use series::Walk;

/// Whether requests in `encoding` are decoded here.
pub fn takes(encoding: Encoding) -> bool {
    outline::Form::of(encoding).is_some()
}

/// Decodes a request, received at `received`, into rows and rejected records; `known` describes series as far as the
/// request does not.
///
/// An error means that no record of the request can be told from another; nothing is stored then.
pub fn decode(
    encoding: Encoding,
    payload: &Bytes,
    received: Nanos,
    known: &Families,
) -> Result<Decoded, DecodeError> {
    let outline = Outline::read(encoding, payload)?;
    let own = outline.families(payload)?;
    let mut walk = Walk::new(&outline, payload, received, [&own, known]);
    for message in &outline.series {
        walk.series(message)?;
    }
    walk.finish()
}

/// What the metadata of a request says, apart from its series; of requests in other encodings nothing.
pub fn families(encoding: Encoding, payload: &Bytes) -> Result<Families, DecodeError> {
    if encoding != Encoding::PrometheusV1 {
        return Ok(Families::default());
    }
    Outline::read(encoding, payload)?.families(payload)
}

/// The records with these ordinals, in the order asked for; their bytes are slices of `payload`. Without what they stood
/// in, since a record of such a request makes no request by itself.
pub fn records(encoding: Encoding, payload: &Bytes, ordinals: &[u32]) -> Vec<Record> {
    let Ok(outline) = Outline::read(encoding, payload) else {
        return Vec::new();
    };
    let places = series::places(&outline);
    let record = |ordinal: &u32| Record {
        bytes: match places.get(*ordinal as usize) {
            Some(bytes) if !bytes.is_empty() => payload.slice_ref(bytes),
            _ => Bytes::new(),
        },
        envelope: None,
    };
    ordinals.iter().map(record).collect()
}

#[cfg(test)]
mod tests;
