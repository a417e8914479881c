//! Segments that are in no snapshot any more and whose objects wait to be deleted, the oldest first.

use crate::{id::SegmentId, segment::SegmentMeta};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

/// The first wait after a failed deletion; doubled at each more.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest wait after failed deletions: nothing but space depends on them.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// A queue. Deletion goes in its order and stops where it fails, so that what is left of a tenant's dead letters are
/// always the youngest of those that were evicted: see `bound`.
#[derive(Default)]
pub(super) struct Retired {
    /// With the monotonic time from which no query can be reading it.
    queue: VecDeque<(Duration, SegmentMeta)>,
    failures: u32,
    retry_at: Duration,
}

impl Retired {
    /// Adds a segment that may be deleted from `due` on.
    pub(super) fn push(&mut self, due: Duration, segment: SegmentMeta) {
        self.queue.push_back((due, segment));
    }

    /// The segment to delete at `now`, if there is one. It stays first until [`Retired::deleted`].
    pub(super) fn next(&self, now: Duration) -> Option<SegmentMeta> {
        let (due, segment) = self.queue.front()?;
        (*due <= now && self.retry_at <= now).then(|| segment.clone())
    }

    /// The segments that those which wait name as replaced: live ones are the inputs of a compaction that was not
    /// finished, and whose output is to be deleted before they are compacted again.
    pub(super) fn replaced(&self) -> BTreeSet<SegmentId> {
        let waiting = self.queue.iter().map(|(_, segment)| segment);
        waiting.flat_map(|s| s.replaces.iter().copied()).collect()
    }

    /// The ids of all that wait.
    pub(super) fn ids(&self) -> impl Iterator<Item = SegmentId> {
        self.queue.iter().map(|(_, segment)| segment.id)
    }

    /// The first one is gone.
    pub(super) fn deleted(&mut self) {
        self.queue.pop_front();
        self.failures = 0;
    }

    /// The first one could not be deleted.
    pub(super) fn failed(&mut self, now: Duration) {
        let wait = FIRST_BACK_OFF.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now + wait.min(LONGEST_BACK_OFF);
    }
}
