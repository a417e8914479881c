//! The bytes of single records of a request that was decoded: what dead letters keep of those refused later.

use super::outline::Outline;
use bytes::Bytes;
use cairn_storage::signal::{Encoding, Signal};

/// The bytes of the records with these ordinals, slices of `payload`, in the order asked for.
///
/// Nothing for a request that cannot be decoded, or of an encoding whose records do not stand apart.
pub fn records(
    signal: Signal,
    encoding: Encoding,
    payload: &Bytes,
    ordinals: &[u32],
) -> Vec<Bytes> {
    let Encoding::OtlpProtobuf = encoding else { return Vec::new() };
    let Ok(outline) = Outline::read(payload) else { return Vec::new() };
    let records = match signal {
        Signal::Logs | Signal::Spans => outline.records,
        Signal::Metrics | Signal::DeadLetters => return Vec::new(),
    };
    let slice = |ordinal: &u32| {
        let record = records.get(*ordinal as usize).copied().unwrap_or_default();
        if record.is_empty() { Bytes::new() } else { payload.slice_ref(record) }
    };
    ordinals.iter().map(slice).collect()
}
