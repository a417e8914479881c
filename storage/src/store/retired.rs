//! Segments that are in no snapshot any more and whose objects wait to be deleted, the oldest first.

use super::buffer::Key;
use crate::{id::SegmentId, segment::SegmentMeta};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

/// The first wait after a failed deletion; doubled at each more.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest wait after failed deletions: nothing but space depends on them.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// A queue for each tenant's signal. Deletion goes in its order and stops where it fails, because a rebuild of the
/// catalog looks at what is left:
///
/// * of a tenant's dead letters those are left that were evicted last, so the line of `bound` is where it was;
/// * a segment that was replaced goes before the one that replaced it, so its rows never count again.
#[derive(Default)]
pub(super) struct Retired {
    queues: BTreeMap<Key, Queue>,
    /// Segments and bytes that wait.
    count: u64,
    bytes: u64,
}

#[derive(Default)]
struct Queue {
    /// With the monotonic time from which no query can be reading it.
    waiting: VecDeque<(Duration, SegmentMeta)>,
    failures: u32,
    retry_at: Duration,
}

impl Queue {
    fn next(&self, now: Duration) -> Option<&SegmentMeta> {
        let (due, segment) = self.waiting.front()?;
        (*due <= now && self.retry_at <= now).then_some(segment)
    }
}

impl Retired {
    /// Adds a segment that may be deleted from `due` on.
    pub(super) fn push(&mut self, due: Duration, segment: SegmentMeta) {
        let key = (segment.tenant.clone(), segment.signal);
        self.count += 1;
        self.bytes += segment.bytes();
        let queue = self.queues.entry(key).or_default();
        queue.waiting.push_back((due, segment));
    }

    /// The tenants' signals that have a segment to delete at `now`.
    pub(super) fn due(&self, now: Duration) -> Vec<Key> {
        let due = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.next(now).is_some());
        due.map(|(key, _)| key.clone()).collect()
    }

    /// The segments that those of `key` which wait name as replaced: live ones are the inputs of a compaction that was not
    /// finished, and whose output is to be deleted before they are compacted again.
    pub(super) fn replaced(&self, key: &Key) -> BTreeSet<SegmentId> {
        let waiting = self.queues.get(key).into_iter();
        let segments = waiting.flat_map(|queue| queue.waiting.iter().map(|(_, segment)| segment));
        segments
            .flat_map(|segment| segment.replaces.iter().copied())
            .collect()
    }

    /// The segment of `key` to delete at `now`, if there is one. It stays first until [`Retired::deleted`].
    pub(super) fn next(&self, key: &Key, now: Duration) -> Option<SegmentMeta> {
        self.queues.get(key)?.next(now).cloned()
    }

    /// The first one of `key` is gone.
    pub(super) fn deleted(&mut self, key: &Key) {
        if let Some(queue) = self.queues.get_mut(key) {
            let gone = queue.waiting.pop_front();
            queue.failures = 0;
            self.count -= u64::from(gone.is_some());
            self.bytes -= gone.map_or(0, |(_, segment)| segment.bytes());
            if queue.waiting.is_empty() {
                self.queues.remove(key);
            }
        }
    }

    /// The first one of `key` could not be deleted.
    pub(super) fn failed(&mut self, key: &Key, now: Duration) {
        if let Some(queue) = self.queues.get_mut(key) {
            let wait = FIRST_BACK_OFF.saturating_mul(1 << queue.failures.min(10));
            queue.failures = queue.failures.saturating_add(1);
            queue.retry_at = now + wait.min(LONGEST_BACK_OFF);
        }
    }

    /// Segments and bytes that wait.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.count, self.bytes)
    }

    /// Whether one of `key` that waits may hold requests up to this sequence.
    pub(super) fn holds(&self, key: &Key, sequence: u64) -> bool {
        let mut waiting = self.queues.get(key).into_iter().flat_map(|q| &q.waiting);
        waiting.any(|(_, segment)| segment.wal.iter().any(|range| range.first <= sequence))
    }

    /// The ids of all that wait.
    pub(super) fn ids(&self) -> impl Iterator<Item = SegmentId> {
        let queues = self.queues.values();
        queues.flat_map(|queue| queue.waiting.iter().map(|(_, segment)| segment.id))
    }
}
