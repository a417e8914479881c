//! The text section of a sidecar: where the tokens of a table's texts and maps are.

use super::{
    BLOCK_ROWS,
    collect::Tokens,
    postings::{self, Entries, HASH_BITS, Layout},
};
use crate::{
    error::{Error, Result},
    text::{
        demand::Demand,
        token::{Subject, Token},
        words::RULES,
    },
};
use std::{collections::HashMap, ops::Range};

/// The version of the section that this build writes. A section of a higher one is passed over.
const VERSION: u32 = 1;
/// Bytes of the place of a bucket.
const PLACE_BYTES: u64 = 4;
/// Distinct tokens are counted in a part of all hashes, this many of which make the whole, where there are many.
const SAMPLED: u32 = 16;
/// More tokens than these are not counted one by one.
const COUNTED: usize = 1 << 16;

/// The tokens of one table.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct TextSection {
    pub(crate) version: u32,
    /// The rules by which text was cut into words ([`RULES`]).
    pub(crate) rules: u32,
    pub(crate) table: String,
    /// Whose tokens are there, by [`Subject::as_str`].
    pub(crate) subjects: Vec<String>,
    /// Rows of the table's file.
    pub(crate) rows: u64,
    /// Rows of a block; the last block may have fewer.
    pub(crate) block_rows: u64,
    /// Blocks of which not all tokens are here: they may hold any.
    pub(crate) whole_blocks: Vec<u32>,
    pub(crate) layout: Layout,
    /// Where the head says where each bucket begins, and where the last ends: four bytes each, from the start of
    /// `postings`.
    pub(crate) places: u64,
    /// Where the buckets lie, from the start of the file.
    pub(crate) postings: u64,
    /// crc32c of all buckets as they lie in the file.
    pub(crate) crc32c: u32,
}

/// A section and its bytes, yet to be placed.
pub(super) struct Written {
    pub(super) section: TextSection,
    /// For the head.
    pub(super) places: Vec<u8>,
    pub(super) postings: Vec<u8>,
}

/// The section of `tokens`; `None` where there are none.
pub(super) fn write(mut tokens: Tokens) -> Result<Option<Written>> {
    let rows = tokens.finish()?;
    let whole_blocks = tokens.whole_blocks();
    let mut lists: Vec<(u32, &[u32])> = tokens.lists().collect();
    if lists.iter().all(|(_, hashes)| hashes.is_empty()) {
        return Ok(None);
    }
    let blocks = rows.div_ceil(BLOCK_ROWS) as u32;
    let layout = Layout::of(distinct(&lists), blocks);
    let mut places = Vec::new();
    let mut written = Vec::new();
    let mut pairs = Vec::new();
    for bucket in 0..layout.buckets() {
        places.extend_from_slice(&(written.len() as u32).to_le_bytes());
        take_bucket(&layout, bucket, &mut lists, &mut pairs);
        written.extend(postings::write(&layout, &pairs));
    }
    let end = u32::try_from(written.len());
    let end = end.map_err(|_| Error::Internal("a text index has 4 GiB".to_string()))?;
    places.extend_from_slice(&end.to_le_bytes());
    let subjects = Tokens::subjects_of(tokens.table).into_iter();
    let section = TextSection {
        version: VERSION,
        rules: RULES,
        table: tokens.table.to_string(),
        subjects: subjects.map(|s| s.as_str().to_string()).collect(),
        rows,
        block_rows: BLOCK_ROWS,
        whole_blocks,
        layout,
        places: 0,
        postings: 0,
        crc32c: crc32c::crc32c(&written),
    };
    Ok(Some(Written {
        section,
        places,
        postings: written,
    }))
}

/// About how many distinct hashes there are.
fn distinct(lists: &[(u32, &[u32])]) -> usize {
    let all: usize = lists.iter().map(|(_, hashes)| hashes.len()).sum();
    let (below, times) = match all <= COUNTED {
        true => (u32::MAX, 1),
        false => (u32::MAX / SAMPLED, SAMPLED),
    };
    let sample = lists.iter().flat_map(|(_, hashes)| {
        let end = hashes.partition_point(|hash| *hash <= below);
        &hashes[..end]
    });
    let mut sample: Vec<u32> = sample.copied().collect();
    sample.sort_unstable();
    sample.dedup();
    sample.len() * times as usize
}

/// Takes the fingerprints of a bucket off the front of each list, with their blocks: sorted, each pair once.
fn take_bucket(
    layout: &Layout,
    bucket: usize,
    lists: &mut [(u32, &[u32])],
    pairs: &mut Vec<(u32, u32)>,
) {
    pairs.clear();
    let end = (bucket as u64 + 1) << (HASH_BITS - layout.bucket_bits);
    for (block, hashes) in lists {
        let count = hashes.partition_point(|hash| u64::from(*hash) < end);
        let (taken, rest) = hashes.split_at(count);
        pairs.extend(taken.iter().map(|hash| (layout.fingerprint(*hash), *block)));
        *hashes = rest;
    }
    pairs.sort_unstable();
    pairs.dedup();
}

