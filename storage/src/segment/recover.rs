//! Rebuilds the catalog entry of a segment from its files alone.

use super::{
    FileMeta, SegmentMeta,
    fetch::{ReadCounters, fetch_one},
    footer::{self, Record},
    index::Head,
};
use crate::{
    error::{Error, Result},
    schema::FIRST_PROMOTED_FIELD_ID,
    signal::Table,
};
use bytes::Bytes;
use object_store::{ObjectStore, path::Path};
use parquet::file::{
    FOOTER_SIZE,
    metadata::{ParquetMetaData, ParquetMetaDataReader},
};

/// What is read from the end of an object at first: the whole footer of most.
const FIRST_READ_BYTES: u64 = 256 << 10;

/// What one object tells about its segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    pub tables: Vec<Table>,
    /// With this object alone, complete; without the index.
    pub segment: SegmentMeta,
    /// The promoted columns and their field ids.
    pub field_ids: Vec<(String, i32)>,
}

/// Reads the footer of the object at `path`.
///
/// There is no checksum to hold the footer against: `Corrupt` is what can be told from itself.
pub async fn object(store: &dyn ObjectStore, path: &Path, size_bytes: u64) -> Result<Recovered> {
    let counters = ReadCounters::default();
    let from_end = |bytes: u64| size_bytes.saturating_sub(bytes)..size_bytes;
    let first = fetch_one(store, path, from_end(FIRST_READ_BYTES), &counters).await?;
    let needed = metadata_bytes(path, &first, size_bytes)?;
    let mut tail = first;
    if needed > tail.len() as u64 {
        tail = fetch_one(store, path, from_end(needed), &counters).await?;
    }
    let footer_bytes = size_bytes - last_chunk_end(path, &tail, needed, size_bytes)?;
    let tail = match usize::try_from(footer_bytes)
        .ok()
        .filter(|bytes| *bytes <= tail.len())
    {
        Some(bytes) => tail.slice(tail.len() - bytes..),
        None => fetch_one(store, path, from_end(footer_bytes), &counters).await?,
    };
    let metadata = footer::parse(path.as_ref(), &tail, size_bytes)?;
    let Record {
        tables,
        mut segment,
    } = footer::record(path.as_ref(), &metadata)?;
    let [object] = segment.objects.as_mut_slice() else {
        return Err(damaged(
            path,
            "its record does not name one object".to_string(),
        ));
    };
    if object.file.path != path.as_ref() {
        return Err(damaged(
            path,
            format!("it was written as {}", object.file.path),
        ));
    }
    object.file.size_bytes = size_bytes;
    object.file.checksum = crc32c::crc32c(&tail);
    object.footer_bytes = footer_bytes;
    Ok(Recovered {
        tables,
        segment,
        field_ids: field_ids(&metadata),
    })
}

/// Puts the objects of one segment together; `Corrupt` when one is missing or they disagree.
pub fn segment(objects: Vec<Recovered>, index: Option<FileMeta>) -> Result<SegmentMeta> {
    let mut objects = objects.into_iter();
    let first = objects
        .next()
        .ok_or_else(|| Error::Internal("a segment without objects".into()))?;
    let what = format!("segment {}", first.segment.id);
    let damaged = |detail: String| Error::Corrupt {
        what: what.clone(),
        detail,
    };
    let mut segment = first.segment;
    for other in objects {
        let mut bare = segment.clone();
        bare.objects = other.segment.objects.clone();
        if bare != other.segment || first.tables != other.tables {
            return Err(damaged("its objects disagree about it".to_string()));
        }
        segment.objects.extend(other.segment.objects);
    }
    let position = |table: &Table| first.tables.iter().position(|t| t == table);
    segment
        .objects
        .sort_by_key(|object| position(&object.table));
    if !segment
        .objects
        .iter()
        .map(|object| object.table)
        .eq(first.tables.iter().copied())
    {
        let found: Vec<&str> = segment.objects.iter().map(|o| o.table.as_str()).collect();
        let expected: Vec<&str> = first.tables.iter().map(|table| table.as_str()).collect();
        return Err(damaged(format!(
            "it has the objects {found:?} of {expected:?}"
        )));
    }
    segment.index = index;
    Ok(segment)
}

/// The catalog entry of the sidecar at `path`, which is read as a whole and checked.
pub async fn index(store: &dyn ObjectStore, path: &Path, size_bytes: u64) -> Result<FileMeta> {
    let counters = ReadCounters::default();
    let bytes = fetch_one(store, path, 0..size_bytes, &counters).await?;
    Head::parse(path.as_ref(), bytes.clone())?;
    Ok(FileMeta {
        path: path.to_string(),
        size_bytes,
        checksum: crc32c::crc32c(&bytes),
    })
}

/// Bytes of the metadata with its trailer, from the last bytes of the file.
fn metadata_bytes(path: &Path, tail: &Bytes, size_bytes: u64) -> Result<u64> {
    let trailer = tail
        .len()
        .checked_sub(FOOTER_SIZE)
        .map(|start| &tail[start..])
        .filter(|trailer| trailer.ends_with(b"PAR1"))
        .ok_or_else(|| damaged(path, "it does not end as a Parquet file does".to_string()))?;
    let length = u32::from_le_bytes(trailer[..4].try_into().expect("four bytes"));
    let needed = u64::from(length) + FOOTER_SIZE as u64;
    if needed + FOOTER_SIZE as u64 > size_bytes {
        return Err(damaged(
            path,
            "its footer is longer than the file".to_string(),
        ));
    }
    Ok(needed)
}

/// Where the last column chunk ends: what follows is page index and footer.
fn last_chunk_end(path: &Path, tail: &Bytes, needed: u64, size_bytes: u64) -> Result<u64> {
    let start = tail.len() - needed as usize;
    let metadata = ParquetMetaDataReader::decode_metadata(&tail[start..tail.len() - FOOTER_SIZE])
        .map_err(|e| damaged(path, e.to_string()))?;
    let chunks = metadata
        .row_groups()
        .iter()
        .flat_map(|group| group.columns());
    let ends = chunks.map(|chunk| {
        // Checked here, because `byte_range` panics on what is negative.
        let start = chunk
            .dictionary_page_offset()
            .unwrap_or(chunk.data_page_offset());
        Some(u64::try_from(start).ok()? + u64::try_from(chunk.compressed_size()).ok()?)
    });
    let last = ends
        .collect::<Option<Vec<u64>>>()
        .and_then(|ends| ends.into_iter().max());
    last.filter(|end| *end + needed <= size_bytes)
        .ok_or_else(|| {
            damaged(
                path,
                "its column chunks are not where they can be".to_string(),
            )
        })
}

/// The promoted columns with their field ids.
fn field_ids(metadata: &ParquetMetaData) -> Vec<(String, i32)> {
    let fields = metadata.file_metadata().schema().get_fields();
    fields
        .iter()
        .map(|field| field.get_basic_info())
        .filter(|info| info.has_id() && info.id() >= FIRST_PROMOTED_FIELD_ID)
        .map(|info| (info.name().to_string(), info.id()))
        .collect()
}

fn damaged(path: &Path, detail: String) -> Error {
    Error::Corrupt {
        what: path.to_string(),
        detail,
    }
}
