//! Rows as one Parquet file, written as they come: a row group is closed before it takes more memory than [`GROUP_BYTES`].

use super::unique_names;
use crate::error::Result;
use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use datafusion::error::DataFusionError;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};
use std::sync::Arc;

/// The media type of a Parquet file, as registered with IANA.
pub const MEDIA_TYPE: &str = "application/vnd.apache.parquet";

/// Encoded and buffered bytes at which a row group is closed: its columns are in memory until then.
const GROUP_BYTES: usize = 16 << 20;

/// Rows at which it is closed in any case.
const GROUP_ROWS: usize = 1 << 20;

/// Rows that are looked at before the size is asked for again: bodies of a megabyte each are 64 MiB of them.
const STEP_ROWS: usize = 64;

/// Bytes of a batch that are small enough to be taken in one step.
const STEP_BYTES: usize = 1 << 20;

/// A file under way.
pub struct File {
    writer: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
}

impl File {
    /// A file of rows with `schema`; names are made unique, views and dictionaries are written as the plain type that they
    /// stand for, so that every reader takes them.
    pub fn new(schema: &Schema) -> Result<File> {
        let fields: Vec<Field> = unique_names(schema)
            .fields()
            .iter()
            .map(|f| plain(f))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by(concat!("cairn ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties));
        Ok(File {
            writer: writer.map_err(parquet)?,
            schema,
        })
    }

    /// Takes rows, and gives the bytes that are final.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns
            .map(|(column, field)| arrow::compute::cast(column, field.data_type()))
            .collect::<Result<Vec<_>, ArrowError>>()
            .map_err(DataFusionError::from)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let batch = batch.map_err(DataFusionError::from)?;
        let step = match batch.get_array_memory_size() > STEP_BYTES {
            true => STEP_ROWS,
            false => batch.num_rows().max(1),
        };
        for start in (0..batch.num_rows()).step_by(step) {
            let rows = batch.slice(start, step.min(batch.num_rows() - start));
            self.writer.write(&rows).map_err(parquet)?;
            if self.writer.memory_size() >= GROUP_BYTES {
                self.writer.flush().map_err(parquet)?;
            }
        }
        Ok(self.take())
    }

    /// The last row group and the footer: without them the file cannot be read.
    pub fn end(&mut self) -> Result<Vec<u8>> {
        self.writer.finish().map_err(parquet)?;
        Ok(self.take())
    }

    /// What has been written since it was last taken. The writer counts offsets by itself.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }
}

/// The type by which every reader knows the values of a field.
fn plain(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) if **values == DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}

fn parquet(error: ParquetError) -> DataFusionError {
    DataFusionError::ParquetError(Box::new(error))
}

#[cfg(test)]
mod tests;
