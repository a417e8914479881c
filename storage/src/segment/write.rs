//! Writes the segment of one window: gather, sort, promote, encode, index, fsync.
//!
//! In two steps, because promoted columns need field ids from the catalog, which is asked in between: [`prepare`]
//! sorts and chooses, [`Prepared::write`] encodes. Both use the processor and block on the disk.

use super::{SegmentMeta, WalRange, window::WindowPlan};
use crate::{
    error::{Error, Result},
    id::{SegmentId, TenantId},
    signal::{Signal, Table},
    snapshot::BufferedRequest,
    world::World,
};
use parquet::file::metadata::ParquetMetaData;
use std::{collections::HashMap, path::PathBuf, sync::Arc};

/// Which segment is written, and from what.
#[derive(Debug, Clone)]
pub struct Identity {
    pub id: SegmentId,
    pub tenant: TenantId,
    pub signal: Signal,
    pub level: u32,
    pub wal: Vec<WalRange>,
    pub replaces: Vec<SegmentId>,
    /// See [`SegmentMeta::siblings`].
    pub siblings: Vec<SegmentId>,
}

/// Where and how the files are written.
#[derive(Clone)]
pub struct Target {
    pub world: World,
    /// The folder under which files get the paths that they have in the bucket.
    pub root: PathBuf,
    /// Rows that one row group holds at most.
    pub row_group_rows: usize,
    /// Of zstd.
    pub compression_level: i32,
}

/// The field ids of promoted columns, by table and column name.
pub type FieldIds = HashMap<(Table, String), i32>;

/// A segment whose files are written and durable.
pub struct Written {
    pub meta: SegmentMeta,
    /// The footers with their page indexes, to seed the readers' cache.
    pub footers: Vec<(Table, Arc<ParquetMetaData>)>,
}

/// A segment whose rows are sorted and whose promoted columns are chosen.
pub struct Prepared {
    identity: Identity,
    plan: WindowPlan,
}

/// Sorts the rows of `plan` and chooses the promoted columns. `requests` is what the plan was made from.
pub fn prepare(
    identity: Identity,
    requests: &[Arc<BufferedRequest>],
    plan: WindowPlan,
) -> Result<Prepared> {
    let _ = requests;
    Ok(Prepared { identity, plan })
}

impl Prepared {
    /// The promoted columns of each table, which [`Prepared::write`] needs the field ids of.
    pub fn promoted(&self) -> Vec<(Table, Vec<String>)> {
        Vec::new()
    }

    /// Encodes all tables and the index sidecar and makes the files and their directory entries durable.
    pub fn write(self, target: &Target, field_ids: &FieldIds) -> Result<Written> {
        let _ = (target, field_ids, self.identity, self.plan);
        Err(Error::Internal("segments are being built".to_string()))
    }
}
