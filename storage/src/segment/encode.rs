//! Encodes the sorted rows of one table as a Parquet object with checksums.
//!
//! Column after column of one row group, so that beside the rows only one column is in memory unencoded.

use super::{
    FileMeta, ObjectMeta, SegmentMeta, footer,
    gather::RowRef,
    index::build::{Builder, indexed_columns},
    layout::{self, Column, PAGE_ROWS, Source},
    order::TableRows,
    promote::{Choice, Splitter},
    series::Extent,
    sink::Sink,
    stats,
    target::{FieldIds, Target},
};
use crate::{
    error::{Error, Result},
    signal::Table,
};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch,
        TimestampNanosecondArray,
    },
    datatypes::{DataType, Field, Schema},
};
use bytes::Bytes;
use parquet::{
    arrow::{
        ArrowSchemaConverter,
        arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves},
    },
    errors::ParquetError,
    file::{metadata::ParquetMetaData, writer::SerializedFileWriter},
};
use std::{collections::HashSet, ops::Range, sync::Arc};

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

/// What all objects of a segment share.
pub(crate) struct Frame<'a> {
    pub(crate) target: &'a Target,
    pub(crate) field_ids: &'a FieldIds,
    /// Without objects.
    pub(crate) segment: &'a SegmentMeta,
    pub(crate) tables: &'a [Table],
}

/// Writes the object to `path` below the target's root.
pub(crate) fn object(
    frame: &Frame<'_>,
    input: ObjectRows,
    path: String,
    index: &mut Builder,
) -> Result<(ObjectMeta, Arc<ParquetMetaData>)> {
    let sink = Sink::create(&frame.target.world, frame.target.root.join(&path))?;
    let mut encoder = Encoder::new(frame, input, sink)?;
    for group in encoder.row_groups() {
        encoder.row_group(group, index)?;
    }
    encoder.finish(frame, path)
}

struct Encoder {
    input: ObjectRows,
    columns: Vec<Column>,
    writer: SerializedFileWriter<Sink>,
    row_group_rows: usize,
    splitter: Splitter,
    chunks: Vec<u32>,
    /// Columns that hold a NaN.
    nan: HashSet<String>,
}

