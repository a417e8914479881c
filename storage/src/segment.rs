//! Segments: immutable Parquet objects of one tenant and signal, and what the catalog knows of them.

pub mod fetch;
pub mod footer;
pub mod index;
pub mod layout;
pub mod live;
pub mod merge;
pub mod path;
pub mod promote;
pub mod read;
pub mod recover;
pub mod verify;
pub mod window;
pub mod write;

mod encode;
mod gather;
mod object;
mod order;
mod series;
mod sink;
mod stats;
mod target;

#[cfg(test)]
mod tests;

pub use crate::attributes::kind::ValueKind;
pub use live::LiveSegment;

use crate::{
    id::{SegmentId, TenantId},
    signal::{Signal, Table},
    time::{Nanos, TimeRange},
};

/// The version of the segment layout that this build writes.
pub const SEGMENT_FORMAT_VERSION: u32 = 1;

/// A committed or staged segment, as it stands in the catalog and in the footers of its objects.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SegmentMeta {
    pub id: SegmentId,
    pub format_version: u32,
    pub tenant: TenantId,
    pub signal: Signal,
    /// 0 at flush, one more at each compaction.
    pub level: u32,
    /// The event times of all rows.
    pub time: TimeRange,
    /// Rows of the signal's first table (for metrics: of samples and histograms).
    pub rows: u64,
    /// One Parquet object a table that has rows.
    pub objects: Vec<ObjectMeta>,
    /// The index sidecar, where there is one.
    pub index: Option<FileMeta>,
    /// The frames of the write-ahead log whose rows this segment holds.
    pub wal: Vec<WalRange>,
    /// The segments that this one replaces.
    pub replaces: Vec<SegmentId>,
    /// All segments that one flush wrote from the same frames, this one included: a rebuild of the catalog takes
    /// such a group as a whole or not at all. Empty means this one alone.
    #[serde(default)]
    pub siblings: Vec<SegmentId>,
}

impl SegmentMeta {
    /// The objects, then the index sidecar.
    pub fn files(&self) -> impl Iterator<Item = &FileMeta> {
        let objects = self.objects.iter().map(|object| &object.file);
        objects.chain(&self.index)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.size_bytes).sum()
    }

    /// When the last of its rows had arrived, at the latest: a flush makes the ids of its segments when their rows are
    /// there, and a compaction takes rows that were there when the segments that it replaces were made.
    pub fn arrived(&self) -> Nanos {
        let newest = match self.level {
            0 => None,
            _ => self.replaces.iter().map(|id| id.time()).max(),
        };
        newest.unwrap_or_else(|| self.id.time())
    }

    /// The highest sequence of the frames whose rows it holds, 0 without any.
    pub fn last_sequence(&self) -> u64 {
        let last = self.wal.iter().map(|range| range.last);
        last.max().unwrap_or(0)
    }
}

/// A stretch of frames of one shard: sequences `first..=last`, those of this tenant and signal in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WalRange {
    pub shard: u32,
    pub first: u64,
    pub last: u64,
}

/// A file of a segment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileMeta {
    /// Path in the bucket, `tenant=…/signal=…/date=…/hour=…/<ulid>.<table>.parquet` or `….idx`.
    pub path: String,
    pub size_bytes: u64,
    /// crc32c of the last `footer_bytes` bytes (Parquet) or of the whole file (index).
    pub checksum: u32,
}

/// A Parquet object and its statistics, enough to prune it without opening it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ObjectMeta {
    pub table: Table,
    pub file: FileMeta,
    /// Bytes of the page index and the Parquet footer with its length and magic: all that follows the last column
    /// chunk, to read it in one request. `file.checksum` covers these bytes.
    pub footer_bytes: u64,
    pub rows: u64,
    /// Statistics of columns that have any; others are simply not here: bodies, maps, lists, unsigned integers, and
    /// doubles that hold a NaN.
    pub columns: Vec<ColumnStats>,
    /// The promoted columns, sorted by name.
    pub promoted: Vec<Promoted>,
    /// The keys that occur in the `attributes` overflow, sorted; `None` when they are too many to list. Empty for
    /// tables without attributes.
    pub overflow_keys: Option<Vec<String>>,
}

/// An attribute key that has a column of its own in this object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Promoted {
    /// The attribute key.
    pub key: String,
    pub kind: ValueKind,
    /// The column, `a.<key>` for text, `a.<key>:int`, `:double`, `:bool` for the others.
    pub column: String,
}

/// The bounds of a column in one object.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ColumnStats {
    pub column: String,
    pub nulls: u64,
    /// Lower and upper bound, not always reached (long text is cut); `None` when every value is null.
    pub bounds: Option<Bounds>,
}

/// A lower and an upper bound, both inclusive.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// Integers and instants (nanoseconds).
    Int(i64, i64),
    /// Never NaN: a column with NaN has no bounds. Text in JSON, which has no infinity and whose readers may
    /// round.
    #[serde(with = "exact_doubles")]
    Double(f64, f64),
    Text(String, String),
    Bytes(Vec<u8>, Vec<u8>),
    Bool(bool, bool),
}

/// Doubles as text, each bit of which comes back.
mod exact_doubles {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        low: &f64,
        high: &f64,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        (format!("{low:?}"), format!("{high:?}")).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<(f64, f64), D::Error> {
        let (low, high) = <(String, String)>::deserialize(from)?;
        Ok((
            low.parse().map_err(D::Error::custom)?,
            high.parse().map_err(D::Error::custom)?,
        ))
    }
}
