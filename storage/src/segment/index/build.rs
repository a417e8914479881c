//! Makes a sidecar while the files of a segment are written.

use super::{
    BLOCK_ROWS,
    collect::{Tokens, text_columns},
    filter::{BUCKET_BYTES, Hash, buckets},
    format::{
        CHECKSUM_AT, Directory, EXACT, Filter, HEADER_BYTES, MAGIC, ROW_CHECKSUM_BYTES, Section,
        VERSION, head_checksum,
    },
    text,
};
use crate::{
    error::{Error, Result},
    signal::Table,
};
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray};

/// The columns whose values are looked up one by one.
pub(crate) fn indexed_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Logs | Table::SpanEvents | Table::SpanLinks => &["trace_id"],
        Table::Spans => &["trace_id", "span_id"],
        _ => &[],
    }
}

/// Collects the tokens of a segment's columns.
#[derive(Default)]
pub(crate) struct Builder {
    columns: Vec<ColumnTokens>,
    texts: Vec<Tokens>,
}

/// The tokens of one column.
struct ColumnTokens {
    table: Table,
    column: &'static str,
    rows: u64,
    /// For each block its distinct hashes, sorted.
    blocks: Vec<Vec<Hash>>,
    /// Hashes of the block that is not full yet.
    open: Vec<Hash>,
}

/// What stands behind the directory: in the head, and behind it.
#[derive(Default)]
struct Content {
    /// The number of buckets and the bytes of each column's filter over all blocks.
    filters: Vec<(usize, Vec<u8>)>,
    /// The same of its filters of blocks.
    matrices: Vec<(usize, Vec<u8>)>,
    texts: Vec<text::Written>,
}

impl Builder {
    /// Adds the next rows of a column of `table`, in the order of the file, where it is one that is looked up.
    pub(crate) fn look_at(&mut self, table: Table, name: &str, values: &ArrayRef) -> Result<()> {
        let named = |columns: &'static [&'static str]| columns.iter().find(|c| **c == name);
        if let Some(column) = named(indexed_columns(table)) {
            self.add(table, column, values.as_fixed_size_binary());
        }
        let Some(column) = named(text_columns(table)) else {
            return Ok(());
        };
        let known = self.texts.iter().position(|tokens| tokens.table == table);
        let at = known.unwrap_or_else(|| {
            self.texts.push(Tokens::new(table));
            self.texts.len() - 1
        });
        self.texts[at].add(column, values)
    }

    /// Adds the next rows of a column of ids, in the order of the file.
    pub(crate) fn add(
        &mut self,
        table: Table,
        column: &'static str,
        values: &FixedSizeBinaryArray,
    ) {
        let known = self
            .columns
            .iter()
            .position(|c| c.table == table && c.column == column);
        let at = known.unwrap_or_else(|| {
            let (blocks, open) = (Vec::new(), Vec::new());
            self.columns.push(ColumnTokens {
                table,
                column,
                rows: 0,
                blocks,
                open,
            });
            self.columns.len() - 1
        });
        let tokens = &mut self.columns[at];
        for row in 0..values.len() {
            if values.is_valid(row) {
                tokens.open.push(Hash::of(values.value(row)));
            }
            tokens.rows += 1;
            if tokens.rows.is_multiple_of(BLOCK_ROWS) {
                tokens.close_block();
            }
        }
    }

    /// The bytes of the sidecar; `None` if there is no token in any column.
    pub(crate) fn finish(mut self) -> Result<Option<Vec<u8>>> {
        self.columns.retain_mut(|tokens| {
            if !tokens.rows.is_multiple_of(BLOCK_ROWS) {
                tokens.close_block();
            }
            // A column without tokens keeps its section: it says that no row has any.
            tokens.rows > 0
        });
        let mut content = Content::default();
        for tokens in std::mem::take(&mut self.texts) {
            content.texts.extend(text::write(tokens)?);
        }
        let mut ids = self.columns.iter().flat_map(|tokens| &tokens.blocks);
        if ids.all(Vec::is_empty) && content.texts.is_empty() {
            return Ok(None);
        }
        let columns = || self.columns.iter();
        content.matrices = columns().map(ColumnTokens::matrix).collect();
        content.filters = columns().map(ColumnTokens::file_filter).collect();
        self.assemble(&content).map(Some)
    }

    fn assemble(self, content: &Content) -> Result<Vec<u8>> {
        let mut directory = self.directory(content);
        // The directory's length depends on the offsets in it: placed until it stands still.
        let mut json = encode(&directory)?;
        loop {
            place(&mut directory, HEADER_BYTES + json.len(), content);
            let again = encode(&directory)?;
            if again.len() == json.len() {
                json = again;
                break;
            }
            json = again;
        }
        let in_head = || {
            let filters = content.filters.iter().map(|(_, bytes)| bytes);
            filters.chain(content.texts.iter().map(|text| &text.places))
        };
        let head_bytes = HEADER_BYTES + json.len() + in_head().map(Vec::len).sum::<usize>();
        let mut file = Vec::new();
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&VERSION.to_le_bytes());
        file.extend_from_slice(&(json.len() as u32).to_le_bytes());
        file.extend_from_slice(&(head_bytes as u64).to_le_bytes());
        file.extend_from_slice(&[0; 8]);
        file.extend_from_slice(&json);
        in_head().for_each(|bytes| file.extend_from_slice(bytes));
        let checksum = head_checksum(&file);
        file[CHECKSUM_AT].copy_from_slice(&checksum.to_le_bytes());
        let matrices = content.matrices.iter().map(|(_, bytes)| bytes);
        let texts = content.texts.iter().map(|text| &text.postings);
        matrices
            .chain(texts)
            .for_each(|bytes| file.extend_from_slice(bytes));
        Ok(file)
    }

    /// The directory with offsets yet to be placed.
    fn directory(&self, content: &Content) -> Directory {
        let columns = self.columns.iter().zip(&content.matrices);
        let columns = columns.zip(&content.filters);
        let sections = columns
            .map(|((tokens, (blocks, matrix)), (buckets, _))| Section {
                kind: EXACT.to_string(),
                table: tokens.table.to_string(),
                column: tokens.column.to_string(),
                rows: tokens.rows,
                block_rows: BLOCK_ROWS,
                file_filter: Filter {
                    offset: 0,
                    buckets: *buckets as u64,
                },
                blocks: Filter {
                    offset: 0,
                    buckets: *blocks as u64,
                },
                crc32c: crc32c::crc32c(matrix),
            })
            .collect();
        let texts = content.texts.iter().map(|text| text.section.clone());
        Directory {
            sections,
            texts: texts.collect(),
        }
    }
}