impl Encoder {
    fn new(frame: &Frame<'_>, input: ObjectRows, sink: Sink) -> Result<Encoder> {
        let table = input.rows.table;
        let mut columns = layout::fixed_columns(table);
        for (i, choice) in input.choices.iter().enumerate() {
            let name = &choice.promoted.column;
            let field_id = *frame.field_ids.get(&(table, name.clone())).ok_or_else(|| {
                Error::Internal(format!("no field id was given for {name} of {table}"))
            })?;
            let field = layout::promoted_field(&choice.promoted, field_id);
            columns.push(Column {
                field,
                source: Source::Promoted(i),
                dictionary: choice.dictionary,
            });
        }
        // A multiple of the page, so that pages and index blocks stay aligned.
        let row_group_rows = (frame.target.row_group_rows / PAGE_ROWS).max(1) * PAGE_ROWS;
        let properties = layout::properties(
            table,
            &columns,
            row_group_rows,
            frame.target.compression_level,
        );
        let fields: Vec<Field> = columns.iter().map(|column| column.field.clone()).collect();
        let schema = ArrowSchemaConverter::new()
            .convert(&Schema::new(fields))
            .map_err(parquet)?;
        let writer =
            SerializedFileWriter::new(sink, schema.root_schema_ptr(), Arc::new(properties))
                .map_err(parquet)?;
        let splitter = Splitter::new(&input.choices);
        let (chunks, nan) = (Vec::new(), HashSet::new());
        Ok(Encoder {
            input,
            columns,
            writer,
            row_group_rows,
            splitter,
            chunks,
            nan,
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
        let schema: Vec<Field> = self
            .columns
            .iter()
            .map(|column| column.field.clone())
            .collect();
        let factory = ArrowRowGroupWriterFactory::new(&self.writer, Arc::new(Schema::new(schema)));
        let number = self.writer.flushed_row_groups().len();
        let writers = factory.create_column_writers(number).map_err(parquet)?;
        let mut chunks = Vec::with_capacity(writers.len());
        for (i, mut writer) in writers.into_iter().enumerate() {
            let array = match self.columns[i].source {
                Source::Overflow => overflow.clone().expect("made for tables with attributes"),
                Source::Promoted(at) => promoted[at].clone(),
                source => self.values(source, group.clone(), &rows)?,
            };
            self.look_at(i, &array, index);
            let field = &self.columns[i].field;
            let field = Field::new(field.name(), array.data_type().clone(), field.is_nullable());
            for leaf in compute_leaves(&field, &array).map_err(parquet)? {
                writer.write(&leaf).map_err(parquet)?;
            }
            chunks.push(writer.close().map_err(parquet)?);
        }
        let mut group_writer = self.writer.next_row_group().map_err(parquet)?;
        for chunk in chunks {
            chunk
                .append_to_row_group(&mut group_writer)
                .map_err(parquet)?;
        }
        let metadata = group_writer.close().map_err(parquet)?;
        self.writer.flush().map_err(|e| parquet(e.into()))?;
        let (waiting, start) = self.writer.inner().waiting();
        self.chunks
            .extend(footer::chunk_checksums(&metadata, waiting, start));
        self.writer.inner_mut().drain()
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

    /// The values of a fixed column at `rows`, which are those at `group` of all.
    fn values(&mut self, source: Source, group: Range<usize>, rows: &[RowRef]) -> Result<ArrayRef> {
        let input = &mut self.input.rows;
        let extents = || self.input.extents[group.clone()].iter();
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
            Source::MinTimestamp => {
                instants(extents().map(|extent| extent.min_timestamp).collect())
            }
            Source::MaxTimestamp => {
                instants(extents().map(|extent| extent.max_timestamp).collect())
            }
            Source::RowStart => ints(extents().map(|extent| extent.row_start)),
            Source::RowCount => ints(extents().map(|extent| extent.row_count)),
            Source::Overflow | Source::Promoted(_) => {
                return Err(Error::Internal(
                    "a split column was asked of the batches".to_string(),
                ));
            }
        })
    }

    /// Notes tokens for the index, and NaN, while a column is at hand.
    fn look_at(&mut self, column: usize, array: &ArrayRef, index: &mut Builder) {
        let name = self.columns[column].field.name();
        let table = self.input.rows.table;
        if let Some(indexed) = indexed_columns(table)
            .iter()
            .find(|indexed| *indexed == name)
        {
            index.add(table, indexed, array.as_fixed_size_binary());
        }
        if *array.data_type() == DataType::Float64 && has_nan(array.as_primitive()) {
            self.nan.insert(name.clone());
        }
    }

    fn finish(
        mut self,
        frame: &Frame<'_>,
        path: String,
    ) -> Result<(ObjectMeta, Arc<ParquetMetaData>)> {
        let columns = stats::columns(&self.columns, self.writer.flushed_row_groups(), &self.nan);
        let attributes = layout::has_attributes(self.input.rows.table);
        let mut object = ObjectMeta {
            table: self.input.rows.table,
            file: FileMeta {
                path,
                size_bytes: 0,
                checksum: 0,
            },
            footer_bytes: 0,
            rows: self.input.rows.rows.len() as u64,
            columns,
            promoted: self
                .input
                .choices
                .into_iter()
                .map(|choice| choice.promoted)
                .collect(),
            overflow_keys: if attributes {
                self.splitter.overflow_keys()
            } else {
                Some(Vec::new())
            },
        };
        let segment = SegmentMeta {
            objects: vec![object.clone()],
            ..frame.segment.clone()
        };
        let record = footer::Record {
            tables: frame.tables.to_vec(),
            segment,
        };
        for entry in footer::entries(&record, &self.chunks)? {
            self.writer.append_key_value_metadata(entry);
        }
        self.writer.finish().map_err(parquet)?;
        let sink = self.writer.inner_mut();
        let (tail, start) = sink.waiting();
        let tail = Bytes::copy_from_slice(tail);
        object.footer_bytes = tail.len() as u64;
        object.file.checksum = crc32c::crc32c(&tail);
        object.file.size_bytes = start + object.footer_bytes;
        // Parsed from its bytes, so that readers who are given it see what others see in the file.
        let metadata = footer::parse(&object.file.path, &tail, object.file.size_bytes)?;
        sink.finish(&frame.target.world)?;
        Ok((object, Arc::new(metadata)))
    }
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

fn has_nan(array: &Float64Array) -> bool {
    // Of null slots too, which are zero; a wrong yes costs bounds, not rows.
    array.values().iter().any(|value| value.is_nan())
}

fn parquet(source: ParquetError) -> Error {
    Error::Parquet {
        doing: "encoding a segment",
        source,
    }
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
