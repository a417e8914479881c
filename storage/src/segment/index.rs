//! The index sidecar of a segment: which blocks of rows may hold a token.
//!
//! A block is 8,192 rows of a table's file, aligned with its pages. A filter over the whole file tells most absent
//! tokens from memory; one range of the sidecar then tells about all blocks. The page `docs/formats/index.md` is the
//! specification.

pub(crate) mod build;
mod filter;
pub(crate) mod format;

#[cfg(test)]
mod tests;

use super::{
    FileMeta,
    fetch::{ReadCounters, fetch_one},
};
use crate::{
    error::{Error, Result},
    signal::Table,
};
use bytes::Bytes;
use filter::{BUCKET_BYTES, Hash};
use format::{Directory, EXACT, Section};
use object_store::{ObjectStore, path::Path};
use std::{ops::Range, sync::Arc};

/// Rows of a block.
pub const BLOCK_ROWS: u64 = 8_192;

/// What is read of a sidecar at first: the head of most, the whole of small ones.
const FIRST_READ_BYTES: u64 = 64 << 10;

/// The rows of a file that may hold a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocks {
    /// The sidecar says nothing about this column.
    Unknown,
    /// Every row that holds the token is in one of these ranges; sorted, not touching, possibly none.
    Rows(Vec<Range<u64>>),
}

/// An open index sidecar: its directory and whole-file filters are in memory.
pub struct Index {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// The file from its start, at least the head.
    start: Bytes,
    directory: Directory,
}

impl Index {
    /// Opens a sidecar, reading and checking its head.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        file: &FileMeta,
        counters: &ReadCounters,
    ) -> Result<Index> {
        let path = Path::parse(&file.path).map_err(|e| Error::Corrupt {
            what: file.path.clone(),
            detail: e.to_string(),
        })?;
        let first = 0..file.size_bytes.min(FIRST_READ_BYTES);
        let mut start = fetch_one(&*store, &path, first, counters).await?;
        let head_bytes = format::head_bytes(&file.path, &start)?;
        if head_bytes > start.len() as u64 {
            start = fetch_one(&*store, &path, 0..head_bytes, counters).await?;
        }
        let directory = format::directory(&file.path, &start.slice(..head_bytes as usize))?;
        Ok(Index {
            store,
            path,
            start,
            directory,
        })
    }

    /// The blocks of the file of `table` that may hold `token` (the bytes of the id) in `column`.
    ///
    /// At most one request, none where the whole-file filter tells that the token is absent.
    pub async fn blocks_with(
        &self,
        table: Table,
        column: &str,
        token: &[u8],
        counters: &ReadCounters,
    ) -> Result<Blocks> {
        let Some(section) = self.section(table, column) else {
            return Ok(Blocks::Unknown);
        };
        let token = Hash::of(token);
        if !self.may_be_in_file(section, token)? {
            return Ok(Blocks::Rows(Vec::new()));
        }
        let range = section.matrix_row(token);
        let row = match self.start.get(range.start as usize..range.end as usize) {
            Some(_) => self.start.slice(range.start as usize..range.end as usize),
            None => fetch_one(&*self.store, &self.path, range, counters).await?,
        };
        section
            .probe(self.path.as_ref(), &row, token)
            .map(Blocks::Rows)
    }

    /// Bytes of memory that this index takes.
    pub fn memory_bytes(&self) -> u64 {
        self.start.len() as u64 + (self.directory.sections.len() * size_of::<Section>()) as u64
    }

    fn section(&self, table: Table, column: &str) -> Option<&Section> {
        let mut sections = self.directory.sections.iter();
        sections.find(|s| s.kind == EXACT && s.table == table.as_str() && s.column == column)
    }

    fn may_be_in_file(&self, section: &Section, token: Hash) -> Result<bool> {
        let filter = section.file_filter;
        let at = filter.offset as usize + token.bucket(filter.buckets as usize) * BUCKET_BYTES;
        let bucket = self
            .start
            .get(at..at + BUCKET_BYTES)
            .ok_or_else(|| Error::Corrupt {
                what: self.path.to_string(),
                detail: "a filter lies beyond its head".to_string(),
            })?;
        Ok(token.is_in(bucket))
    }
}
