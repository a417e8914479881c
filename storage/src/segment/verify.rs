//! Reads every byte of a segment and checks all that can be checked: checksums, counts, order, bounds, index.

mod rows;

use super::{FileMeta, ObjectMeta, SegmentMeta, footer, index::Head};
use crate::{
    error::{Error, Result},
    signal::Signal,
    world::World,
};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rows::RowChecks;

/// What a check of a segment found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub files: u64,
    pub bytes: u64,
    /// Rows of all objects.
    pub rows: u64,
    pub findings: Vec<Finding>,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    pub detail: String,
}

impl Report {
    /// Adds what another report says.
    pub fn add(&mut self, other: Report) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.rows += other.rows;
        self.findings.extend(other.findings);
    }
}

/// Checks all files of `segment`. What is wrong with them is in the report; an error means that the store could not be
/// asked.
pub async fn verify(
    world: &World,
    store: &dyn ObjectStore,
    segment: &SegmentMeta,
) -> Result<Report> {
    let mut report = Report::default();
    let index = match &segment.index {
        Some(file) => read(store, file, &mut report).await?,
        None => None,
    };
    if let (Some(bytes), Some(file)) = (&index, &segment.index) {
        report
            .findings
            .extend(findings(file, check_index(file, bytes)));
    }
    for object in &segment.objects {
        let Some(bytes) = read(store, &object.file, &mut report).await? else {
            continue;
        };
        let (segment, object, index) = (segment.clone(), object.clone(), index.clone());
        report.rows += object.rows;
        let found = world
            .blocking(move || {
                let checked = check_object(&segment, &object, &bytes, index.as_ref());
                findings(&object.file, checked)
            })
            .await?;
        report.findings.extend(found);
    }
    Ok(report)
}

/// The whole file; `None` if it is gone or of another size, which is in the report then.
async fn read(
    store: &dyn ObjectStore,
    file: &FileMeta,
    report: &mut Report,
) -> Result<Option<Bytes>> {
    report.files += 1;
    report.bytes += file.size_bytes;
    let mut found = |detail: String| {
        report.findings.push(Finding {
            path: file.path.clone(),
            detail,
        })
    };
    let Ok(path) = Path::parse(&file.path) else {
        found("its path is none".to_string());
        return Ok(None);
    };
    let bytes = match store.get(&path).await {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) if bytes.len() as u64 == file.size_bytes => Ok(Some(bytes)),
        Ok(bytes) => {
            found(format!(
                "it has {} bytes and should have {}",
                bytes.len(),
                file.size_bytes
            ));
            Ok(None)
        }
        Err(object_store::Error::NotFound { .. }) => {
            found("it does not exist".to_string());
            Ok(None)
        }
        Err(source) => Err(Error::Objects {
            doing: "reading a segment",
            source,
        }),
    }
}

fn findings(file: &FileMeta, checked: Result<Vec<String>>) -> Vec<Finding> {
    let details = checked.unwrap_or_else(|error| vec![error.to_string()]);
    details
        .into_iter()
        .map(|detail| Finding {
            path: file.path.clone(),
            detail,
        })
        .collect()
}

