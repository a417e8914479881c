//! The bytes of a sidecar: header, directory, whole-file filters and places of text, then the block filters and the text.
//!
//! The page `docs/formats/index.md` is the specification.

use super::{
    filter::{BUCKET_BYTES, Hash},
    text::TextSection,
};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::ops::Range;

pub(crate) const MAGIC: &[u8; 8] = b"CAIRNIDX";
/// The version that this build writes.
pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 32;
/// Where the header keeps the checksum of the head, which leaves these four bytes out.
pub(crate) const CHECKSUM_AT: Range<usize> = 28..32;
/// Bytes of the checksum behind each row of a matrix.
pub(crate) const ROW_CHECKSUM_BYTES: usize = 4;

/// The kind of a section whose tokens are the bytes of values as a whole. Readers pass over kinds that they do not know.
pub(crate) const EXACT: &str = "exact";

/// The directory: all sections of the file.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Directory {
    pub(crate) sections: Vec<Section>,
    /// Tokens of text; files of earlier builds have none, and earlier builds pass over it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) texts: Vec<TextSection>,
}

/// The filters of one column.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Section {
    pub(crate) kind: String,
    pub(crate) table: String,
    pub(crate) column: String,
    /// Rows of the table's file.
    pub(crate) rows: u64,
    /// Rows of a block; the last block may have fewer.
    pub(crate) block_rows: u64,
    /// The filter over the whole file, within the head.
    pub(crate) file_filter: Filter,
    /// The filters of all blocks: for each bucket, that bucket of every block in turn, then the crc32c of these bytes.
    pub(crate) blocks: Filter,
    /// crc32c of the block filters as they lie in the file.
    pub(crate) crc32c: u32,
}

/// Where filters lie and how many buckets each has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Filter {
    /// From the start of the file.
    pub(crate) offset: u64,
    pub(crate) buckets: u64,
}

impl Section {
    /// How many blocks the file has.
    pub(crate) fn block_count(&self) -> u64 {
        self.rows.div_ceil(self.block_rows.max(1))
    }

    /// Bytes of one bucket of all blocks, with their checksum.
    pub(crate) fn matrix_row_bytes(&self) -> u64 {
        self.block_count() * BUCKET_BYTES as u64 + ROW_CHECKSUM_BYTES as u64
    }

    /// Where the buckets that decide about `token` lie.
    pub(crate) fn matrix_row(&self, token: Hash) -> Range<u64> {
        let bucket = token.bucket(self.blocks.buckets as usize) as u64;
        let start = self.blocks.offset + bucket * self.matrix_row_bytes();
        start..start + self.matrix_row_bytes()
    }

    /// Where all block filters lie.
    pub(crate) fn matrix(&self) -> Range<u64> {
        let start = self.blocks.offset;
        start..start + self.blocks.buckets * self.matrix_row_bytes()
    }

    /// The rows of the blocks that `row` (as [`Section::matrix_row`] names it) says may hold `token`.
    pub(crate) fn probe(&self, what: &str, row: &[u8], token: Hash) -> Result<Vec<Range<u64>>> {
        let (buckets, checksum) = row.split_at(row.len() - ROW_CHECKSUM_BYTES);
        if crc32c::crc32c(buckets).to_le_bytes() != checksum {
            let what = format!("the index of {} {} in {what}", self.table, self.column);
            return Err(Error::Corrupt {
                what,
                detail: "its checksum does not match".to_string(),
            });
        }
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (block, bucket) in buckets.chunks_exact(BUCKET_BYTES).enumerate() {
            if !token.is_in(bucket) {
                continue;
            }
            let start = block as u64 * self.block_rows;
            let end = (start + self.block_rows).min(self.rows);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        Ok(ranges)
    }
}

/// How long the head (header, directory, whole-file filters) is, from the header.
pub(crate) fn head_bytes(what: &str, header: &[u8]) -> Result<u64> {
    let damaged = |detail: &str| {
        Err(Error::Corrupt {
            what: what.to_string(),
            detail: detail.to_string(),
        })
    };
    if header.len() < HEADER_BYTES || &header[..8] != MAGIC {
        return damaged("it does not start as an index does");
    }
    let version = u32::from_le_bytes(header[8..12].try_into().expect("four bytes"));
    if version > VERSION {
        let detail = format!(
            "{what} has version {version}, and this build reads up to {VERSION}: use a newer build"
        );
        return Err(Error::Invalid {
            what: "index",
            detail,
        });
    }
    let head = u64::from_le_bytes(header[16..24].try_into().expect("eight bytes"));
    if head < HEADER_BYTES as u64 {
        return damaged("its head is shorter than its header");
    }
    Ok(head)
}

/// Checks the head and returns its directory; `head` is as long as [`head_bytes`] says.
pub(crate) fn directory(what: &str, head: &Bytes) -> Result<Directory> {
    let damaged = |detail: String| Error::Corrupt {
        what: what.to_string(),
        detail,
    };
    let checksum = u32::from_le_bytes(head[CHECKSUM_AT].try_into().expect("four bytes"));
    if head_checksum(head) != checksum {
        return Err(damaged(
            "the checksum of its head does not match".to_string(),
        ));
    }
    let length = u32::from_le_bytes(head[12..16].try_into().expect("four bytes")) as usize;
    let json = head
        .get(HEADER_BYTES..HEADER_BYTES + length)
        .ok_or_else(|| damaged("its directory is longer than its head".to_string()))?;
    let directory: Directory = serde_json::from_slice(json)
        .map_err(|e| damaged(format!("its directory is no JSON: {e}")))?;
    let mut known = directory.texts.iter().filter(|text| text.is_known());
    match known.all(|text| text.is_sound(head.len() as u64)) {
        true => Ok(directory),
        false => Err(damaged("its text lies beyond its head".to_string())),
    }
}

/// crc32c of the head without the checksum's own bytes.
pub(crate) fn head_checksum(head: &[u8]) -> u32 {
    let before = crc32c::crc32c(&head[..CHECKSUM_AT.start]);
    crc32c::crc32c_append(before, &head[CHECKSUM_AT.end..])
}
