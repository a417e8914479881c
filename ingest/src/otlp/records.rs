//! The bytes of single records of a request that was decoded: what dead letters keep of those refused later.

use super::{
    outline::Outline,
    wire::{BYTES, Flaw, Reader, VARINT, key, numbers},
};
use bytes::Bytes;
use cairn_storage::signal::{Encoding, Signal};

const SUM: u32 = key(7, BYTES);
const HISTOGRAM: u32 = key(9, BYTES);
const EXPONENTIAL_HISTOGRAM: u32 = key(10, BYTES);

/// The members of `Metric.data`, gauge first and summary last.
const DATA: [u32; 5] = [
    key(5, BYTES),
    SUM,
    HISTOGRAM,
    EXPONENTIAL_HISTOGRAM,
    key(11, BYTES),
];

/// The other fields of `Metric`: name, description, unit, metadata.
const DESCRIPTIVE: [u32; 4] = [key(1, BYTES), key(2, BYTES), key(3, BYTES), key(12, BYTES)];

const METRIC_FIELDS: u64 = numbers([1, 2, 3, 5, 7, 9, 10, 11, 12]);

/// The fields of the members: data points in all, temporality in three of them, monotonicity in sums.
const POINT: u32 = key(1, BYTES);
const TEMPORALITY: u32 = key(2, VARINT);
const MONOTONIC: u32 = key(3, VARINT);

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
    points(metric).unwrap_or_else(|_| vec![metric])
}

fn points(metric: &[u8]) -> Result<Vec<&[u8]>, Flaw> {
    let mut kind = None;
    let mut data = Vec::new();
    let mut unknown_fields = false;
    let mut reader = Reader::new(metric);
    while !reader.is_empty() {
        let found = reader.key()?;
        if DATA.contains(&found) {
            if kind != Some(found) {
                // Another member of the oneof replaces the one before; the same one is merged with it.
                data.clear();
                kind = Some(found);
            }
            data.push(reader.bytes()?);
        } else if DESCRIPTIVE.contains(&found) {
            reader.bytes()?;
        } else {
            unknown_fields = true;
            reader.skip(found, METRIC_FIELDS)?;
        }
    }
    if kind.is_none() && unknown_fields {
        return Ok(vec![metric]);
    }
    let known = match kind {
        Some(SUM) => numbers([1, 2, 3]),
        Some(HISTOGRAM | EXPONENTIAL_HISTOGRAM) => numbers([1, 2]),
        _ => numbers([1]),
    };
    let mut points = Vec::new();
    for message in data {
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                POINT => points.push(reader.bytes()?),
                TEMPORALITY if known != numbers([1]) => {
                    reader.varint()?;
                }
                MONOTONIC if known == numbers([1, 2, 3]) => {
                    reader.varint()?;
                }
                other => reader.skip(other, known)?,
            }
        }
    }
    Ok(points)
}
