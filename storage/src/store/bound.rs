//! The bound of `dead_letters`: which flushes do not fit into a tenant's bytes.
//!
//! Whole flushes go, by the sequence of their frames and the oldest first. So what is left out can be told from what
//! is there, also when the catalog is gone: a rebuild draws the line where it was.

use crate::{id::SegmentId, segment::SegmentMeta};
use std::collections::BTreeMap;

/// The segments of one tenant's dead letters that do not fit into `limit_bytes`, the oldest first. The newest flush
/// always stays.
pub(super) fn over<'a>(
    segments: impl Iterator<Item = &'a SegmentMeta>,
    limit_bytes: u64,
) -> Vec<SegmentId> {
    // Flushes of one tenant's signal that were committed never overlap.
    let mut flushes: BTreeMap<u64, (u64, Vec<SegmentId>)> = BTreeMap::new();
    for segment in segments {
        let flush = flushes.entry(segment.last_sequence()).or_default();
        flush.0 += segment.bytes();
        flush.1.push(segment.id);
    }
    let newest = flushes.keys().next_back().copied();
    let mut held = 0;
    let fits = |(last, (bytes, _)): &(u64, (u64, Vec<SegmentId>))| {
        held += bytes;
        held <= limit_bytes || Some(*last) == newest
    };
    let mut out: Vec<_> = flushes.into_iter().rev().skip_while(fits).collect();
    out.reverse();
    out.into_iter().flat_map(|(_, (_, ids))| ids).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::TenantId,
        segment::{FileMeta, WalRange},
        signal::Signal,
        time::{Nanos, TimeRange},
    };
    use ulid::Ulid;

    fn segment(number: u128, last: u64, size_bytes: u64) -> SegmentMeta {
        let index = FileMeta {
            path: number.to_string(),
            size_bytes,
            checksum: 0,
        };
        SegmentMeta {
            id: SegmentId(Ulid(number)),
            format_version: 1,
            tenant: TenantId::default_tenant(),
            signal: Signal::DeadLetters,
            level: 0,
            time: TimeRange {
                min: Nanos(0),
                max: Nanos(0),
            },
            rows: 1,
            objects: Vec::new(),
            index: Some(index),
            wal: vec![WalRange {
                shard: 0,
                first: last,
                last,
            }],
            replaces: Vec::new(),
            siblings: Vec::new(),
        }
    }

    #[test]
    fn whole_flushes_go_the_oldest_first_and_the_newest_stays() {
        // Numbers are no order: the second flush has the segments 1 and 4.
        let segments = [
            segment(5, 10, 40),
            segment(1, 20, 30),
            segment(4, 20, 30),
            segment(2, 30, 40),
        ];
        let numbers = |limit| -> Vec<u128> {
            let out = over(segments.iter(), limit);
            out.into_iter().map(|id| id.0.0).collect()
        };
        assert_eq!(numbers(140), Vec::<u128>::new());
        assert_eq!(numbers(139), [5]);
        assert_eq!(numbers(100), [5]);
        // Half of a flush does not stay, and nothing older than what went.
        assert_eq!(numbers(99), [5, 1, 4]);
        assert_eq!(numbers(0), [5, 1, 4]);
    }
}
