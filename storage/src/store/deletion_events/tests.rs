//! Deletions in, bodies of events out.

use super::*;
use crate::{
    deletion::Owners,
    id::TombstoneId,
    signal::{Signal, Table},
};
use std::collections::BTreeMap;
use ulid::Ulid;

/// Each kind, and bodies of it.
const BODIES: [(&str, &str); 2] = [
    (
        DELETION_ACCEPTED,
        include_str!("../../../../proto/cairn/v1/bodies/cairn.deletion.accepted.v1.ndjson"),
    ),
    (
        DELETION_COMPLETED,
        include_str!("../../../../proto/cairn/v1/bodies/cairn.deletion.completed.v1.ndjson"),
    ),
];

fn tombstone(id: u128, signal: Signal, numbers: (u64, i64), rows: &[u64]) -> Tombstone {
    let tables = signal.tables().iter().copied();
    let deleted: BTreeMap<Table, u64> = tables.zip(rows.iter().copied()).collect();
    Tombstone {
        id: TombstoneId(Ulid(id)),
        tenant: "shop".parse().expect("a tenant"),
        signal,
        sequence: numbers.0,
        accepted: Nanos(numbers.1),
        requested_by: "data \"protection\" é".to_string(),
        completed: None,
        predicate: None,
        predicate_sha256: "0f".repeat(32),
        owners: Owners::default(),
        deleted,
        left: Vec::new(),
    }
}

#[test]
fn bodies_are_as_the_contract_has_them() {
    let accepted = 1_767_222_000_000_000_001;
    let tombstones = [
        tombstone(0, Signal::Logs, (7, accepted), &[4096]),
        tombstone(
            u128::MAX,
            Signal::Spans,
            (u64::MAX, i64::MAX),
            &[1, u64::MAX - 3, 2],
        ),
        tombstone(1, Signal::Metrics, (0, i64::MIN), &[]),
        tombstone(2, Signal::DeadLetters, (1, 0), &[1]),
    ];
    for (kind, bodies) in BODIES {
        let written = tombstones.each_ref().map(|t| event(kind, t, Nanos(5)));
        assert!(written.iter().all(|event| event.kind == kind));
        let written: Vec<&str> = written.iter().map(|event| event.body.as_str()).collect();
        assert_eq!(written, bodies.lines().collect::<Vec<_>>(), "{kind}");
    }
}
