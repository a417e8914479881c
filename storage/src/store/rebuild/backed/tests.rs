//! What backups add to what is known.

use super::*;
use crate::{id::TenantId, segment::SEGMENT_FORMAT_VERSION, signal::Signal, time::TimeRange};
use ulid::Ulid;

fn id(number: u128) -> SegmentId {
    SegmentId(Ulid(number))
}

fn segment(number: u128, replaces: &[u128]) -> SegmentMeta {
    SegmentMeta {
        id: id(number),
        format_version: SEGMENT_FORMAT_VERSION,
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        level: u32::from(!replaces.is_empty()),
        time: TimeRange {
            min: Nanos(0),
            max: Nanos(1),
        },
        rows: 1,
        objects: Vec::new(),
        index: None,
        wal: Vec::new(),
        replaces: replaces.iter().map(|number| id(*number)).collect(),
        siblings: Vec::new(),
    }
}

#[test]
fn what_was_announced_may_be_live_by_now() {
    let state = CatalogState {
        segments: vec![segment(1, &[]), segment(2, &[]), segment(3, &[])],
        retired: vec![
            segment(4, &[]),
            // Announced: all that it replaces is live.
            segment(5, &[1, 2]),
            // It can never be committed any more: one of its inputs has gone.
            segment(6, &[3, 4]),
            // It was live once.
            segment(7, &[8, 9]),
        ],
        ..CatalogState::default()
    };
    let retired: Vec<SegmentId> = retired_for_good(&state).collect();
    assert_eq!(retired, [id(4), id(6), id(7)]);
}

#[test]
fn footers_win_over_a_backup() {
    let field = |column: &str, id| (Table::Logs, column.to_string(), id);
    let found = vec![field("a", 1_000), field("b", 1_001)];
    let of_backup = vec![
        field("a", 1_000),
        field("c", 1_001),
        field("b", 1_009),
        field("d", 1_002),
    ];
    let fields = field_ids(found, of_backup);
    assert_eq!(
        fields,
        [field("a", 1_000), field("b", 1_001), field("d", 1_002)]
    );
}
