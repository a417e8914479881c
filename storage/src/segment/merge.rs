//! Merges segments of one tenant and signal into one, as a stream: memory has a limit whatever the segments hold.
//!
//! Files are sorted, so each table is a k-way merge: `input` reads batches measured in bytes, `reshape` gives them the
//! columns of the output, `cursor` finds whose rows come next, `table` writes a row group when enough of them are
//! there. Promoted columns are chosen anew (`choose`), for all that the inputs hold. In two steps, as at a flush: the
//! field ids of promoted columns are asked for in between. Rows that are deleted are left out on the way (`sieve`), and
//! nothing tells of them afterwards.

mod choose;
mod cursor;
mod extents;
mod input;
mod reshape;
mod scan;
mod sieve;
mod table;

#[cfg(test)]
mod tests;

pub use choose::Asked;
pub use scan::{Visit, scan};
pub use sieve::Sifted;

use super::{
    LiveSegment, SEGMENT_FORMAT_VERSION, SegmentMeta, WalRange,
    index::build::Builder,
    layout,
    object::Frame,
    path::{self, Window},
    promote::Choice,
    read::ReadCache,
    target::{FieldIds, Target},
    write::{Identity, Written, write_index},
};
use crate::{
    error::{Error, Result},
    signal::Table,
    time::TimeRange,
};
use extents::Extents;
use input::Input;
use std::sync::Arc;
use table::{Output, TableMerge};
use tokio::runtime::Handle;

/// What a merge reads with and how much it may hold.
pub struct Reading {
    pub cache: Arc<ReadCache>,
    pub counters: Arc<super::read::ReadCounters>,
    /// Bytes that the merge may hold at a time, within a factor of two.
    pub memory_bytes: u64,
    /// Where the connections of the object store live; without it the runtime in which inputs are opened.
    pub runtime: Option<Handle>,
}

/// Segments that are merged, with their promoted columns chosen.
pub struct Merge {
    inputs: Vec<Arc<LiveSegment>>,
    tables: Vec<TableInputs>,
    memory_bytes: u64,
}

/// The objects of one table, in the order of arrival.
struct TableInputs {
    table: Table,
    inputs: Vec<Input>,
    choices: Vec<Choice>,
}

impl Merge {
    /// Opens the first of `segments` (given in the order of arrival) that fit into the memory together, and chooses
    /// promoted columns; `None` when not even two do. `asked` are the attribute keys that queries ask for.
    ///
    /// A damaged input is an error, and reported where all damage is.
    pub async fn prepare(
        segments: &[Arc<LiveSegment>],
        reading: &Reading,
        asked: &Asked,
    ) -> Result<Option<Merge>> {
        let tables = tables(segments);
        let opened = open(segments, &tables, reading).await?;
        let count = (2..=opened.len())
            .take_while(|count| fits(&opened[..*count], reading.memory_bytes / 2))
            .last();
        let Some(count) = count else {
            return Ok(None);
        };
        let mut opened = opened;
        opened.truncate(count);
        let merge = Merge::of(&segments[..count], opened, tables, reading, asked);
        merge.await.map(Some)
    }

    /// Opens all of `segments`, one or more, whatever they take, to be written without the rows that are not `sifted`; for
    /// the rest as [`Merge::prepare`]. Some rows have to stay.
    pub async fn without(
        segments: &[Arc<LiveSegment>],
        sifted: &Sifted,
        reading: &Reading,
        asked: &Asked,
    ) -> Result<Merge> {
        let tables = tables(segments);
        let mut opened = open(segments, &tables, reading).await?;
        for (segment, inputs) in segments.iter().zip(&mut opened) {
            for (table, input) in inputs.iter_mut() {
                input.kept = sifted.get(&(segment.meta.id, *table)).cloned();
            }
            inputs.retain(|_, input| input.rows() > 0);
        }
        Merge::of(segments, opened, tables, reading, asked).await
    }

    /// The merge of what is open of `segments`.
    async fn of(
        segments: &[Arc<LiveSegment>],
        mut opened: Vec<input::Inputs>,
        tables: Vec<Table>,
        reading: &Reading,
        asked: &Asked,
    ) -> Result<Merge> {
        let mut merged = Vec::with_capacity(tables.len());
        for table in tables {
            let inputs: Vec<Input> = opened
                .iter_mut()
                .filter_map(|inputs| inputs.remove(&table))
                .collect();
            if inputs.is_empty() {
                continue;
            }
            let choices = if layout::has_attributes(table) {
                choose::choose(&inputs, asked).await?
            } else {
                Vec::new()
            };
            merged.push(TableInputs {
                table,
                inputs,
                choices,
            });
        }
        Ok(Merge {
            inputs: segments.to_vec(),
            tables: merged,
            memory_bytes: reading.memory_bytes,
        })
    }

    /// The segments that become one.
    pub fn inputs(&self) -> &[Arc<LiveSegment>] {
        &self.inputs
    }

    /// The promoted columns of each table, which [`Merge::write`] needs the field ids of.
    pub fn promoted(&self) -> Vec<(Table, Vec<String>)> {
        let chosen = self.tables.iter().filter(|t| !t.choices.is_empty());
        chosen
            .map(|inputs| {
                let names = inputs.choices.iter().map(|c| c.promoted.column.clone());
                (inputs.table, names.collect())
            })
            .collect()
    }

