//! The decoder against prost: the same rows from the same bytes, generated and mutated, down to each record.

mod generate;
mod limits;
mod mutate;
mod oracle;
mod rows;
mod tree;

use bytes::Bytes;
use cairn_ingest::otlp::{DECODER_VERSION, DecodeError, decode};
use cairn_storage::{
    append::{Decoded, Reason},
    signal::{Encoding, Signal},
    time::Nanos,
};
use generate::Generator;
use oracle::{Counts, Expected, Verdict};
use prost::Message;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use tree::Type;

const RECEIVED: i64 = 1_800_000_000_123_456_789;

const REQUESTS: [(Signal, Type); 3] = [
    (Signal::Logs, Type::LogsRequest),
    (Signal::Spans, Type::SpansRequest),
    (Signal::Metrics, Type::MetricsRequest),
];

fn decoded(signal: Signal, payload: &Bytes) -> Result<Decoded, DecodeError> {
    decode(
        signal,
        Encoding::OtlpProtobuf,
        DECODER_VERSION,
        payload,
        Nanos(RECEIVED),
    )
}

fn generated(random: &mut StdRng, signal: Signal) -> Vec<u8> {
    let mut generator = Generator { random };
    match signal {
        Signal::Logs => generator.logs().encode_to_vec(),
        Signal::Spans => generator.spans().encode_to_vec(),
        _ => generator.metrics().encode_to_vec(),
    }
}

/// What the decoder made, in the oracle's words.
fn summary(decoded: &Decoded) -> Expected {
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
struct Tally {
    whole: u32,
    with_rejected: u32,
    with_repaired: u32,
    broken: u32,
    too_deep: u32,
    rows: usize,
}

/// Compares the decoder with the oracle on one payload.
fn check(signal: Signal, payload: Vec<u8>, tally: &mut Tally) {
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

/// Runs `rounds` seeded payloads of each signal.
fn run(rounds: u64, payload: impl Fn(&mut StdRng, Signal, Type) -> Vec<u8>) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..rounds {
        for (signal, of) in REQUESTS {
            let mut random = StdRng::seed_from_u64(seed);
            let payload = payload(&mut random, signal, of);
            check(signal, payload, &mut tally);
        }
    }
    tally
}

#[test]
fn generated_requests_become_the_rows_that_prost_reads() {
    let tally = run(8_000, |random, signal, _| generated(random, signal));
    assert_eq!(
        (tally.broken, tally.too_deep, tally.with_repaired),
        (0, 0, 0)
    );
    assert!(
        tally.rows > 50_000 && tally.with_rejected > 500,
        "{tally:?}"
    );
}

#[test]
fn mutated_requests_become_what_prost_reads_record_by_record() {
    let tally = run(26_000, |random, signal, of| {
        let payload = generated(random, signal);
        mutate::mutate(random, of, &payload)
    });
    assert!(
        tally.whole > 5_000 && tally.with_rejected > 1_000,
        "{tally:?}"
    );
    assert!(tally.broken > 500 && tally.with_repaired > 500, "{tally:?}");
    assert!(tally.too_deep * 100 < tally.whole, "{tally:?}");
}

#[test]
fn bytes_at_random_never_panic() {
    let tally = run(2_000, |random, _, _| {
        let length = random.random_range(0..200);
        // Bytes that mean something: keys of known fields, short lengths.
        (0..length)
            .map(|_| {
                [0x0a, 0x12, 0x1a, 0x02, 0x00, 0x08, random.random()][random.random_range(0..7)]
            })
            .collect()
    });
    assert!(tally.broken > 1_000, "{tally:?}");
}

#[test]
fn every_reason_of_the_oracle_was_met() {
    let mut reasons = BTreeMap::new();
    for seed in 0..3_000 {
        for (signal, of) in REQUESTS {
            let mut random = StdRng::seed_from_u64(seed);
            let payload = generated(&mut random, signal);
            let payload = Bytes::from(mutate::mutate(&mut random, of, &payload));
            for rejected in decoded(signal, &payload)
                .map(|d| d.rejected)
                .unwrap_or_default()
            {
                *reasons.entry((signal, rejected.reason)).or_insert(0) += 1;
            }
        }
    }
    for (signal, _) in REQUESTS {
        for reason in [Reason::Malformed, Reason::TimeOutOfRange] {
            assert!(
                reasons.get(&(signal, reason)).is_some_and(|n| *n > 20),
                "{signal} {reason:?}"
            );
        }
    }
    assert!(
        reasons
            .get(&(Signal::Metrics, Reason::Incomplete))
            .is_some_and(|n| *n > 20)
    );
}
