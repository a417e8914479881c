//! One payload through the decoder and through the oracle; shared with the fuzz target in `fuzz/`.

use crate::{
    oracle::{self, Counts, Expected, Verdict},
    rows,
    tree::Type,
};
use bytes::Bytes;
use cairn_ingest::otlp::{DECODER_VERSION, DecodeError, decode};
use cairn_storage::{
    append::Decoded,
    signal::{Encoding, Signal},
    time::Nanos,
};
use std::collections::BTreeMap;

pub(crate) const RECEIVED: i64 = 1_800_000_000_123_456_789;

pub(crate) const REQUESTS: [(Signal, Type); 3] = [
    (Signal::Logs, Type::LogsRequest),
    (Signal::Spans, Type::SpansRequest),
    (Signal::Metrics, Type::MetricsRequest),
];

pub(crate) fn decoded(signal: Signal, payload: &Bytes) -> Result<Decoded, DecodeError> {
    decode(
        signal,
        Encoding::OtlpProtobuf,
        DECODER_VERSION,
        payload,
        Nanos(RECEIVED),
    )
}

/// What the decoder made, in the oracle's words.
pub(crate) fn summary(decoded: &Decoded) -> Expected {
    let tables: BTreeMap<_, _> = decoded
        .tables
        .iter()
        .map(|(table, batch)| (table.as_str(), rows::rows(batch)))
        .collect();
    Expected {
        tables,
        rejected: decoded
            .rejected
            .iter()
            .map(|r| (r.ordinal, r.reason))
            .collect(),
        offered: u32::try_from(decoded.offered).expect("few"),
        counts: Counts {
            untimed: decoded.untimed,
            replaced_text: decoded.replaced_text,
            duplicate_keys: decoded.duplicate_keys,
            invalid_ids: decoded.invalid_ids,
        },
    }
}

/// What happened to the payloads of a run; guards the tests against testing nothing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) whole: u32,
    pub(crate) with_rejected: u32,
    pub(crate) with_repaired: u32,
    pub(crate) broken: u32,
    pub(crate) too_deep: u32,
    pub(crate) rows: usize,
}

/// Compares the decoder with the oracle on one payload.
pub(crate) fn check(signal: Signal, payload: Vec<u8>, tally: &mut Tally) {
    let payload = Bytes::from(payload);
    let ours = decoded(signal, &payload);
    if let Ok(decoded) = &ours {
        for rejected in &decoded.rejected {
            let outside = !rejected.record.is_empty()
                && !payload.as_ptr_range().contains(&rejected.record.as_ptr());
            assert!(!outside, "a rejected record is not a slice of the payload");
            assert!(!rejected.detail.is_empty());
        }
    }
    match (oracle::expect(signal, &payload, RECEIVED), ours) {
        (Verdict::TooDeepForProst, _) => tally.too_deep += 1,
        (Verdict::Broken, Err(DecodeError::Malformed { offset, .. })) => {
            assert!(offset <= payload.len());
            tally.broken += 1;
        }
        (Verdict::Request(expected), Ok(decoded)) => {
            let found = summary(&decoded);
            assert_same(&expected, &found, signal, &payload);
            tally.whole += u32::from(expected.rejected.is_empty());
            tally.with_rejected += u32::from(!expected.rejected.is_empty());
            tally.with_repaired += u32::from(expected.counts.replaced_text > 0);
            tally.rows += expected.tables.values().map(Vec::len).sum::<usize>();
        }
        (verdict, ours) => {
            panic!(
                "{signal}: expected {verdict:?}, found {ours:?}\npayload {}",
                hex(&payload)
            );
        }
    }
}

fn assert_same(expected: &Expected, found: &Expected, signal: Signal, payload: &[u8]) {
    if expected == found {
        return;
    }
    for (table, rows) in &expected.tables {
        for (i, row) in rows.iter().enumerate() {
            let other = found.tables.get(table).and_then(|rows| rows.get(i));
            assert_eq!(
                Some(row),
                other,
                "{table} row {i}, payload {}",
                hex(payload)
            );
        }
    }
    let rows = |of: &Expected| -> Vec<_> { of.tables.iter().map(|(t, r)| (*t, r.len())).collect() };
    assert_eq!(
        rows(expected),
        rows(found),
        "{signal}, payload {}",
        hex(payload)
    );
    let rest = |of: &Expected| (of.counts, of.offered, of.rejected.clone());
    assert_eq!(
        rest(expected),
        rest(found),
        "{signal}, payload {}",
        hex(payload)
    );
    panic!(
        "{signal}: expected {expected:#?}\nfound {found:#?}\npayload {}",
        hex(payload)
    );
}

fn hex(payload: &[u8]) -> String {
    oracle::hexed(payload)
}