    /// Reads, merges and writes all tables and the index sidecar, and makes the files and their entries durable.
    ///
    /// Decodes and encodes where it is polled, and blocks on the disk: give it a thread of its own. `Internal` when rows
    /// came or went on the way: then nothing of it may be used.
    pub async fn write(
        self,
        identity: Identity,
        target: Target,
        field_ids: FieldIds,
    ) -> Result<Written> {
        let (bare, window) = bare(&self.inputs, &self.tables, identity);
        let output = Output {
            target,
            field_ids,
            segment: bare.clone(),
            tables: self.tables.iter().map(|inputs| inputs.table).collect(),
        };
        let mut meta = bare;
        let mut index = Builder::default();
        let mut footers = Vec::new();
        let mut extents = Extents::default();
        for inputs in self.tables {
            let table = inputs.table;
            let path = path::object(&meta.tenant, meta.signal, window, meta.id, table);
            let merge = TableMerge::new(&output, inputs, path, self.memory_bytes)?;
            let (object, footer) = merge.run(&output, &mut index, &mut extents).await?;
            meta.objects.push(object);
            footers.push((table, footer));
        }
        if let Some(bytes) = index.finish()? {
            let path = path::index(&meta.tenant, meta.signal, window, meta.id);
            meta.index = Some(write_index(&output.target, path, &bytes)?);
        }
        Ok(Written { meta, footers })
    }
}

async fn open(
    segments: &[Arc<LiveSegment>],
    tables: &[Table],
    reading: &Reading,
) -> Result<Vec<input::Inputs>> {
    let mut opened = Vec::with_capacity(segments.len());
    for segment in segments {
        opened.push(Input::open_all(segment, tables, reading).await?);
    }
    Ok(opened)
}

/// The tables of the inputs in the order of a segment's objects: `series` follows from the others and comes last.
fn tables(segments: &[Arc<LiveSegment>]) -> Vec<Table> {
    let objects = segments.iter().flat_map(|segment| &segment.meta.objects);
    let mut tables: Vec<Table> = objects.map(|object| object.table).collect();
    tables.sort_unstable_by_key(|table| (*table == Table::Series, *table));
    tables.dedup();
    tables
}

/// Whether what has to be open at the same time stays within `limit_bytes`.
fn fits(opened: &[input::Inputs], limit_bytes: u64) -> bool {
    let tables = opened.iter().flat_map(|inputs| inputs.keys());
    tables.copied().all(|table| {
        let inputs: Vec<&Input> = opened.iter().filter_map(|i| i.get(&table)).collect();
        input::open_bytes(&inputs) <= limit_bytes
    })
}

/// The catalog entry without objects, and the window of its paths.
fn bare(
    inputs: &[Arc<LiveSegment>],
    tables: &[TableInputs],
    identity: Identity,
) -> (SegmentMeta, Window) {
    let metas = || inputs.iter().map(|segment| &segment.meta);
    let time = metas()
        .map(|meta| meta.time)
        .reduce(TimeRange::union)
        .expect("a merge has inputs");
    let meta = SegmentMeta {
        id: identity.id,
        format_version: SEGMENT_FORMAT_VERSION,
        tenant: identity.tenant,
        signal: identity.signal,
        level: identity.level,
        time,
        rows: records(tables),
        objects: Vec::new(),
        index: None,
        wal: identity.wal,
        replaces: identity.replaces,
        siblings: identity.siblings,
    };
    (meta, Window::of(time))
}

/// Rows of the signal's records among the inputs: see [`SegmentMeta::rows`].
fn records(tables: &[TableInputs]) -> u64 {
    let of_records = tables.iter().filter(|inputs| {
        matches!(
            inputs.table,
            Table::Logs | Table::Spans | Table::Samples | Table::Histograms | Table::DeadLetters
        )
    });
    let inputs = of_records.flat_map(|inputs| &inputs.inputs);
    inputs.map(Input::rows).sum()
}

/// The stretches of the log whose rows the inputs hold, in order. Two are one where no row of the tenant's signal that
/// lies elsewhere is between them; `others` are the stretches of all its other segments.
pub fn wal_ranges<'a>(
    segments: impl Iterator<Item = &'a SegmentMeta>,
    others: &[WalRange],
) -> Vec<WalRange> {
    let mut ranges: Vec<WalRange> = segments.flat_map(|meta| meta.wal.iter().copied()).collect();
    ranges.sort_unstable_by_key(|range| (range.shard, range.first, range.last));
    let mut merged: Vec<WalRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let is_between = |last: &WalRange, other: &WalRange| {
            other.shard == range.shard && other.last > last.last && other.first < range.first
        };
        match merged.last_mut() {
            Some(last)
                if last.shard == range.shard
                    && !others.iter().any(|other| is_between(last, other)) =>
            {
                last.last = last.last.max(range.last);
            }
            _ => merged.push(range),
        }
    }
    merged
}

fn changed(table: Table, what: &str) -> Error {
    Error::Internal(format!("merging {table} changed {what}: it is given up"))
}

/// The frame of an object, as its writer takes it.
fn frame(output: &Output) -> Frame<'_> {
    Frame {
        target: &output.target,
        field_ids: &output.field_ids,
        segment: &output.segment,
        tables: &output.tables,
    }
}
