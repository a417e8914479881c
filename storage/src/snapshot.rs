//! What a query sees: segments and buffered rows of one tenant and signal at one instant.

pub use crate::{buffered::BufferedRequest, segment::LiveSegment};

use crate::{id::TenantId, signal::Signal, time::Nanos};
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
    /// Segments that are known to be damaged or gone, with the reason; they are not in `segments`.
    pub missing: Vec<MissingSegment>,
}

/// A segment that a query should have read and cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSegment {
    pub segment: String,
    pub reason: String,
}
