//! Gives DataFusion's Parquet scan the readers of the store, which check what they read.

use super::SegmentPart;
use crate::scope::Scope;
use bytes::Bytes;
use cairn_storage::segment::read::SegmentReader;
use datafusion::{
    datasource::{listing::PartitionedFile, physical_plan::ParquetFileReaderFactory},
    error::{DataFusionError, Result},
    physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder},
};
use futures::future::BoxFuture;
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    file::metadata::ParquetMetaData,
};
use std::{fmt, ops::Range, sync::Arc};

/// Opens the files of one scan.
pub(super) struct Readers {
    pub(super) scope: Arc<Scope>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let part = file.extension::<Arc<SegmentPart>>().ok_or_else(|| {
            DataFusionError::Internal("a file of a scan is not of a segment".to_string())
        })?;
        let counters = self.scope.report().counters().clone();
        let table = part.object().table;
        let reader = self.scope.store().reader(&part.segment, table, counters);
        let reader = reader.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(Box::new(Reader {
            reader,
            part: part.clone(),
            scope: self.scope.clone(),
            // The scan has a metric of this name, which plans show, and leaves it to readers to count.
            scanned: MetricBuilder::new(metrics).counter("bytes_scanned", partition),
        }))
    }
}

/// Notes when a file is really opened: DataFusion also makes readers of files that it then skips.
struct Reader {
    reader: SegmentReader,
    part: Arc<SegmentPart>,
    scope: Arc<Scope>,
    scanned: Count,
}

fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        self.scanned.add(length(&range));
        self.reader.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        self.scanned.add(ranges.iter().map(length).sum());
        self.reader.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let segment = self.part.segment.meta.id;
        self.scope
            .report()
            .object_opened(segment, self.part.object().table);
        self.reader.get_metadata(options)
    }
}
