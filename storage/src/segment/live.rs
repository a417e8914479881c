//! A segment that queries read, wherever its files lie now.

use super::SegmentMeta;
use object_store::ObjectStore;
use std::sync::Arc;

/// A segment that can be read now.
#[derive(Clone)]
pub struct LiveSegment {
    pub meta: SegmentMeta,
    /// Where the objects lie: the bucket, or the staging folder while the upload is under way.
    pub store: Arc<dyn ObjectStore>,
    /// Whether it still waits for its upload and commit.
    pub staged: bool,
}
