//! Reads objects of segments for Parquet readers: footers from a cache, column chunks checked when first touched.

use super::ObjectMeta;
use crate::{
    error::{Error, Result},
    id::SegmentId,
    signal::Table,
    snapshot::LiveSegment,
};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use object_store::{ObjectStore, path::Path};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::ParquetError,
    file::metadata::ParquetMetaData,
};
use std::{
    ops::Range,
    sync::{Arc, atomic::AtomicU64},
};

/// Damage that a reader found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub segment: SegmentId,
    pub table: Table,
    /// The object and, where one is concerned, the column.
    pub what: String,
    pub detail: String,
}

/// Called with each damage that a reader finds.
pub type DamageHook = Arc<dyn Fn(&Damage) + Send + Sync>;

/// What all readers share: footers, and which column chunks were found whole. Bounded.
pub struct ReadCache {
    damage: DamageHook,
}

impl ReadCache {
    /// A cache whose footers take at most `footer_bytes` of memory.
    pub fn new(footer_bytes: u64, damage: DamageHook) -> ReadCache {
        let _ = footer_bytes;
        ReadCache { damage }
    }

    /// Keeps a footer that was just written.
    pub fn insert_footer(&self, path: &str, footer: Arc<ParquetMetaData>) {
        let _ = (path, footer);
    }
}

/// What a query's readers fetched.
#[derive(Debug, Default)]
pub struct ReadCounters {
    /// Bytes asked of the object store.
    pub bytes: AtomicU64,
    /// Requests to the object store.
    pub requests: AtomicU64,
}

/// Reads one object of a segment.
#[derive(Clone)]
pub struct SegmentReader {
    segment: SegmentId,
    object: Arc<ObjectMeta>,
    store: Arc<dyn ObjectStore>,
    path: Path,
    cache: Arc<ReadCache>,
    counters: Arc<ReadCounters>,
}

impl SegmentReader {
    /// A reader of the object that holds `table` in `segment`; `NotFound` if it has none.
    pub fn new(
        segment: &LiveSegment,
        table: Table,
        cache: Arc<ReadCache>,
        counters: Arc<ReadCounters>,
    ) -> Result<SegmentReader> {
        let object = segment
            .meta
            .objects
            .iter()
            .find(|object| object.table == table);
        let (Some(object), Some(path)) = (object, segment.path(table)) else {
            let id = format!("{}.{table}", segment.meta.id);
            return Err(Error::NotFound { what: "object", id });
        };
        Ok(SegmentReader {
            segment: segment.meta.id,
            object: Arc::new(object.clone()),
            store: segment.store.clone(),
            path: path?,
            cache,
            counters,
        })
    }

    /// The footer with its page index, checked against the catalog's checksum.
    pub async fn footer(&self) -> Result<Arc<ParquetMetaData>> {
        let _ = (
            &self.segment,
            &self.object,
            &self.store,
            &self.path,
            &self.counters,
        );
        let _ = &self.cache.damage;
        Err(Error::Internal("segments are being built".to_string()))
    }

    /// The bytes of `ranges`, each from a column chunk that was checked.
    pub async fn ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        drop(ranges);
        Err(Error::Internal("segments are being built".to_string()))
    }
}

impl AsyncFileReader for SegmentReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let mut bytes = self.ranges(vec![range]).await.map_err(external)?;
            Ok(bytes.remove(0))
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { self.ranges(ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move { self.footer().await.map_err(external) }.boxed()
    }
}

/// Our error inside of Parquet's, where `source` finds it again.
fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
