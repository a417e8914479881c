//! The bytes of single records of a request that was decoded: what dead letters keep of those refused later.

use super::{metrics::message::MetricMessage, outline::Outline};
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
    let Encoding::OtlpProtobuf = encoding else {
        return Vec::new();
    };
    let Ok(outline) = Outline::read(payload) else {
        return Vec::new();
    };
    let records = match signal {
        Signal::Logs | Signal::Spans => outline.records,
        Signal::Metrics => outline
            .records
            .iter()
            .flat_map(|metric| of_metric(metric))
            .collect(),
        Signal::DeadLetters => return Vec::new(),
    };
    let slice = |ordinal: &u32| match records.get(*ordinal as usize) {
        Some(record) if !record.is_empty() => payload.slice_ref(record),
        _ => Bytes::new(),
    };
    ordinals.iter().map(slice).collect()
}

/// The records of a metric, as `metrics` offers them: its points, or itself where they cannot be told.
fn of_metric(metric: &[u8]) -> Vec<&[u8]> {
    let mut message = MetricMessage::default();
    match message.read(metric) {
        Ok(()) if message.kind.is_some() || !message.unknown_fields => message.points,
        _ => vec![metric],
    }
}
