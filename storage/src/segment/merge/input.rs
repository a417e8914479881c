//! One object that is merged: what it holds by its footer, what it costs to have it open, and its batches.

use super::Reading;
use crate::{
    error::{Error, Result},
    segment::{LiveSegment, ObjectMeta, index::BLOCK_ROWS, layout, read::SegmentReader},
    signal::Table,
    time::TimeRange,
};
use arrow::{
    buffer::BooleanBuffer,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
        async_reader::{
            AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
        },
    },
    errors::ParquetError,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};
use tokio::runtime::Handle;

/// Bytes of a batch that is read, about: rows are counted after what they take.
const BATCH_BYTES: u64 = 4 << 20;
/// Rows of a batch, at least and at most.
const BATCH_ROWS: std::ops::RangeInclusive<u64> = 16..=8_192;

/// The objects of one segment.
pub(super) type Inputs = BTreeMap<Table, Input>;

/// Batches of an object, in the order of its file.
pub(super) type Batches = ParquetRecordBatchStream<Fetcher>;

/// Fetches where the connections of the object store live, whatever thread decodes.
#[derive(Clone)]
pub(super) struct Fetcher {
    reader: SegmentReader,
    runtime: Handle,
}

/// An object whose footer is read.
pub(super) struct Input {
    pub(super) object: ObjectMeta,
    /// Of the segment.
    time: TimeRange,
    fetcher: Fetcher,
    metadata: Arc<ParquetMetaData>,
    /// The rows that go into the output; all without.
    pub(super) kept: Option<BooleanBuffer>,
}

impl Input {
    /// Opens the objects of a segment.
    pub(super) async fn open_all(
        segment: &LiveSegment,
        tables: &[Table],
        reading: &Reading,
    ) -> Result<Inputs> {
        let mut inputs = Inputs::new();
        let objects = segment.meta.objects.iter();
        for object in objects.filter(|object| tables.contains(&object.table)) {
            let (cache, counters) = (reading.cache.clone(), reading.counters.clone());
            let reader = SegmentReader::new(segment, object.table, cache, counters)?;
            let metadata = reader.footer().await?;
            let input = Input {
                object: object.clone(),
                time: segment.meta.time,
                fetcher: Fetcher {
                    reader,
                    runtime: reading.runtime.clone().unwrap_or_else(Handle::current),
                },
                metadata,
                kept: None,
            };
            inputs.insert(object.table, input);
        }
        Ok(inputs)
    }

    /// Rows that go into the output.
    pub(super) fn rows(&self) -> u64 {
        let kept = self.kept.as_ref();
        kept.map_or(self.object.rows, |kept| kept.count_set_bits() as u64)
    }

    /// The latest time in it, where its file is sorted by time: no row comes before it.
    pub(super) fn starts_at(&self) -> Option<i64> {
        let sorted_by_time = !layout::has_series(self.object.table);
        (sorted_by_time && self.object.table != Table::Series).then_some(self.time.max.0)
    }

    /// Bytes of memory that reading it takes: the compressed columns of one row group, and a page of each with a batch.
    fn open_bytes(&self) -> u64 {
        let groups = self.metadata.row_groups().iter();
        groups
            .map(|group| {
                let rows = (group.num_rows() as u64).max(1);
                let pages = (2 * BLOCK_ROWS).min(rows);
                let uncompressed = group.total_byte_size().max(0) as u64;
                group.compressed_size().max(0) as u64 + uncompressed / rows * pages
            })
            .max()
            .unwrap_or(0)
    }

    /// Whether most of its row groups have a dictionary for `column`.
    pub(super) fn has_dictionary(&self, column: &str) -> bool {
        let has = |group: &RowGroupMetaData| {
            let mut columns = group.columns().iter();
            columns
                .find(|chunk| chunk.column_path().string() == column)
                .is_some_and(|chunk| chunk.dictionary_page_offset().is_some())
        };
        let groups = self.metadata.row_groups();
        groups.iter().filter(|group| has(group)).count() * 2 > groups.len()
    }

    /// Its batches with text as views, of the top-level columns that `wanted` names, or all.
    pub(super) fn batches(&self, wanted: Option<&[&str]>) -> Result<Batches> {
        let plain = ArrowReaderMetadata::try_new(self.metadata.clone(), ArrowReaderOptions::new());
        let schema = viewed(plain.map_err(reading)?.schema());
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata =
            ArrowReaderMetadata::try_new(self.metadata.clone(), options).map_err(reading)?;
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(self.fetcher.clone(), metadata)
                .with_batch_size(self.batch_rows());
        if let Some(names) = wanted {
            let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
            builder = builder.with_projection(mask);
        }
        builder.build().map_err(reading)
    }

    fn batch_rows(&self) -> usize {
        let groups = self.metadata.row_groups().iter();
        let row_bytes = groups
            .map(|group| group.total_byte_size().max(0) as u64 / (group.num_rows() as u64).max(1))
            .max()
            .unwrap_or(1)
            .max(1);
        (BATCH_BYTES / row_bytes).clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end()) as usize
    }
}

impl Fetcher {
    async fn fetch(&self, ranges: Vec<Range<u64>>) -> parquet::errors::Result<Vec<Bytes>> {
        let reader = self.reader.clone();
        let fetched = self
            .runtime
            .spawn(async move { reader.ranges(ranges).await });
        match fetched.await {
            Ok(fetched) => fetched.map_err(|error| ParquetError::External(Box::new(error))),
            Err(ended) => Err(ParquetError::External(Box::new(ended))),
        }
    }
}

impl AsyncFileReader for Fetcher {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move { Ok(self.fetch(vec![range]).await?.remove(0)) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { self.fetch(ranges).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        self.reader.get_metadata(options)
    }
}

/// The most bytes that these objects of one table take while they are merged: of those that are sorted by time, only
/// such as overlap are open together.
pub(super) fn open_bytes(inputs: &[&Input]) -> u64 {
    let open_beside = |input: &&Input| {
        let at = input.time.max;
        let beside = inputs.iter().filter(|other| {
            input.starts_at().is_none() || (other.time.min <= at && at <= other.time.max)
        });
        beside.map(|other| other.open_bytes()).sum()
    };
    inputs.iter().map(open_beside).max().unwrap_or(0)
}

/// The schema with text and bytes as views: rows are put together without copying what they hold.
fn viewed(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let viewed = view_of(field.data_type());
        Field::clone(field).with_data_type(viewed)
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

/// The type in which a merge holds a column.
pub(super) fn view_of(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        other => other.clone(),
    }
}

/// Our own error where a reader of ours gave it.
pub(super) fn reading(source: ParquetError) -> Error {
    match source {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => failed(ParquetError::External(other)),
        },
        other => failed(other),
    }
}

fn failed(source: ParquetError) -> Error {
    Error::Parquet {
        doing: "reading a segment to merge it",
        source,
    }
}
