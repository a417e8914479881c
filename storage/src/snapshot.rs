//! What a query sees: segments and buffered rows of one tenant and signal at one instant.

use crate::{
    error::Result,
    id::TenantId,
    segment::SegmentMeta,
    signal::{Signal, Table},
    time::{Nanos, TimeRange},
};
use arrow::record_batch::RecordBatch;
use object_store::{ObjectStore, path::Path};
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

/// A segment that can be read now.
#[derive(Clone)]
pub struct LiveSegment {
    pub meta: SegmentMeta,
    /// Where the objects lie: the bucket, or the staging folder while the upload is under way.
    pub store: Arc<dyn ObjectStore>,
    /// Whether it still waits for its upload and commit.
    pub staged: bool,
}

/// A segment that a query should have read and cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSegment {
    pub segment: String,
    pub reason: String,
}

/// The rows of one request in the buffer.
pub struct BufferedRequest {
    /// The first two parts of the id of its rows.
    pub epoch: u64,
    pub sequence: u64,
    pub received: Nanos,
    /// Batches with the schema of `schema::batch_schema(table)`.
    pub tables: Vec<(Table, RecordBatch)>,
    /// The event times of its rows.
    pub time: TimeRange,
    pub memory_bytes: u64,
}

impl BufferedRequest {
    /// The batch of `table`, where the request has rows for it.
    pub fn batch(&self, table: Table) -> Option<&RecordBatch> {
        self.tables
            .iter()
            .find(|(t, _)| *t == table)
            .map(|(_, batch)| batch)
    }
}

impl LiveSegment {
    /// The path of the object that holds `table`, where the segment has one.
    pub fn path(&self, table: Table) -> Option<Result<Path>> {
        let object = self.meta.objects.iter().find(|o| o.table == table)?;
        Some(
            Path::parse(&object.file.path).map_err(|e| crate::error::Error::Corrupt {
                what: format!("the path of segment {}", self.meta.id),
                detail: e.to_string(),
            }),
        )
    }
}
