//! Which segments are merged, and that it ends.

use super::{DAY_NANOS, Rules, plan};
use crate::{
    id::{SegmentId, TenantId},
    segment::{FileMeta, ObjectMeta, SEGMENT_FORMAT_VERSION, SegmentMeta, WalRange},
    signal::{Signal, Table},
    time::{HOUR_NANOS, Nanos, TimeRange},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use ulid::Ulid;

const MIB: u64 = 1 << 20;
const RULES: Rules = Rules {
    target_bytes: 192 * MIB,
    segments: 8,
};

fn segment(number: u64, bytes: u64, from: i64, to: i64) -> SegmentMeta {
    let file = FileMeta {
        path: String::new(),
        size_bytes: bytes,
        checksum: 0,
    };
    SegmentMeta {
        id: SegmentId(Ulid::from_parts(number, 0)),
        format_version: SEGMENT_FORMAT_VERSION,
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        level: 0,
        time: TimeRange {
            min: Nanos(from),
            max: Nanos(to),
        },
        rows: bytes,
        objects: vec![ObjectMeta {
            table: Table::Logs,
            file,
            footer_bytes: 0,
            rows: bytes,
            columns: Vec::new(),
            promoted: Vec::new(),
            overflow_keys: None,
        }],
        index: None,
        wal: vec![WalRange {
            shard: 0,
            first: number,
            last: number,
        }],
        replaces: Vec::new(),
        siblings: Vec::new(),
    }
}

/// Nothing to merge.
const NONE: [u64; 0] = [];

fn in_hour(number: u64, bytes: u64, hour: i64) -> SegmentMeta {
    segment(number, bytes, hour * HOUR_NANOS, hour * HOUR_NANOS + 1)
}

fn planned(segments: &[SegmentMeta], hours: i64) -> Vec<u64> {
    let metas: Vec<&SegmentMeta> = segments.iter().collect();
    let chosen = plan(&metas, Nanos(hours * HOUR_NANOS), RULES).unwrap_or_default();
    chosen.iter().map(|id| id.0.timestamp_ms()).collect()
}

#[test]
fn while_the_hour_is_going_on_enough_of_one_size() {
    let mut segments: Vec<SegmentMeta> = (1..8).map(|n| in_hour(n, MIB, 5)).collect();
    segments.push(in_hour(8, 40 * MIB, 5));
    assert_eq!(planned(&segments, 5), NONE);
    segments.push(in_hour(9, MIB + 5, 5));
    assert_eq!(planned(&segments, 5), [1, 2, 3, 4, 5, 6, 7, 9]);
}

#[test]
fn when_the_hour_is_over_what_is_left_of_it() {
    let segments = [in_hour(1, 2 * MIB, 5), in_hour(2, MIB, 5)];
    assert_eq!(planned(&segments, 6), NONE);
    assert_eq!(planned(&segments, 7), [1, 2]);
    let little_to_much = [in_hour(1, 50 * MIB, 5), in_hour(2, MIB, 5)];
    assert_eq!(planned(&little_to_much, 7), NONE);
    let full = [in_hour(1, 96 * MIB, 5), in_hour(2, 97 * MIB, 5)];
    assert_eq!(planned(&full, 7), NONE);
}

#[test]
fn the_newest_hour_comes_first_and_days_after_hours() {
    let hours = [
        in_hour(1, MIB, 2),
        in_hour(2, MIB, 2),
        in_hour(3, MIB, 4),
        in_hour(4, MIB, 4),
    ];
    assert_eq!(planned(&hours, 100), [3, 4]);
    let merged = [in_hour(5, 2 * MIB, 4), in_hour(6, 2 * MIB, 2)];
    assert_eq!(planned(&merged, 23), NONE);
    assert_eq!(planned(&merged, 26), [5, 6]);
    let of_days = [in_hour(1, MIB, 2), in_hour(2, MIB, 26)];
    assert_eq!(planned(&of_days, 1_000), NONE, "two days stay two");
}

#[test]
fn no_more_than_the_target_and_late_ones_among_themselves() {
    let large: Vec<SegmentMeta> = (1..9).map(|n| in_hour(n, 50 * MIB, 5)).collect();
    assert_eq!(planned(&large, 7), [1, 2, 3]);
    let late = |number| segment(number, MIB, 0, 1_000 * DAY_NANOS);
    let segments: Vec<SegmentMeta> = (1..9).map(late).collect();
    assert_eq!(planned(&segments[..7], 1), NONE);
    assert_eq!(planned(&segments, 1).len(), 8);
}

#[test]
fn a_day_of_flushes_is_rewritten_a_few_times_and_then_rests() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut segments, mut number) = (Vec::new(), 0);
        let (mut written, mut merged) = (0, 0);
        let usual = 1 << random.random_range(12..23_u32);
        for minute in 0..30 * 60_i64 {
            let now = minute * HOUR_NANOS / 60;
            if minute < 24 * 60 {
                number += 1;
                let late = if random.random_range(0..20) == 0 {
                    90
                } else {
                    0
                };
                let hour = (minute - late).max(0) / 60;
                let bytes = random.random_range(usual / 2..usual * 2);
                written += bytes;
                segments.push(in_hour(number, bytes, hour));
            }
            loop {
                let metas: Vec<&SegmentMeta> = segments.iter().collect();
                let Some(chosen) = plan(&metas, Nanos(now), RULES) else {
                    break;
                };
                let (inputs, rest): (Vec<_>, Vec<_>) = segments
                    .into_iter()
                    .partition(|meta| chosen.contains(&meta.id));
                assert!(inputs.len() >= 2 && inputs.len() == chosen.len());
                let bytes: u64 = inputs.iter().map(SegmentMeta::bytes).sum();
                assert!(bytes <= RULES.target_bytes);
                merged += bytes;
                number += 1;
                let time = inputs.iter().map(|meta| meta.time).reduce(TimeRange::union);
                let time = time.expect("it has inputs");
                segments = rest;
                segments.push(segment(number, bytes, time.min.0, time.max.0));
            }
        }
        assert!(merged <= written * 6, "{merged} of {written}");
        let most = 24 + written / (RULES.target_bytes / 8);
        assert!(
            segments.len() as u64 <= most,
            "{} of {most}",
            segments.len()
        );
    }
}
