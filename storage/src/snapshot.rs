//! What a query sees: segments and buffered rows of one tenant and signal at one instant.

pub use crate::{buffered::BufferedRequest, segment::LiveSegment};

use crate::{
    deletion::Tombstone,
    id::{SegmentId, TenantId},
    signal::{Signal, Table},
    time::Nanos,
};
use std::sync::Arc;

/// A consistent view: every acknowledged row once, whether it is buffered, staged or committed.
#[derive(Clone)]
pub struct Snapshot {
    pub tenant: TenantId,
    pub signal: Signal,
    /// Newest first by `time.max`.
    pub segments: Vec<Arc<LiveSegment>>,
    /// Oldest first. Not yet in any of `segments`.
    pub buffered: Vec<Arc<BufferedRequest>>,
    /// Every request with this sequence or a lower one is in the view.
    pub sequence: u64,
    pub taken: Nanos,
    /// What is known to be damaged or gone and is not in the view.
    pub missing: Vec<Missing>,
    /// Deletions that are not done: rows of `segments` that they delete are not in the view (`Store::kept` says which).
    /// `buffered` has none.
    pub tombstones: Vec<Arc<Tombstone>>,
}

/// Rows that a query should have and cannot get, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub part: MissingPart,
    pub reason: String,
}

/// Where the missing rows were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingPart {
    /// In an object of a segment; the segment's other tables are not touched by that.
    Object { segment: SegmentId, table: Table },
    /// In the write-ahead log: acknowledged requests that were in no segment yet. The file and the offset.
    Log { place: String },
}

impl Missing {
    /// Whether rows of `table` are concerned: what the log has lost may be of any table of the signal.
    pub fn concerns(&self, table: Table) -> bool {
        match &self.part {
            MissingPart::Object { table: damaged, .. } => *damaged == table,
            MissingPart::Log { .. } => true,
        }
    }
}
