//! Row ids of spans that are deleted: their events and links, which may lie in other segments, go with them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Spans that one tombstone deletes at most: 24 MB while it is not done.
pub const MAX_OWNERS: usize = 1_000_000;

/// Bytes of a row id on disk.
const ENTRY_BYTES: usize = 20;

/// Zstd's level: neighbours are nearly the same.
const ZSTD_LEVEL: i32 = 3;

/// Epoch, sequence, ordinal.
pub type RowId = (u64, u64, u32);

/// Row ids, sorted. In JSON base64 of zstd of 20 bytes each, little endian, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners(Vec<RowId>);

impl Owners {
    /// Of ids in any order.
    pub fn new(mut ids: Vec<RowId>) -> Owners {
        ids.sort_unstable();
        ids.dedup();
        Owners(ids)
    }

    /// Whether it has this one.
    pub fn contains(&self, id: RowId) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The lowest and the highest sequence; `None` where there are no ids.
    pub fn sequences(&self) -> Option<(u64, u64)> {
        let sequences = || self.0.iter().map(|(_, sequence, _)| *sequence);
        Some((sequences().min()?, sequences().max()?))
    }

    fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY_BYTES);
        for (epoch, sequence, ordinal) in &self.0 {
            bytes.extend_from_slice(&epoch.to_le_bytes());
            bytes.extend_from_slice(&sequence.to_le_bytes());
            bytes.extend_from_slice(&ordinal.to_le_bytes());
        }
        let packed = zstd::bulk::compress(&bytes, ZSTD_LEVEL);
        STANDARD.encode(packed.expect("compression into memory does not fail"))
    }

    fn of_text(text: &str) -> Result<Owners, String> {
        let packed = STANDARD.decode(text).map_err(|e| e.to_string())?;
        let bytes =
            zstd::bulk::decompress(&packed, MAX_OWNERS * ENTRY_BYTES).map_err(|e| e.to_string())?;
        if bytes.len() % ENTRY_BYTES != 0 {
            return Err("row ids end early".to_string());
        }
        let entry = |entry: &[u8]| {
            let word = |from: usize| {
                let bytes = entry[from..from + 8].try_into();
                u64::from_le_bytes(bytes.expect("eight bytes"))
            };
            let ordinal = entry[16..].try_into().expect("four bytes");
            (word(0), word(8), u32::from_le_bytes(ordinal))
        };
        Ok(Owners::new(
            bytes.chunks_exact(ENTRY_BYTES).map(entry).collect(),
        ))
    }
}

impl Serialize for Owners {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.to_text().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Owners {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Owners, D::Error> {
        let text = String::deserialize(from)?;
        Owners::of_text(&text).map_err(D::Error::custom)
    }
}
