//! The index sidecar of a segment: which blocks of rows may hold a token.
//!
//! A block is 8,192 rows of a table's file, aligned with its pages. Of ids a filter over the whole file tells most absent
//! tokens from memory; one range of the sidecar then tells about all blocks. Of text one range of some KiB, the bucket of a
//! token in a dictionary, tells about file and blocks. The page `docs/formats/index.md` is the specification.

mod bits;
pub(crate) mod build;
pub(crate) mod collect;
mod filter;
pub(crate) mod format;
mod postings;
pub(crate) mod text;

#[cfg(test)]
mod tests;

use super::{
    FileMeta,
    fetch::{ReadCounters, Source},
};
use crate::{
    error::{Error, Result},
    signal::Table,
    text::{demand::Demand, token::Token},
};
use bytes::Bytes;
use filter::{BUCKET_BYTES, Hash};
use format::{Directory, EXACT, Section};
use futures::future::try_join_all;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};
use text::TextSection;

/// Rows of a block.
pub const BLOCK_ROWS: u64 = 8_192;

/// What is read of a sidecar at first: the head of most, the whole of small ones.
const FIRST_READ_BYTES: u64 = 64 << 10;

/// More tokens than these are not looked up: they would select most blocks, or ask more than the rows do.
const MOST_TOKENS: usize = 512;

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

    /// The blocks of the file of `table` that may hold what `demand` says of its texts and maps. Only the overflow of maps is
    /// indexed: who asks for a key that is promoted asks the wrong place.
    ///
    /// A request of some KiB for each token (fewer where buckets are the same, or lie in what is read at first), all at
    /// the same time.
    pub async fn blocks_that(
        &self,
        table: Table,
        demand: &Demand,
        counters: &ReadCounters,
    ) -> Result<Blocks> {
        let Some(section) = self.head.text(table) else {
            return Ok(Blocks::Unknown);
        };
        let mut tokens = Vec::new();
        demand.tokens(&mut tokens);
        if tokens.len() > MOST_TOKENS {
            return Ok(Blocks::Unknown);
        }
        let mut buckets: BTreeMap<usize, Vec<Token>> = BTreeMap::new();
        for token in tokens {
            if section.has(token.subject) {
                buckets
                    .entry(section.bucket(token))
                    .or_default()
                    .push(token);
            }
        }
        let buckets = buckets.into_iter();
        let probes = buckets.map(|(bucket, tokens)| self.probe(section, bucket, tokens, counters));
        let found: HashMap<Token, Vec<u32>> =
            try_join_all(probes).await?.into_iter().flatten().collect();
        Ok(match section.rows_of(demand, &found) {
            Some(rows) => Blocks::Rows(rows),
            None => Blocks::Unknown,
        })
    }

    /// The blocks of each of `tokens`, whose bucket is the same.
    async fn probe(
        &self,
        section: &TextSection,
        bucket: usize,
        tokens: Vec<Token>,
        counters: &ReadCounters,
    ) -> Result<Vec<(Token, Vec<u32>)>> {
        let what = self.head.what.as_str();
        let start = &self.head.start;
        let range = section.bucket_range(start, bucket);
        let range = range.ok_or_else(|| Error::Corrupt {
            what: what.to_string(),
            detail: "the places of its text are not in order".to_string(),
        })?;
        let probe = |bytes: Bytes| {
            let tokens = tokens.iter().map(|token| {
                let blocks = section.probe(what, &bytes, *token)?;
                Ok((*token, blocks))
            });
            tokens.collect::<Result<Vec<_>>>()
        };
        match range.end <= start.len() as u64 {
            true => probe(start.slice(range.start as usize..range.end as usize)),
            false => self.source.fetch_checked(range, counters, probe).await,
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

    /// The text of `table`, where this build can read it.
    pub(crate) fn text(&self, table: Table) -> Option<&TextSection> {
        let mut texts = self.directory.texts.iter();
        texts.find(|text| text.is_known() && text.table == table.as_str())
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
