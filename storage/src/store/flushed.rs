//! Up to where every tenant's signal is in committed segments.

use crate::{id::TenantId, signal::Signal};
use std::collections::BTreeMap;

/// A tenant's signal.
pub(super) type Key = (TenantId, Signal);

/// Up to where every tenant's signal is in committed segments, at one instant.
pub(super) struct Flushed {
    sequence: u64,
    /// The lowest sequence of each table that is not committed.
    first: BTreeMap<Key, u64>,
}

impl Flushed {
    /// `sequence` is the last that is visible, `first` the lowest of each table that is not committed.
    pub(super) fn new(sequence: u64, first: impl Iterator<Item = (Key, u64)>) -> Flushed {
        Flushed {
            sequence,
            first: first.collect(),
        }
    }

    /// Every frame of this signal with this sequence or a lower one is committed, its dead letters included.
    pub(super) fn through(&self, tenant: &TenantId, signal: Signal) -> u64 {
        let first = |signal| self.first.get(&(tenant.clone(), signal)).copied();
        let first = first(signal)
            .into_iter()
            .chain(first(Signal::DeadLetters))
            .min();
        // What is durable and not visible yet is above the commit sequence.
        first.map_or(self.sequence, |first| first - 1)
    }
}
