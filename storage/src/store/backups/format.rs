//! The bytes of a backup of the catalog; `docs/formats/backup.md` describes them.
//!
//! A head that can be read without the body, the contents as zstd JSON, and a checksum over all of it.

use crate::{
    catalog::Contents,
    error::{Error, Result},
    id::OwnerId,
    store::rows_of_tables::TableRows,
    time::Nanos,
};
use bytes::{Buf, BufMut, Bytes};

/// The version that this build reads and writes.
pub(in crate::store) const FORMAT_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"cairncat";

/// Favours size: a backup is made once in minutes and kept for hours.
const ZSTD_LEVEL: i32 = 3;

/// No backup's contents are longer; more is damage.
const MAX_BODY_BYTES: u64 = 4 << 30;

/// Magic, version and length of the head.
const PREFIX_BYTES: usize = 16;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(in crate::store) struct Head {
    /// The number in its name.
    pub(in crate::store) sequence: u64,
    pub(in crate::store) taken: Nanos,
    /// The data folder whose catalog it is.
    pub(in crate::store) owner: Option<OwnerId>,
    /// Commits of the catalog until then.
    pub(in crate::store) commits: u64,
    /// What the live segments of then hold: what a restore has to find.
    pub(in crate::store) tables: Vec<TableRows>,
    /// Bytes of the contents, not compressed.
    pub(in crate::store) body_bytes: u64,
}

/// The contents as they stand in a backup, and their length before.
pub(in crate::store) fn pack(contents: &Contents) -> (Vec<u8>, u64) {
    let json = serde_json::to_vec(contents).expect("its fields all have a JSON form");
    let body = zstd::bulk::compress(&json, ZSTD_LEVEL);
    let body = body.expect("compression into memory does not fail");
    (body, json.len() as u64)
}

/// A whole backup of what [`pack`] made.
pub(in crate::store) fn join(head: &Head, body: &[u8]) -> Bytes {
    let head = serde_json::to_vec(head).expect("its fields all have a JSON form");
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + head.len() + body.len() + 4);
    bytes.put_slice(MAGIC);
    bytes.put_u32_le(FORMAT_VERSION);
    bytes.put_u32_le(head.len() as u32);
    bytes.put_slice(&head);
    bytes.put_slice(body);
    bytes.put_u32_le(crc32c::crc32c(&bytes));
    bytes.into()
}

/// Reads what [`join`] made; `what` names it.
///
/// `Corrupt` when it is damaged, `Invalid` when it is whole and a newer build wrote it.
pub(in crate::store) fn split(what: &str, bytes: &[u8]) -> Result<(Head, Contents)> {
    let damaged = |detail: String| Error::Corrupt {
        what: what.to_string(),
        detail,
    };
    let (sealed, seal) = bytes
        .split_last_chunk::<4>()
        .filter(|(sealed, _)| sealed.len() >= PREFIX_BYTES)
        .ok_or_else(|| damaged(format!("it has {} bytes", bytes.len())))?;
    if u32::from_le_bytes(*seal) != crc32c::crc32c(sealed) {
        return Err(damaged("its checksum does not match".to_string()));
    }
    let (mut prefix, rest) = sealed.split_at(PREFIX_BYTES);
    if !prefix.starts_with(MAGIC) {
        return Err(damaged("it does not begin as a backup does".to_string()));
    }
    prefix.advance(MAGIC.len());
    let (version, length) = (prefix.get_u32_le(), prefix.get_u32_le());
    if version != FORMAT_VERSION {
        return Err(Error::Invalid {
            what: "backup of the catalog",
            detail: format!(
                "{what} has format version {version} and this build knows {FORMAT_VERSION}: use a newer build"
            ),
        });
    }
    let (head, body) = rest
        .split_at_checked(length as usize)
        .ok_or_else(|| damaged("its head is longer than all of it".to_string()))?;
    let head: Head = serde_json::from_slice(head).map_err(|e| damaged(e.to_string()))?;
    let length = usize::try_from(head.body_bytes.min(MAX_BODY_BYTES)).unwrap_or(usize::MAX);
    let json = zstd::bulk::decompress(body, length).map_err(|e| damaged(e.to_string()))?;
    let contents = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
    Ok((head, contents))
}

#[cfg(test)]
mod tests;
