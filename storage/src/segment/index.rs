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
    fetch::{ReadCounters, Source},
};
use crate::{
    error::{Error, Result},
    signal::Table,
};
use bytes::Bytes;
use filter::{BUCKET_BYTES, Hash};
use format::{Directory, EXACT, Section};
use std::ops::Range;

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
    source: Source,
    head: Head,
}

/// The start of a sidecar, at least as far as its head goes.
pub(crate) struct Head {
    what: String,
    start: Bytes,
    directory: Directory,
}

/// What the start of a sidecar says about a token.
pub(crate) enum Answer<'a> {
    Known(Blocks),
    /// The bytes of this range, given to [`Section::probe`], say it.
    Ask(&'a Section, Range<u64>),
}

impl Index {
    /// Opens the sidecar at `source`, reading and checking its head.
    pub(crate) async fn open(
        source: Source,
        file: &FileMeta,
        counters: &ReadCounters,
    ) -> Result<Index> {
        let what = file.path.as_str();
        let first = 0..file.size_bytes.min(FIRST_READ_BYTES);
        let start = source.fetch_checked(first, counters, |start| {
            let head_bytes = format::head_bytes(what, &start)?;
            match head_bytes > start.len() as u64 {
                true => Ok(Err(head_bytes)),
                false => Head::parse(what, start).map(Ok),
            }
        });
        let head = match start.await? {
            Ok(head) => head,
            Err(head_bytes) => {
                let parse = |start| Head::parse(what, start);
                source.fetch_checked(0..head_bytes, counters, parse).await?
            }
        };
        Ok(Index { source, head })
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
        match self.head.blocks_with(table, column, token)? {
            Answer::Known(blocks) => Ok(blocks),
            Answer::Ask(section, range) => {
                let what = self.source.path().as_ref();
                let probe = |row: Bytes| section.probe(what, &row, Hash::of(token));
                let rows = self.source.fetch_checked(range, counters, probe).await?;
                Ok(Blocks::Rows(rows))
            }
        }
    }

    /// Bytes of memory that this index takes.
    pub fn memory_bytes(&self) -> u64 {
        let sections = self.head.directory.sections.len() * size_of::<Section>();
        (self.head.start.len() + sections) as u64
    }
}

impl Head {
    /// Checks the head of the sidecar that begins with `start`; `what` names it in errors.
    pub(crate) fn parse(what: &str, start: Bytes) -> Result<Head> {
        let length = format::head_bytes(what, &start)? as usize;
        if length > start.len() {
            let detail = "it ends within its head".to_string();
            return Err(Error::Corrupt {
                what: what.to_string(),
                detail,
            });
        }
        let directory = format::directory(what, &start.slice(..length))?;
        Ok(Head {
            what: what.to_string(),
            start,
            directory,
        })
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn blocks_with(
        &self,
        table: Table,
        column: &str,
        token: &[u8],
    ) -> Result<Answer<'_>> {
        let mut sections = self.directory.sections.iter();
        let wanted =
            |s: &&Section| s.kind == EXACT && s.table == table.as_str() && s.column == column;
        let Some(section) = sections.find(wanted) else {
            return Ok(Answer::Known(Blocks::Unknown));
        };
        let token = Hash::of(token);
        if !self.may_be_in_file(section, token)? {
            return Ok(Answer::Known(Blocks::Rows(Vec::new())));
        }
        let range = section.matrix_row(token);
        match self.start.get(range.start as usize..range.end as usize) {
            Some(row) => section
                .probe(&self.what, row, token)
                .map(|rows| Answer::Known(Blocks::Rows(rows))),
            None => Ok(Answer::Ask(section, range)),
        }
    }

    fn may_be_in_file(&self, section: &Section, token: Hash) -> Result<bool> {
        let filter = section.file_filter;
        let at = filter.offset as usize + token.bucket(filter.buckets as usize) * BUCKET_BYTES;
        let bucket = self
            .start
            .get(at..at + BUCKET_BYTES)
            .ok_or_else(|| Error::Corrupt {
                what: self.what.clone(),
                detail: "a filter lies beyond its head".to_string(),
            })?;
        Ok(token.is_in(bucket))
    }
}
