//! Arrow IPC: a stream of the rows, and behind it a second stream of one row with the completeness.
//!
//! A reader that knows nothing of the second one stops at the end of the first. A reader that wants it opens
//! another stream where the first has ended.

use super::envelope;
use crate::{error::Result, sql::answer::AnswerEnd};
use arrow::{
    array::{RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::writer::StreamWriter,
};
use datafusion::error::DataFusionError;
use std::sync::Arc;

/// The column of the second stream.
const COMPLETENESS: &str = "completeness";

/// A stream under way.
pub(super) struct Stream {
    writer: StreamWriter<Vec<u8>>,
}

impl Stream {
    pub(super) fn new(schema: &Schema) -> Result<Stream> {
        let writer = StreamWriter::try_new(Vec::new(), schema).map_err(arrow)?;
        Ok(Stream { writer })
    }

    /// What has been written since it was last taken.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }

    pub(super) fn rows(&mut self, schema: &SchemaRef, batch: &RecordBatch) -> Result<Vec<u8>> {
        // Views would drag along the buffers of rows that are not in the answer.
        let columns = batch.columns().iter().map(compact).collect();
        let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(arrow)?;
        self.writer.write(&batch).map_err(arrow)?;
        Ok(self.take())
    }

    pub(super) fn end(&mut self, end: &AnswerEnd) -> Result<Vec<u8>> {
        self.writer.finish().map_err(arrow)?;
        let mut out = self.take();
        let schema = Arc::new(Schema::new(vec![Field::new(
            COMPLETENESS,
            DataType::Utf8,
            false,
        )]));
        let text = StringArray::from(vec![envelope::completeness(end)]);
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(text)]);
        let mut second = StreamWriter::try_new(&mut out, &schema).map_err(arrow)?;
        second.write(&batch.map_err(arrow)?).map_err(arrow)?;
        second.finish().map_err(arrow)?;
        drop(second);
        Ok(out)
    }
}

fn compact(column: &arrow::array::ArrayRef) -> arrow::array::ArrayRef {
    use arrow::array::AsArray;
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => Arc::clone(column),
    }
}

fn arrow(error: ArrowError) -> DataFusionError {
    DataFusionError::from(error)
}
