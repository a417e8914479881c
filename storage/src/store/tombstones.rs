//! What a store knows of deletions: all that were accepted, which segments have nothing of them, and what was found.

use super::buffer::Key;
use crate::{
    deletion::{Tombstone, find::Removed, may_hold},
    id::{SegmentId, TenantId, TombstoneId},
    segment::SegmentMeta,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Bytes of masks that are remembered; what goes beyond is looked for again.
const MOST_FOUND_BYTES: usize = 32 << 20;

/// From one look to the next while queries or uploads are waited for; merges get their turn between.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The first wait after a failure; doubled at each more.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest wait after failures.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// What is known of deletions.
#[derive(Default)]
pub(super) struct Tombstones {
    all: BTreeMap<TombstoneId, Arc<Tombstone>>,
    /// Those that are being accepted: their documents may be in the bucket.
    beginning: BTreeSet<TombstoneId>,
    /// Segments without a row of a tombstone that is active.
    clean: BTreeMap<TombstoneId, BTreeSet<SegmentId>>,
    found: BTreeMap<(TombstoneId, SegmentId), Arc<Removed>>,
    found_bytes: usize,
    /// Monotonic time from which one that is not done has been known here.
    since: BTreeMap<TombstoneId, Duration>,
    /// Failures in a row, and the monotonic time before which nothing is tried.
    failures: u32,
    wait_until: Duration,
}

impl Tombstones {
    /// Takes a tombstone as it is now.
    pub(super) fn put(&mut self, tombstone: Tombstone, now: Duration) {
        let id = tombstone.id;
        if tombstone.active().is_none() {
            self.clean.remove(&id);
            self.found.retain(|(of, _), _| *of != id);
            self.found_bytes = self.found.values().map(|found| bytes(found)).sum();
        }
        if tombstone.completed.is_some() {
            self.since.remove(&id);
        } else {
            self.since.entry(id).or_insert(now);
        }
        self.all.insert(id, Arc::new(tombstone));
    }

    /// One is being accepted, until [`Tombstones::end`].
    pub(super) fn begin(&mut self, id: TombstoneId) {
        self.beginning.insert(id);
    }

    /// It was accepted or refused.
    pub(super) fn end(&mut self, id: TombstoneId) {
        self.beginning.remove(&id);
    }

    /// Whether it was accepted, or may be.
    pub(super) fn knows(&self, id: TombstoneId) -> bool {
        self.all.contains_key(&id) || self.beginning.contains(&id)
    }

    /// One of them.
    pub(super) fn get(&self, id: TombstoneId) -> Option<Arc<Tombstone>> {
        self.all.get(&id).cloned()
    }

    /// Those of a tenant, the oldest first.
    pub(super) fn of_tenant(&self, tenant: &TenantId) -> Vec<Tombstone> {
        let all = self.all.values();
        let of_tenant = all.filter(|tombstone| tombstone.tenant == *tenant);
        of_tenant
            .map(|tombstone| Tombstone::clone(tombstone))
            .collect()
    }

    /// Those that delete rows of `key`.
    pub(super) fn active(&self, key: &Key) -> Vec<Arc<Tombstone>> {
        let unfinished = self.since.keys().filter_map(|id| self.all.get(id));
        let active = unfinished
            .filter(|tombstone| tombstone.active().is_some() && tombstone.concerns(&key.0, key.1));
        active.cloned().collect()
    }

    /// Those that may have rows in a segment, as far as is known.
    pub(super) fn pending(&self, meta: &SegmentMeta) -> Vec<Arc<Tombstone>> {
        let mut active = self.active(&(meta.tenant.clone(), meta.signal));
        active.retain(|tombstone| self.is_pending(tombstone, meta));
        active
    }

    /// Whether this one may have rows in a segment, as far as is known.
    pub(super) fn is_pending(&self, tombstone: &Tombstone, meta: &SegmentMeta) -> bool {
        let clean = self.clean.get(&tombstone.id);
        may_hold(tombstone, meta) && !clean.is_some_and(|clean| clean.contains(&meta.id))
    }

    /// A segment has no row of this one.
    pub(super) fn set_clean(&mut self, tombstone: TombstoneId, segment: SegmentId) {
        if self.since.contains_key(&tombstone) {
            self.clean.entry(tombstone).or_default().insert(segment);
        }
    }

    /// What was found in a segment, where that is remembered.
    pub(super) fn found(&self, tombstone: TombstoneId, segment: SegmentId) -> Option<Arc<Removed>> {
        self.found.get(&(tombstone, segment)).cloned()
    }

    /// Remembers what was found in a segment, as far as there is room.
    pub(super) fn note_found(
        &mut self,
        tombstone: TombstoneId,
        segment: SegmentId,
        found: &Arc<Removed>,
    ) {
        let bytes = bytes(found);
        let key = (tombstone, segment);
        let is_active = self.since.contains_key(&tombstone);
        if is_active
            && self.found_bytes + bytes <= MOST_FOUND_BYTES
            && !self.found.contains_key(&key)
        {
            self.found_bytes += bytes;
            self.found.insert(key, found.clone());
        }
    }

    /// Forgets what was found in a segment that is gone.
    pub(super) fn forget_segment(&mut self, segment: SegmentId) {
        self.found.retain(|(_, of), _| *of != segment);
        self.found_bytes = self.found.values().map(|found| bytes(found)).sum();
    }

    /// Those that are not done, the oldest first, each with the time for which it has been known here.
    pub(super) fn unfinished(&self, now: Duration) -> Vec<(TombstoneId, Duration)> {
        let since = self.since.iter();
        since
            .map(|(id, since)| (*id, now.saturating_sub(*since)))
            .collect()
    }

    /// Whether there is something to do at `now`.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        !self.since.is_empty() && now >= self.wait_until
    }

    /// A pass came as far as it could.
    pub(super) fn succeeded(&mut self, now: Duration) {
        self.failures = 0;
        self.wait_until = now + LOOK_EVERY;
    }

    /// A pass failed.
    pub(super) fn failed(&mut self, now: Duration) {
        let wait = FIRST_BACK_OFF.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.wait_until = now + wait.min(LONGEST_BACK_OFF);
    }
}

fn bytes(found: &Removed) -> usize {
    found.values().map(|mask| mask.len() / 8).sum()
}
