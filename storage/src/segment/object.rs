//! Writes one Parquet object, row group after row group, with checksums, statistics and index tokens.
//!
//! Column after column of a row group, so that beside the rows only one column is in memory unencoded.

use super::{
    FileMeta, ObjectMeta, Promoted, SegmentMeta, footer,
    index::build::Builder,
    layout::{self, Column, PAGE_ROWS, Source},
    promote::Choice,
    sink::Sink,
    stats,
    target::{FieldIds, Target},
};
use crate::{
    error::{Error, Result},
    signal::Table,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array},
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
use std::{collections::HashSet, sync::Arc};

/// What all objects of a segment share.
pub(crate) struct Frame<'a> {
    pub(crate) target: &'a Target,
    pub(crate) field_ids: &'a FieldIds,
    /// Without objects.
    pub(crate) segment: &'a SegmentMeta,
    pub(crate) tables: &'a [Table],
}

/// An object that is being written.
pub(crate) struct ObjectWriter {
    table: Table,
    path: String,
    columns: Vec<Column>,
    writer: SerializedFileWriter<Sink>,
    chunks: Vec<u32>,
    /// Columns that hold a NaN.
    nan: HashSet<String>,
    rows: u64,
}

impl ObjectWriter {
    /// Makes the file at `path` below the target's root, with the fixed columns of `table` and those of `choices`.
    pub(crate) fn new(
        frame: &Frame<'_>,
        table: Table,
        choices: &[Choice],
        path: String,
    ) -> Result<ObjectWriter> {
        let sink = Sink::create(&frame.target.world, frame.target.root.join(&path))?;
        let mut columns = layout::fixed_columns(table);
        for (i, choice) in choices.iter().enumerate() {
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
        // Row groups end where their rows do; this only bounds what a writer of its own accord would cut.
        let properties = layout::properties(
            table,
            &columns,
            frame.target.row_group_rows.max(PAGE_ROWS),
            frame.target.compression_level,
        );
        let fields: Vec<Field> = columns.iter().map(|column| column.field.clone()).collect();
        let schema = ArrowSchemaConverter::new()
            .convert(&Schema::new(fields))
            .map_err(parquet)?;
        let writer =
            SerializedFileWriter::new(sink, schema.root_schema_ptr(), Arc::new(properties))
                .map_err(parquet)?;
        Ok(ObjectWriter {
            table,
            path,
            columns,
            writer,
            chunks: Vec::new(),
            nan: HashSet::new(),
            rows: 0,
        })
    }

    /// The columns of the file, in order.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Writes a row group of `rows` rows; `array` gives the values of a column by its position and source.
    pub(crate) fn row_group(
        &mut self,
        rows: usize,
        mut array: impl FnMut(usize, Source) -> Result<ArrayRef>,
        index: &mut Builder,
    ) -> Result<()> {
        let fields = self.columns.iter().map(|column| column.field.clone());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        let factory = ArrowRowGroupWriterFactory::new(&self.writer, schema);
        let number = self.writer.flushed_row_groups().len();
        let writers = factory.create_column_writers(number).map_err(parquet)?;
        let mut chunks = Vec::with_capacity(writers.len());
        for (i, mut writer) in writers.into_iter().enumerate() {
            let array = array(i, self.columns[i].source)?;
            self.look_at(i, &array, index)?;
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
        self.rows += rows as u64;
        self.writer.inner_mut().drain()
    }

    /// Notes tokens for the index, and NaN, while a column is at hand.
    fn look_at(&mut self, column: usize, array: &ArrayRef, index: &mut Builder) -> Result<()> {
        let name = self.columns[column].field.name();
        index.look_at(self.table, name, array)?;
        if *array.data_type() == DataType::Float64 && has_nan(array.as_primitive()) {
            self.nan.insert(name.clone());
        }
        Ok(())
    }

    /// Writes the footer and makes the file and its directory entry durable.
    pub(crate) fn finish(
        mut self,
        frame: &Frame<'_>,
        promoted: Vec<Promoted>,
        overflow_keys: Option<Vec<String>>,
    ) -> Result<(ObjectMeta, Arc<ParquetMetaData>)> {
        let mut object = ObjectMeta {
            table: self.table,
            file: FileMeta {
                path: self.path,
                size_bytes: 0,
                checksum: 0,
            },
            footer_bytes: 0,
            rows: self.rows,
            columns: stats::columns(&self.columns, self.writer.flushed_row_groups(), &self.nan),
            promoted,
            overflow_keys,
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