impl TextSection {
    /// Whether this build can read the section.
    pub(super) fn is_known(&self) -> bool {
        self.version <= VERSION
    }

    /// Whether it has all tokens of a subject, as this build makes them.
    pub(crate) fn has(&self, subject: Subject) -> bool {
        let is_listed = self.subjects.iter().any(|name| name == subject.as_str());
        is_listed && (!subject.is_words() || self.rules == RULES)
    }

    /// Whether the numbers of a directory make sense with a head of `head_bytes`.
    pub(super) fn is_sound(&self, head_bytes: u64) -> bool {
        let places = (self.layout.bucket_bits < 30).then(|| {
            let bytes = (self.layout.buckets() as u64 + 1) * PLACE_BYTES;
            self.places.saturating_add(bytes)
        });
        self.layout.is_sound()
            && self.block_rows > 0
            && u64::from(self.layout.blocks) == self.rows.div_ceil(self.block_rows)
            && places.is_some_and(|end| end <= head_bytes)
    }

    pub(super) fn bucket(&self, token: Token) -> usize {
        self.layout.bucket(token.hash)
    }

    /// Where a bucket lies in the file; `head` is at least as long as [`TextSection::is_sound`] was asked for.
    pub(super) fn bucket_range(&self, head: &[u8], bucket: usize) -> Option<Range<u64>> {
        let place = |number: usize| {
            let at = self.places as usize + number * PLACE_BYTES as usize;
            let bytes = head.get(at..)?.first_chunk::<4>()?;
            Some(self.postings + u64::from(u32::from_le_bytes(*bytes)))
        };
        let (start, end) = (place(bucket)?, place(bucket + 1)?);
        (start <= end).then_some(start..end)
    }

    /// Where all buckets lie.
    pub(crate) fn postings_range(&self, head: &[u8]) -> Option<Range<u64>> {
        let last = self.bucket_range(head, self.layout.buckets() - 1)?;
        Some(self.postings..last.end)
    }

    /// The blocks that may hold `token`, as the bytes of its bucket say.
    pub(super) fn probe(&self, what: &str, bucket: &[u8], token: Token) -> Result<Vec<u32>> {
        let entries = Entries::new(self.layout, what, bucket)?;
        Ok(entries.find(self.layout.fingerprint(token.hash)))
    }

    /// The rows that may hold what `demand` says, where `found` has the blocks of all its tokens that are indexed; `None`
    /// where that is all of them.
    pub(super) fn rows_of(
        &self,
        demand: &Demand,
        found: &HashMap<Token, Vec<u32>>,
    ) -> Option<Vec<Range<u64>>> {
        let blocks = self.blocks_of(demand, found)?;
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (block, _) in blocks.iter().enumerate().filter(|(_, may)| **may) {
            let start = block as u64 * self.block_rows;
            let end = (start + self.block_rows).min(self.rows);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        Some(ranges)
    }

    /// For each block whether it may hold what `demand` says.
    fn blocks_of(&self, demand: &Demand, found: &HashMap<Token, Vec<u32>>) -> Option<Vec<bool>> {
        let none = || vec![false; self.layout.blocks as usize];
        match demand {
            Demand::Token(token) => {
                let mut may = none();
                for block in found.get(token)?.iter().chain(&self.whole_blocks) {
                    if let Some(may) = may.get_mut(*block as usize) {
                        *may = true;
                    }
                }
                Some(may)
            }
            Demand::All(parts) => {
                let known = parts.iter().filter_map(|part| self.blocks_of(part, found));
                known.reduce(|a, b| a.iter().zip(&b).map(|(a, b)| *a && *b).collect())
            }
            Demand::Any(parts) => parts.iter().try_fold(none(), |may, part| {
                let part = self.blocks_of(part, found)?;
                Some(may.iter().zip(&part).map(|(a, b)| *a || *b).collect())
            }),
        }
    }

    /// Whether the buckets in `file` have every token of `tokens` in its block, as verification asks.
    pub(crate) fn holds(&self, what: &str, file: &[u8], tokens: &mut Tokens) -> Result<bool> {
        if tokens.finish()? != self.rows {
            return Ok(false);
        }
        let mut lists: Vec<(u32, &[u32])> = tokens.lists().collect();
        let mut pairs = Vec::new();
        for bucket in 0..self.layout.buckets() {
            take_bucket(&self.layout, bucket, &mut lists, &mut pairs);
            let range = self.bucket_range(file, bucket);
            let bytes = range.and_then(|r| file.get(r.start as usize..r.end as usize));
            let mut entries = Entries::new(self.layout, what, bytes.unwrap_or_default())?;
            let mut known: Vec<(u32, u32)> = Vec::new();
            while let Some((fingerprint, blocks)) = entries.next() {
                known.extend(blocks.iter().map(|block| (fingerprint, *block)));
            }
            let is_known = |pair: &(u32, u32)| {
                known.binary_search(pair).is_ok() || self.whole_blocks.contains(&pair.1)
            };
            if !pairs.iter().all(is_known) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
