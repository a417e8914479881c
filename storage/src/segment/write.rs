//! Writes the segment of one window: gather, sort, promote, encode, index, fsync.
//!
//! In two steps, because promoted columns need field ids from the catalog, which is asked in between: [`prepare`]
//! sorts and chooses, [`Prepared::write`] encodes. Both use the processor and block on the disk.

pub use super::target::{FieldIds, Target};

use super::{
    FileMeta, SEGMENT_FORMAT_VERSION, SegmentMeta, WalRange,
    encode::{self, ObjectRows},
    index::build::Builder,
    layout,
    object::Frame,
    order::TableRows,
    path, promote, series,
    sink::Sink,
    window::WindowPlan,
};
use crate::{
    buffered::BufferedRequest,
    error::Result,
    id::{SegmentId, TenantId},
    signal::{Signal, Table},
};
use parquet::file::metadata::ParquetMetaData;
use std::{io::Write, sync::Arc};

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
    objects: Vec<ObjectRows>,
}

/// Sorts the rows of `plan` and chooses the promoted columns. `requests` is what the plan was made from.
pub fn prepare(
    identity: Identity,
    requests: &[Arc<BufferedRequest>],
    plan: WindowPlan,
) -> Result<Prepared> {
    let mut tables = Vec::new();
    for (table, ranges) in &plan.tables {
        tables.push(TableRows::sorted(*table, requests, ranges)?);
    }
    let mut extents = Vec::new();
    if identity.signal == Signal::Metrics
        && let Some((rows, of_rows)) = series::collect(requests, &mut tables)?
    {
        tables.push(rows);
        extents = of_rows;
    }
    let objects = tables
        .into_iter()
        .map(|rows| {
            let choices = choices(&rows);
            let of_rows = if rows.table == Table::Series {
                std::mem::take(&mut extents)
            } else {
                Vec::new()
            };
            ObjectRows {
                rows,
                extents: of_rows,
                choices,
            }
        })
        .collect();
    Ok(Prepared {
        identity,
        plan,
        objects,
    })
}

/// The promoted columns for `rows`.
fn choices(rows: &TableRows) -> Vec<promote::Choice> {
    if !layout::has_attributes(rows.table) {
        return Vec::new();
    }
    let maps = rows.attributes();
    promote::choose(rows.rows.len(), |i| {
        let (batch, row) = rows.rows[i];
        maps[batch].value(row)
    })
}

impl Prepared {
    /// The promoted columns of each table, which [`Prepared::write`] needs the field ids of.
    pub fn promoted(&self) -> Vec<(Table, Vec<String>)> {
        let objects = self
            .objects
            .iter()
            .filter(|object| !object.choices.is_empty());
        objects
            .map(|object| {
                let names = object
                    .choices
                    .iter()
                    .map(|choice| choice.promoted.column.clone());
                (object.rows.table, names.collect())
            })
            .collect()
    }

    /// Encodes all tables and the index sidecar and makes the files and their directory entries durable.
    pub fn write(self, target: &Target, field_ids: &FieldIds) -> Result<Written> {
        let Prepared {
            identity,
            plan,
            objects,
        } = self;
        let mut meta = SegmentMeta {
            id: identity.id,
            format_version: SEGMENT_FORMAT_VERSION,
            tenant: identity.tenant,
            signal: identity.signal,
            level: identity.level,
            time: plan.time,
            rows: plan.rows(),
            objects: Vec::new(),
            index: None,
            wal: identity.wal,
            replaces: identity.replaces,
            siblings: identity.siblings,
        };
        let bare = meta.clone();
        let tables: Vec<Table> = objects.iter().map(|object| object.rows.table).collect();
        let frame = Frame {
            target,
            field_ids,
            segment: &bare,
            tables: &tables,
        };
        let mut index = Builder::default();
        let mut footers = Vec::new();
        for object in objects {
            let table = object.rows.table;
            let path = path::object(&meta.tenant, meta.signal, plan.window, meta.id, table);
            let (object, footer) = encode::object(&frame, object, path, &mut index)?;
            meta.objects.push(object);
            footers.push((table, footer));
        }
        if let Some(bytes) = index.finish()? {
            let path = path::index(&meta.tenant, meta.signal, plan.window, meta.id);
            meta.index = Some(write_index(target, path, &bytes)?);
        }
        Ok(Written { meta, footers })
    }
}

/// Writes an index sidecar and makes it and its directory entry durable.
pub(super) fn write_index(target: &Target, path: String, bytes: &[u8]) -> Result<FileMeta> {
    let full_path = target.root.join(&path);
    let mut sink = Sink::create(&target.world, full_path.clone())?;
    sink.write_all(bytes)
        .map_err(|source| crate::error::Error::Disk {
            doing: "writing",
            path: full_path,
            source,
        })?;
    let size_bytes = sink.finish(&target.world)?;
    Ok(FileMeta {
        path,
        size_bytes,
        checksum: crc32c::crc32c(bytes),
    })
}
