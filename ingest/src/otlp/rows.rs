//! The tables of the signals under construction: one field a column, one `push` a row.
//!
//! Walkers of other encodings can fill the same tables; nothing here knows a wire format. Text is bytes, checked
//! when a table is finished (see `columns`). Attribute text goes in first (`open_row`, `end_row`), since it is what can
//! fail; the rest of the row follows once all of a record's text is in, so that a rejected record takes back
//! text only.

pub mod context;
pub mod logs;
pub mod metrics;
pub mod spans;

use super::columns::Unfit;
use arrow::{array::ArrayRef, record_batch::RecordBatch};
use cairn_storage::{schema::batch_schema, signal::Table};

/// A trace id; zeros where there is none.
pub type TraceId = [u8; 16];

/// A span id; zeros where there is none.
pub type SpanId = [u8; 8];

/// The batch of `table`; nothing if it has no rows.
fn batch(table: Table, columns: Vec<ArrayRef>) -> Result<Option<(Table, RecordBatch)>, Unfit> {
    if columns.first().is_none_or(|column| column.is_empty()) {
        return Ok(None);
    }
    let batch = RecordBatch::try_new(batch_schema(table), columns).map_err(Unfit::Schema)?;
    Ok(Some((table, batch)))
}