/// What is wrong with an object; an error ends the check of it.
fn check_object(
    segment: &SegmentMeta,
    object: &ObjectMeta,
    bytes: &Bytes,
    index: Option<&Bytes>,
) -> Result<Vec<String>> {
    let what = object.file.path.as_str();
    let mut found = Vec::new();
    let tail_start = bytes.len().saturating_sub(object.footer_bytes as usize);
    let tail = bytes.slice(tail_start..);
    if crc32c::crc32c(&tail) != object.file.checksum {
        return Err(damaged(
            what,
            "the checksum of its footer does not match the catalog",
        ));
    }
    if !bytes.starts_with(b"PAR1") {
        found.push("it does not begin as a Parquet file does".to_string());
    }
    let metadata = footer::parse(what, &tail, bytes.len() as u64)?;
    found.extend(check_record(
        segment,
        object,
        &footer::record(what, &metadata)?,
    ));
    let mut end = 4;
    for chunk in footer::chunks(what, &metadata)? {
        let name = metadata
            .row_group(chunk.row_group)
            .column(chunk.column)
            .column_path()
            .string();
        if chunk.range.start != end || chunk.range.end > tail_start as u64 {
            found.push(format!(
                "column {name} lies at {:?}, and {end} was expected",
                chunk.range
            ));
        }
        end = chunk.range.end;
        let chunk_bytes = bytes.get(chunk.range.start as usize..chunk.range.end as usize);
        if chunk_bytes.map(crc32c::crc32c) != Some(chunk.checksum) {
            found.push(format!(
                "column {name} in row group {} fails its checksum",
                chunk.row_group
            ));
        }
    }
    if end != tail_start as u64 {
        found.push(format!(
            "its chunks end at {end} and its footer starts at {tail_start}"
        ));
    }
    if !found.is_empty() {
        // Rows from damaged chunks would only repeat the finding, or worse.
        return Ok(found);
    }
    check_rows(segment, object, bytes, index)
}

fn check_rows(
    segment: &SegmentMeta,
    object: &ObjectMeta,
    bytes: &Bytes,
    index: Option<&Bytes>,
) -> Result<Vec<String>> {
    let undecodable = |e: &dyn std::fmt::Display| damaged(&object.file.path, &e.to_string());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())
        .and_then(|builder| builder.build())
        .map_err(|e| undecodable(&e))?;
    let mut checks = RowChecks::new(segment, object, index)?;
    for batch in reader {
        checks.batch(&batch.map_err(|e| undecodable(&e))?)?;
    }
    Ok(checks.finish())
}

/// What the footer says about the segment and the catalog does not.
fn check_record(
    segment: &SegmentMeta,
    object: &ObjectMeta,
    record: &footer::Record,
) -> Option<String> {
    let mut bare = object.clone();
    bare.file.size_bytes = 0;
    bare.file.checksum = 0;
    bare.footer_bytes = 0;
    let expected = SegmentMeta {
        objects: vec![bare],
        index: None,
        ..segment.clone()
    };
    let tables = segment.objects.iter().map(|object| object.table);
    (record.segment != expected || !record.tables.iter().copied().eq(tables))
        .then(|| "the catalog entry in its footer is not that of the catalog".to_string())
}

/// What is wrong with a sidecar by itself.
fn check_index(file: &FileMeta, bytes: &Bytes) -> Result<Vec<String>> {
    if crc32c::crc32c(bytes) != file.checksum {
        return Err(damaged(
            &file.path,
            "its checksum does not match the catalog",
        ));
    }
    let head = Head::parse(&file.path, bytes.clone())?;
    let sections = head.directory().sections.iter().filter(|section| {
        let range = section.matrix();
        let matrix = bytes.get(range.start as usize..range.end as usize);
        matrix.map(crc32c::crc32c) != Some(section.crc32c)
    });
    let mut found: Vec<String> = sections
        .map(|section| {
            format!(
                "section {} {} fails its checksum",
                section.table, section.column
            )
        })
        .collect();
    let tables = Signal::ALL.into_iter().flat_map(Signal::tables);
    for table in tables.copied() {
        let Some(text) = head.text(table) else {
            continue;
        };
        let range = text.postings_range(bytes);
        let postings = range.and_then(|r| bytes.get(r.start as usize..r.end as usize));
        if postings.map(crc32c::crc32c) != Some(text.crc32c) {
            found.push(format!("the text of {table} fails its checksum"));
        }
    }
    Ok(found)
}

fn damaged(what: &str, detail: &str) -> Error {
    Error::Corrupt {
        what: what.to_string(),
        detail: detail.to_string(),
    }
}

#[cfg(test)]
mod tests;
