//! Encodes the sorted rows of one table as a Parquet object with checksums.
//!
//! Column after column of one row group, so that beside the rows only one column is in memory unencoded.

use super::{
    ObjectMeta, Promoted,
    gather::RowRef,
    index::build::Builder,
    layout::{self, PAGE_ROWS, Source},
    object::{Frame, ObjectWriter},
    order::TableRows,
    promote::{Choice, Splitter},
    series::Extent,
};
use crate::error::{Error, Result};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, TimestampNanosecondArray,
    },
    datatypes::DataType,
};
use parquet::file::metadata::ParquetMetaData;
use std::{ops::Range, sync::Arc};

/// A row group ends early at so much text: offsets of a column in memory have 31 bits.
const ROW_GROUP_TEXT_BYTES: usize = 128 << 20;

/// Maps that are brought into the cache together: a few KiB.
const NEAR_ROWS: usize = 32;

const CACHE_LINE_BYTES: usize = 64;

/// The rows of an object and what was decided about them.
pub(crate) struct ObjectRows {
    pub(crate) rows: TableRows,
    /// Of `series`: the points of each row.
    pub(crate) extents: Vec<Extent>,
    pub(crate) choices: Vec<Choice>,
}

/// Writes the object to `path` below the target's root.
pub(crate) fn object(
    frame: &Frame<'_>,
    input: ObjectRows,
    path: String,
    index: &mut Builder,
) -> Result<(ObjectMeta, Arc<ParquetMetaData>)> {
    let mut encoder = Encoder::new(frame, input, path)?;
    for group in encoder.row_groups() {
        encoder.row_group(group, index)?;
    }
    encoder.finish(frame)
}

struct Encoder {
    input: ObjectRows,
    writer: ObjectWriter,
    row_group_rows: usize,
    splitter: Splitter,
}

impl Encoder {
    fn new(frame: &Frame<'_>, input: ObjectRows, path: String) -> Result<Encoder> {
        // A multiple of the page, so that pages and index blocks stay aligned.
        let row_group_rows = (frame.target.row_group_rows / PAGE_ROWS).max(1) * PAGE_ROWS;
        let writer = ObjectWriter::new(frame, input.rows.table, &input.choices, path)?;
        let splitter = Splitter::new(&input.choices);
        Ok(Encoder {
            input,
            writer,
            row_group_rows,
            splitter,
        })
    }

    /// Where row groups begin and end.
    fn row_groups(&self) -> Vec<Range<usize>> {
        let rows = self.input.rows.rows.len();
        let all_text: usize = self
            .input
            .rows
            .batches
            .all()
            .iter()
            .map(RecordBatch::get_array_memory_size)
            .sum();
        if all_text <= ROW_GROUP_TEXT_BYTES {
            let starts = (0..rows).step_by(self.row_group_rows);
            return starts
                .map(|start| start..rows.min(start + self.row_group_rows))
                .collect();
        }
        let lengths = TextLengths::new(self.input.rows.batches.all());
        let mut groups = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (i, row) in self.input.rows.rows.iter().enumerate() {
            let length = lengths.of(*row);
            let full = i - start == self.row_group_rows || bytes + length > ROW_GROUP_TEXT_BYTES;
            if full && i > start {
                groups.push(start..i);
                (start, bytes) = (i, 0);
            }
            bytes += length;
        }
        groups.push(start..rows);
        groups
    }

    fn row_group(&mut self, group: Range<usize>, index: &mut Builder) -> Result<()> {
        let rows = self.input.rows.rows[group.clone()].to_vec();
        let (overflow, promoted) = self.split(&rows)?;
        let input = &mut self.input;
        let array = |_, source| match source {
            Source::Overflow => Ok(overflow.clone().expect("made for tables with attributes")),
            Source::Promoted(at) => Ok(promoted[at].clone()),
            source => values(input, source, group.clone(), &rows),
        };
        self.writer.row_group(rows.len(), array, index)
    }

