//! What stands in the footer of an object beside Parquet's own: the catalog entry and the checksums.

use super::{SEGMENT_FORMAT_VERSION, SegmentMeta};
use crate::{
    error::{Error, Result},
    signal::Table,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::metadata::{
        KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
    },
};
use std::ops::Range;

/// Key of the format version, decimal.
const FORMAT: &str = "cairn.format_version";
/// Key of the [`Record`], JSON.
const RECORD: &str = "cairn.segment";
/// Key of the crc32c of each column chunk: little-endian, row group after row group, base64.
const CHUNKS: &str = "cairn.chunk_crc32c";

/// The catalog entry of a segment as one of its objects knows it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// The tables that the segment has objects of.
    pub tables: Vec<Table>,
    /// With this object alone in `objects`, whose size, checksum and `footer_bytes` are 0: they are not known before
    /// the footer is written. Without `index`.
    pub segment: SegmentMeta,
}

/// The entries for the footer of a file whose row groups are written.
pub(crate) fn entries(record: &Record, chunks: &[u32]) -> Result<Vec<KeyValue>> {
    let json = serde_json::to_string(record)
        .map_err(|e| Error::Internal(format!("a segment's record is no JSON: {e}")))?;
    let bytes: Vec<u8> = chunks
        .iter()
        .flat_map(|checksum| checksum.to_le_bytes())
        .collect();
    Ok(vec![
        KeyValue::new(FORMAT.to_string(), SEGMENT_FORMAT_VERSION.to_string()),
        KeyValue::new(RECORD.to_string(), json),
        KeyValue::new(CHUNKS.to_string(), STANDARD.encode(bytes)),
    ])
}

/// The crc32c of each column chunk that `row_groups` describe; `written` holds the file's bytes from `start` on.
pub(crate) fn chunk_checksums(
    row_group: &RowGroupMetaData,
    written: &[u8],
    start: u64,
) -> Vec<u32> {
    let chunks = row_group.columns().iter().map(|column| column.byte_range());
    chunks
        .map(|(offset, length)| {
            let from = (offset - start) as usize;
            crc32c::crc32c(&written[from..from + length as usize])
        })
        .collect()
}

/// Parses the tail of an object: page index, metadata and trailer. `what` names the object in errors.
pub(crate) fn parse(what: &str, tail: &Bytes, file_bytes: u64) -> Result<ParquetMetaData> {
    let damaged = |e: ParquetError| Error::Corrupt {
        what: format!("the footer of {what}"),
        detail: e.to_string(),
    };
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.try_parse_sized(tail, file_bytes).map_err(damaged)?;
    let metadata = reader.finish().map_err(damaged)?;
    check_version(what, &metadata)?;
    Ok(metadata)
}

/// Refuses a file of a newer format by name.
fn check_version(what: &str, metadata: &ParquetMetaData) -> Result<()> {
    let version = entry(metadata, FORMAT).and_then(|text| text.parse::<u32>().ok());
    match version {
        Some(version) if version <= SEGMENT_FORMAT_VERSION => Ok(()),
        Some(version) => Err(Error::Invalid {
            what: "segment",
            detail: format!(
                "{what} has format version {version}, and this build reads up to {SEGMENT_FORMAT_VERSION}: use a newer build"
            ),
        }),
        None => Err(Error::Corrupt {
            what: format!("the footer of {what}"),
            detail: format!("it has no {FORMAT}"),
        }),
    }
}

/// The catalog entry in a footer.
pub(crate) fn record(what: &str, metadata: &ParquetMetaData) -> Result<Record> {
    let damaged = |detail| Error::Corrupt {
        what: format!("the footer of {what}"),
        detail,
    };
    let json = entry(metadata, RECORD).ok_or_else(|| damaged(format!("it has no {RECORD}")))?;
    serde_json::from_str(json).map_err(|e| damaged(format!("{RECORD}: {e}")))
}

/// A column chunk: where it lies, and its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) range: Range<u64>,
    pub(crate) checksum: u32,
    pub(crate) row_group: usize,
    pub(crate) column: usize,
}

/// The column chunks of an object, in the order of the file.
pub(crate) fn chunks(what: &str, metadata: &ParquetMetaData) -> Result<Vec<Chunk>> {
    let damaged = |detail| Error::Corrupt {
        what: format!("the footer of {what}"),
        detail,
    };
    let text = entry(metadata, CHUNKS).ok_or_else(|| damaged(format!("it has no {CHUNKS}")))?;
    let bytes = STANDARD
        .decode(text)
        .map_err(|e| damaged(format!("{CHUNKS}: {e}")))?;
    let (checksums, rest) = bytes.as_chunks::<4>();
    let count: usize = metadata
        .row_groups()
        .iter()
        .map(|row_group| row_group.num_columns())
        .sum();
    if checksums.len() != count || !rest.is_empty() {
        return Err(damaged(format!(
            "{CHUNKS} has {} bytes for {count} chunks",
            bytes.len()
        )));
    }
    let mut checksums = checksums.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let mut chunks = Vec::with_capacity(count);
    for (row_group, group) in metadata.row_groups().iter().enumerate() {
        for (column, (chunk, checksum)) in group.columns().iter().zip(&mut checksums).enumerate() {
            let (offset, length) = chunk.byte_range();
            chunks.push(Chunk {
                range: offset..offset + length,
                checksum,
                row_group,
                column,
            });
        }
    }
    chunks.sort_by_key(|chunk| chunk.range.start);
    Ok(chunks)
}

fn entry<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    entries
        .iter()
        .find(|entry| entry.key == key)?
        .value
        .as_deref()
}
