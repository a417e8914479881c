//! Reads objects of segments for Parquet readers: footers from a cache, column chunks checked when first touched.
//!
//! The first touch of a column chunk fetches the whole chunk and compares its crc32c with the one in the footer, whose
//! own stands in the catalog; later touches fetch what they ask for. A mismatch is `Corrupt`, names object and column, and
//! is reported to the cache's hook. Where the bucket is far away, blocks come from a cache, and a reader that takes whole
//! column chunks has those of the next row group fetched meanwhile (`ahead`).

mod ahead;
mod cache;

pub use super::fetch::ReadCounters;
pub use cache::{Damage, DamageHook, ReadCache};

use super::{
    ObjectMeta,
    fetch::Source,
    footer::{self, Chunk},
    index::Index,
};
use crate::{
    error::{Error, Kind, Result},
    id::SegmentId,
    segment::LiveSegment,
    signal::Table,
};
use ahead::Ahead;
use bytes::Bytes;
use cache::Opened;
use futures::{FutureExt, future::BoxFuture};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::ParquetError,
    file::metadata::ParquetMetaData,
};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

/// Reads one object of a segment.
#[derive(Clone)]
pub struct SegmentReader {
    segment: SegmentId,
    /// Staged and committed copies are checked apart.
    staged: bool,
    object: Arc<ObjectMeta>,
    source: Source,
    cache: Arc<ReadCache>,
    counters: Arc<ReadCounters>,
    opened: OnceLock<Arc<Opened>>,
    ahead: Arc<Ahead>,
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
        let Some(object) = object else {
            let id = format!("{}.{table}", segment.meta.id);
            return Err(Error::NotFound { what: "object", id });
        };
        let source = cache.source(segment, &object.file, Some(object.footer_bytes))?;
        Ok(SegmentReader {
            segment: segment.meta.id,
            staged: segment.staged,
            object: Arc::new(object.clone()),
            source,
            cache,
            counters,
            opened: OnceLock::new(),
            ahead: Arc::default(),
        })
    }

    /// The footer with its page index, checked against the catalog's checksum.
    pub async fn footer(&self) -> Result<Arc<ParquetMetaData>> {
        Ok(self.opened().await?.metadata.clone())
    }

    /// The bytes of `ranges`, each from a column chunk that was checked.
    ///
    /// `Invalid` for a range that does not lie within one chunk, `Corrupt` for a chunk that fails its checksum.
    pub async fn ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let opened = self.opened().await?;
        let mut wanted = Vec::with_capacity(ranges.len());
        for range in &ranges {
            let chunk = opened.chunk_of(range).ok_or_else(|| Error::Invalid {
                what: "range",
                detail: format!("{range:?} of {} is in no column chunk", self.source.path()),
            })?;
            let checked = opened.is_checked(self.staged, chunk);
            let fetched = if checked {
                range.clone()
            } else {
                opened.chunks[chunk].range.clone()
            };
            wanted.push((chunk, checked, fetched));
        }
        let fetches: Vec<Range<u64>> = wanted.iter().map(|(.., fetched)| fetched.clone()).collect();
        let bytes = self.source.fetch(&fetches, &self.counters).await;
        let bytes = bytes.map_err(|e| self.damaged(e))?;
        let chunks = wanted.iter().map(|(chunk, ..)| *chunk);
        let touched = ranges.iter().zip(chunks);
        self.ahead
            .begin(&self.source, &opened, touched, &self.counters);
        let mut answers = Vec::with_capacity(ranges.len());
        // Two ranges of one unchecked chunk are two slices of the same fetch; the sum is taken once.
        let mut whole: BTreeMap<usize, Bytes> = BTreeMap::new();
        for ((range, (chunk, checked, fetched)), bytes) in ranges.iter().zip(wanted).zip(bytes) {
            let bytes = match whole.get(&chunk) {
                _ if checked => bytes,
                Some(whole) => whole.clone(),
                None => {
                    let found = self.whole(&opened, chunk, bytes).await?;
                    whole.insert(chunk, found.clone());
                    found
                }
            };
            let from = (range.start - fetched.start) as usize;
            answers.push(bytes.slice(from..from + (range.end - range.start) as usize));
        }
        Ok(answers)
    }

    /// The bytes of a chunk that were found whole: `bytes`, or those of the store where the cache's are damaged.
    async fn whole(&self, opened: &Opened, chunk: usize, bytes: Bytes) -> Result<Bytes> {
        let error = match self.compare(opened, chunk, &bytes) {
            Ok(()) => return Ok(bytes),
            Err(error) => error,
        };
        let range = opened.chunks[chunk].range.clone();
        let anew = self.source.fetch_anew(range, &self.counters).await;
        let Some(bytes) = anew.map_err(|e| self.damaged(e))? else {
            return Err(self.damaged(error));
        };
        self.compare(opened, chunk, &bytes)
            .map_err(|e| self.damaged(e))?;
        Ok(bytes)
    }

    /// Compares a chunk with its checksum, and remembers when it is whole.
    fn compare(&self, opened: &Opened, chunk: usize, bytes: &Bytes) -> Result<()> {
        let Chunk {
            checksum,
            row_group,
            column,
            ..
        } = opened.chunks[chunk];
        let found = crc32c::crc32c(bytes);
        if found == checksum {
            opened.set_checked(self.staged, chunk);
            return Ok(());
        }
        let column = opened
            .metadata
            .row_group(row_group)
            .column(column)
            .column_path()
            .string();
        let detail = format!("its crc32c is {found:08x} and should be {checksum:08x}");
        let what = format!(
            "column {column} in row group {row_group} of {}",
            self.source.path()
        );
        Err(Error::Corrupt { what, detail })
    }

    /// The footer and chunk list, from the cache or the object.
    async fn opened(&self) -> Result<Arc<Opened>> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.clone());
        }
        let opened = match self.cache.get(self.source.path().as_ref()) {
            Some(opened) => opened,
            None => {
                let metadata = Arc::new(self.read_footer().await?);
                self.cache
                    .insert(self.source.path().as_ref(), metadata)
                    .map_err(|e| self.damaged(e))?
            }
        };
        Ok(self.opened.get_or_init(|| opened).clone())
    }

    async fn read_footer(&self) -> Result<ParquetMetaData> {
        let size = self.object.file.size_bytes;
        let start = size.saturating_sub(self.object.footer_bytes);
        let path = self.source.path().as_ref();
        let parse = |tail: Bytes| {
            let found = crc32c::crc32c(&tail);
            let expected = self.object.file.checksum;
            if found == expected {
                return footer::parse(path, &tail, size);
            }
            let what = format!("the footer of {path}");
            let detail = format!("its crc32c is {found:08x} and should be {expected:08x}");
            Err(Error::Corrupt { what, detail })
        };
        let parsed = self
            .source
            .fetch_checked(start..size, &self.counters, parse);
        parsed.await.map_err(|e| self.damaged(e))
    }

    /// Reports `error` where it means that the object is damaged or gone.
    fn damaged(&self, error: Error) -> Error {
        // Bytes that pass their checksum and are of a newer format are not damaged.
        if matches!(error.kind(), Kind::Corrupt | Kind::NotFound) {
            self.cache.tell(&Damage {
                segment: self.segment,
                table: self.object.table,
                what: self.source.path().to_string(),
                detail: error.to_string(),
            });
        }
        error
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

    /// The footer, always with its page index: the two were checked and read together.
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

impl ReadCache {
    /// The index sidecar of `segment`, where it has one, from the cache or the object store. A damaged one is an error
    /// that the caller can do without.
    pub async fn index(
        &self,
        segment: &LiveSegment,
        counters: &ReadCounters,
    ) -> Result<Option<Arc<Index>>> {
        let Some(file) = &segment.meta.index else {
            return Ok(None);
        };
        if let Some(index) = self.get_index(&file.path, segment.staged) {
            return Ok(Some(index));
        }
        let index = Arc::new(Index::open(self.source(segment, file, None)?, file, counters).await?);
        self.insert_index(&file.path, segment.staged, index.clone());
        Ok(Some(index))
    }
}

#[cfg(test)]
mod tests;