    /// The overflow and promoted columns of `rows`.
    fn split(&mut self, rows: &[RowRef]) -> Result<(Option<ArrayRef>, Vec<ArrayRef>)> {
        if !layout::has_attributes(self.input.rows.table) {
            return Ok((None, Vec::new()));
        }
        let maps = self.input.rows.attributes();
        let mut near: Vec<&str> = Vec::with_capacity(NEAR_ROWS);
        for rows in rows.chunks(NEAR_ROWS) {
            near.clear();
            near.extend(rows.iter().map(|(batch, row)| maps[*batch].value(*row)));
            fetch(&near);
            for map in &near {
                self.splitter.push(map);
            }
        }
        let (overflow, promoted) = self.splitter.finish_rows()?;
        Ok((Some(overflow), promoted))
    }

    fn finish(self, frame: &Frame<'_>) -> Result<(ObjectMeta, Arc<ParquetMetaData>)> {
        let overflow_keys = if layout::has_attributes(self.input.rows.table) {
            self.splitter.overflow_keys()
        } else {
            Some(Vec::new())
        };
        let choices = self.input.choices.into_iter();
        let promoted: Vec<Promoted> = choices.map(|choice| choice.promoted).collect();
        self.writer.finish(frame, promoted, overflow_keys)
    }
}

/// The values of a fixed column at `rows`, which are those at `group` of all.
fn values(
    object: &mut ObjectRows,
    source: Source,
    group: Range<usize>,
    rows: &[RowRef],
) -> Result<ArrayRef> {
    let input = &mut object.rows;
    let extents = || object.extents[group.clone()].iter();
    let instants = |values: Vec<i64>| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
    };
    Ok(match source {
        Source::Batch(column) => input.batches.column(column, rows)?,
        Source::RowEpoch => ints(rows.iter().map(|(batch, _)| input.ids[*batch].0)),
        Source::RowSequence => ints(rows.iter().map(|(batch, _)| input.ids[*batch].1)),
        Source::TimeMillis(_) => {
            let times = input.times()?;
            ints(
                rows.iter()
                    .map(|(batch, row)| times[*batch][*row].div_euclid(1_000_000)),
            )
        }
        Source::TimeRest(_) => {
            let times = input.times()?;
            let rest = |(batch, row): &RowRef| times[*batch][*row].rem_euclid(1_000_000) as i32;
            Arc::new(Int32Array::from_iter_values(rows.iter().map(rest)))
        }
        Source::MinTimestamp => instants(extents().map(|extent| extent.min_timestamp).collect()),
        Source::MaxTimestamp => instants(extents().map(|extent| extent.max_timestamp).collect()),
        Source::RowStart => ints(extents().map(|extent| extent.row_start)),
        Source::RowCount => ints(extents().map(|extent| extent.row_count)),
        Source::Overflow | Source::Promoted(_) => {
            return Err(Error::Internal(
                "a split column was asked of the batches".to_string(),
            ));
        }
    })
}

/// Brings maps that lie all over the memory into the cache: these reads wait for nothing, so the memory works on many at a
/// time, where the splitter would wait for one after the other.
fn fetch(maps: &[&str]) {
    let mut seen = 0;
    for map in maps {
        for byte in map.as_bytes().iter().step_by(CACHE_LINE_BYTES) {
            seen ^= byte;
        }
    }
    std::hint::black_box(seen);
}

fn ints(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// How long the text and bytes of each row are, without repeated text.
struct TextLengths {
    /// For each batch the offsets of its columns of text and bytes.
    batches: Vec<Vec<arrow::buffer::OffsetBuffer<i32>>>,
}

impl TextLengths {
    fn new(batches: &[RecordBatch]) -> TextLengths {
        let offsets = |column: &ArrayRef| match column.data_type() {
            DataType::Utf8 => Some(column.as_string::<i32>().offsets().clone()),
            DataType::Binary => Some(column.as_binary::<i32>().offsets().clone()),
            _ => None,
        };
        let of_batch = |batch: &RecordBatch| batch.columns().iter().filter_map(offsets).collect();
        TextLengths {
            batches: batches.iter().map(of_batch).collect(),
        }
    }

    fn of(&self, (batch, row): RowRef) -> usize {
        self.batches[batch]
            .iter()
            .map(|offsets| (offsets[row + 1] - offsets[row]) as usize)
            .sum()
    }
}
