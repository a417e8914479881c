//! The decoder against prost: the same rows from the same bytes, generated and mutated, down to each record.

mod check_json;
mod compare;
mod generate;
mod json;
mod limits;
mod mutate;
mod oracle;
mod prometheus;
mod rows;
mod tree;
mod write_json;

use bytes::Bytes;
use cairn_storage::{append::Reason, signal::Signal};
use compare::{REQUESTS, Tally, check, decoded};
use generate::request;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use tree::Type;

/// Payloads of each signal: generated, mutated, and bytes at random.
const GENERATED: u64 = 8_000;
const MUTATED: u64 = 26_000;
const RANDOM: u64 = 2_000;

// What the project promises of every run of its suite.
const _: () = assert!(REQUESTS.len() as u64 * (GENERATED + MUTATED + RANDOM) >= 100_000);

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
fn check_48_55_generated_requests_become_the_rows_that_prost_reads() {
    let tally = run(GENERATED, |random, signal, _| request(random, signal));
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
fn check_39_40_mutated_requests_become_what_prost_reads_record_by_record() {
    let tally = run(MUTATED, |random, signal, of| {
        let payload = request(random, signal);
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
    let tally = run(RANDOM, |random, _, _| {
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
            let payload = request(&mut random, signal);
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
