//! A segment that queries read, wherever its files lie now.

use super::SegmentMeta;
use crate::{
    error::{Error, Result},
    signal::Table,
};
use object_store::{ObjectStore, path::Path};
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

impl LiveSegment {
    /// The path of the object that holds `table`, where the segment has one.
    pub fn path(&self, table: Table) -> Option<Result<Path>> {
        let object = self.meta.objects.iter().find(|o| o.table == table)?;
        Some(Path::parse(&object.file.path).map_err(|e| Error::Corrupt {
            what: format!("the path of segment {}", self.meta.id),
            detail: e.to_string(),
        }))
    }
}
