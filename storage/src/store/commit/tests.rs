//! The bodies of integration events are those that `proto/cairn/v1` promises, whose tests read the same files.

use super::*;
use crate::{
    id::SegmentId,
    segment::{FileMeta, ObjectMeta},
    signal::Table,
    store::SEGMENT_EXPIRED,
    time::TimeRange,
};
use serde_json::Value;
use ulid::Ulid;

/// Each kind, and bodies of it.
const BODIES: [(&str, &str); 2] = [
    (
        SEGMENT_COMMITTED,
        include_str!("../../../../proto/cairn/v1/bodies/cairn.segment.committed.v1.ndjson"),
    ),
    (
        SEGMENT_EXPIRED,
        include_str!("../../../../proto/cairn/v1/bodies/cairn.segment.expired.v1.ndjson"),
    ),
];

/// A segment with one object of each of `sizes`.
fn segment(id: &str, signal: Signal, time: (i64, i64), rows: u64, sizes: &[u64]) -> SegmentMeta {
    let object = |size_bytes: &u64| ObjectMeta {
        table: Table::Logs,
        file: FileMeta {
            path: "somewhere".to_string(),
            size_bytes: *size_bytes,
            checksum: 0,
        },
        footer_bytes: 0,
        rows,
        columns: Vec::new(),
        promoted: Vec::new(),
        overflow_keys: None,
    };
    SegmentMeta {
        id: SegmentId(Ulid::from_string(id).expect("a ULID")),
        format_version: 1,
        tenant: "shop".parse().expect("a tenant"),
        signal,
        level: 0,
        time: TimeRange {
            min: Nanos(time.0),
            max: Nanos(time.1),
        },
        rows,
        objects: sizes.iter().map(object).collect(),
        index: None,
        wal: Vec::new(),
        replaces: Vec::new(),
        siblings: Vec::new(),
    }
}

#[test]
fn bodies_are_as_the_contract_has_them() {
    let hour = (1_767_222_000_000_000_001, 1_767_225_599_999_999_999);
    let first = "01kdvdnpjg0000000000000001";
    let second = "01kdvdnpjg0000000000000002";
    let (lowest, highest) = (Ulid(0).to_string(), Ulid(u128::MAX).to_string());
    let all_time = (i64::MIN, i64::MAX);
    let segments = [
        segment(first, Signal::Logs, hour, 4096, &[80_000, 123]),
        SegmentMeta {
            level: u32::MAX,
            ..segment(&highest, Signal::Metrics, all_time, u64::MAX, &[u64::MAX])
        },
        SegmentMeta {
            level: 1,
            ..segment(&lowest, Signal::Spans, (0, 0), 1, &[1])
        },
        segment(second, Signal::DeadLetters, (-2, -1), 0, &[]),
    ];
    let signals: BTreeSet<Signal> = segments.iter().map(|meta| meta.signal).collect();
    assert_eq!(signals, BTreeSet::from(Signal::ALL), "a body of each");
    let read = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    for (kind, promised) in BODIES {
        let events = segments.iter().map(|meta| event(kind, meta, Nanos(0)));
        let events: Vec<Event> = events.collect();
        for event in &events {
            assert_eq!(
                (event.kind.as_str(), event.tenant.to_string().as_str()),
                (kind, "shop")
            );
        }
        let written: Vec<Value> = events.iter().map(|event| read(&event.body)).collect();
        let promised: Vec<Value> = promised.lines().map(read).collect();
        assert_eq!(written, promised, "{kind}");
    }
}
