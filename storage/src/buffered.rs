//! A request whose rows are in the buffer.

use crate::{
    signal::Table,
    time::{Nanos, TimeRange},
};
use arrow::record_batch::RecordBatch;

/// The rows of one request in the buffer.
#[derive(Clone)]
pub struct BufferedRequest {
    /// The first two parts of the id of its rows.
    pub epoch: u64,
    pub sequence: u64,
    pub received: Nanos,
    /// Batches with the schema of `schema::batch_schema(table)`.
    pub tables: Vec<(Table, RecordBatch)>,
    /// The event times of its rows.
    pub time: TimeRange,
    pub memory_bytes: u64,
}

impl BufferedRequest {
    /// The batch of `table`, where the request has rows for it.
    pub fn batch(&self, table: Table) -> Option<&RecordBatch> {
        self.tables
            .iter()
            .find(|(t, _)| *t == table)
            .map(|(_, batch)| batch)
    }
}
