//! What a store knows of compactions: what to look at, when, and what does not fit.

use super::buffer::Key;
use crate::{id::SegmentId, segment::merge::Asked};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Tenants' signals where nothing changed are looked at this often: hours and days end.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The first wait after a failure; doubled at each more.
pub(super) const FIRST_BACK_OFF: Duration = Duration::from_secs(2);

/// The longest wait after failures.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// Attribute keys that queries asked for, which are kept of a tenant's signal at most.
const MAX_ASKED: usize = 200;

/// What is known of compactions.
#[derive(Default)]
pub(super) struct Compacting {
    /// Tenants' signals to look at.
    changed: BTreeSet<Key>,
    /// Monotonic time at which all are looked at.
    look_at: Duration,
    /// The last one that was compacted: the next ones come first.
    last: Option<Key>,
    /// Failures in a row, and the monotonic time before which nothing is tried.
    failures: u32,
    wait_until: Duration,
    /// Live segments that do not fit into the memory of a merge.
    pub(super) too_large: BTreeMap<Key, BTreeSet<SegmentId>>,
    pub(super) asked: BTreeMap<Key, Asked>,
    /// Whether a merge is under way.
    pub(super) running: bool,
}

impl Compacting {
    /// Segments of `key` were committed.
    pub(super) fn changed(&mut self, key: &Key) {
        self.changed.insert(key.clone());
    }

    /// Queries ask for these attributes of `key`.
    pub(super) fn note_asked(&mut self, key: &Key, keys: &[&str]) {
        let asked = self.asked.entry(key.clone()).or_default();
        for name in keys {
            if asked.len() < MAX_ASKED && !asked.contains(*name) {
                asked.insert(name.to_string());
            }
        }
    }

    /// Whether something is to be looked at: what changed, now and then all of `keys`.
    pub(super) fn is_due(&mut self, now: Duration, keys: impl FnOnce() -> Vec<Key>) -> bool {
        if now < self.wait_until {
            return false;
        }
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            self.changed.extend(keys());
        }
        !self.changed.is_empty()
    }

    /// The next one of `changed`, going round.
    pub(super) fn next(&mut self) -> Option<Key> {
        let after = self.last.clone();
        let mut rest = self
            .changed
            .iter()
            .filter(|key| Some(*key) > after.as_ref());
        let next = rest
            .next()
            .or_else(|| self.changed.iter().next())
            .cloned()?;
        self.changed.remove(&next);
        self.last = Some(next.clone());
        Some(next)
    }

    /// A merge was done.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A merge failed.
    pub(super) fn failed(&mut self, now: Duration) {
        let wait = FIRST_BACK_OFF.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.wait_until = now + wait.min(LONGEST_BACK_OFF);
    }
}
