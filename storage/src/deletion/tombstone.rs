//! A deletion that was accepted: what it deletes, up to which request, and how far it is.

use super::{owners::Owners, predicate::Predicate};
use crate::{
    id::{TenantId, TombstoneId},
    segment::SegmentMeta,
    signal::{Signal, Table},
    time::Nanos,
};
use std::collections::BTreeMap;

/// A deletion that was accepted. Its rows are in no view from then on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tombstone {
    pub id: TombstoneId,
    pub tenant: TenantId,
    pub signal: Signal,
    /// Rows of requests with a higher sequence are not touched.
    pub sequence: u64,
    pub accepted: Nanos,
    /// Who asked for it: the name of a key.
    #[serde(default)]
    pub requested_by: String,
    /// When nothing of the rows was left anywhere.
    pub completed: Option<Nanos>,
    /// What is deleted; `None` once every row is gone, so that its values are gone too.
    pub predicate: Option<Predicate>,
    /// SHA-256 of the predicate's JSON.
    pub predicate_sha256: String,
    /// Spans whose events and links go with them; empty once every row is gone.
    #[serde(default)]
    pub owners: Owners,
    /// Rows deleted so far, by table: at least, because a crash may hide some that were only in the log.
    pub deleted: BTreeMap<Table, u64>,
    /// What may still hold some of the rows and has to be removed by hand: files that were set aside as damaged.
    #[serde(default)]
    pub left: Vec<String>,
}

impl Tombstone {
    /// The predicate, as long as there may be rows for it.
    pub fn active(&self) -> Option<&Predicate> {
        self.predicate.as_ref()
    }

    /// Whether it deletes rows of this tenant's signal: its own, and dead letters of it.
    pub fn concerns(&self, tenant: &TenantId, signal: Signal) -> bool {
        self.tenant == *tenant && (signal == self.signal || signal == Signal::DeadLetters)
    }

    /// Whether a segment may have rows of requests up to [`Tombstone::sequence`] that were not held against it: of
    /// points, which have no row id, those of a segment stand or go together. A segment that goes on above the sequence was
    /// written later, from rows that were held against it.
    pub(super) fn reaches(&self, meta: &SegmentMeta) -> bool {
        let reached = |range: &crate::segment::WalRange| range.first <= self.sequence;
        match meta.signal {
            Signal::Metrics => meta.last_sequence() <= self.sequence,
            _ => meta.wal.iter().any(reached),
        }
    }

    /// Adds to what was deleted.
    pub fn count(&mut self, deleted: &BTreeMap<Table, u64>) {
        for (table, rows) in deleted {
            *self.deleted.entry(*table).or_default() += rows;
        }
    }
}