fn encode(directory: &Directory) -> Result<Vec<u8>> {
    serde_json::to_vec(directory)
        .map_err(|e| Error::Internal(format!("an index directory is no JSON: {e}")))
}

/// Gives everything its offset, from `offset` on: whole-file filters, places of text, block filters, text.
fn place(directory: &mut Directory, mut offset: usize, content: &Content) {
    let mut next = |bytes: &Vec<u8>| {
        offset += bytes.len();
        (offset - bytes.len()) as u64
    };
    for (section, (_, filter)) in directory.sections.iter_mut().zip(&content.filters) {
        section.file_filter.offset = next(filter);
    }
    for (section, text) in directory.texts.iter_mut().zip(&content.texts) {
        section.places = next(&text.places);
    }
    for (section, (_, matrix)) in directory.sections.iter_mut().zip(&content.matrices) {
        section.blocks.offset = next(matrix);
    }
    for (section, text) in directory.texts.iter_mut().zip(&content.texts) {
        section.postings = next(&text.postings);
    }
}

impl ColumnTokens {
    fn close_block(&mut self) {
        self.open.sort_unstable();
        self.open.dedup();
        self.blocks.push(self.open.clone());
        self.open.clear();
    }

    /// The number of buckets and the block filters, bucket by bucket.
    fn matrix(&self) -> (usize, Vec<u8>) {
        let buckets = buckets(self.blocks.iter().map(Vec::len).max().unwrap_or(0));
        let row_bytes = self.blocks.len() * BUCKET_BYTES + ROW_CHECKSUM_BYTES;
        let mut matrix = vec![0; buckets * row_bytes];
        for (block, hashes) in self.blocks.iter().enumerate() {
            for hash in hashes {
                let at = hash.bucket(buckets) * row_bytes + block * BUCKET_BYTES;
                hash.set(&mut matrix[at..at + BUCKET_BYTES]);
            }
        }
        for row in matrix.chunks_exact_mut(row_bytes) {
            let (filters, checksum) = row.split_at_mut(row_bytes - ROW_CHECKSUM_BYTES);
            checksum.copy_from_slice(&crc32c::crc32c(filters).to_le_bytes());
        }
        (buckets, matrix)
    }

    /// The number of buckets and the bytes of the filter over all blocks.
    fn file_filter(&self) -> (usize, Vec<u8>) {
        let mut all: Vec<Hash> = self.blocks.concat();
        all.sort_unstable();
        all.dedup();
        let buckets = buckets(all.len());
        let mut filter = vec![0; buckets * BUCKET_BYTES];
        for hash in all {
            let at = hash.bucket(buckets) * BUCKET_BYTES;
            hash.set(&mut filter[at..at + BUCKET_BYTES]);
        }
        (buckets, filter)
    }
}
