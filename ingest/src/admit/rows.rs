//! The columns that admission looks at, and the records it refuses.

use arrow::{
    array::{Array, AsArray, Int64Array, RecordBatch},
    datatypes::{Int32Type, Int64Type},
};
use cairn_storage::{append::Reason, schema::ROW_ORDINAL};
use std::collections::BTreeMap;

/// Records to be refused, by ordinal; the first reason found stands.
pub(super) type Refused = BTreeMap<u32, (Reason, String)>;

/// A column that the schema of every batch of the table has.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    batch
        .column_by_name(name)
        .expect("decoders make every column of the schema")
}

/// The ids of the series of a metrics table.
pub(super) fn series_ids(batch: &RecordBatch) -> &Int64Array {
    column(batch, "series_id").as_primitive::<Int64Type>()
}

/// The ordinal of a row's record.
pub(super) fn ordinal(batch: &RecordBatch, row: usize) -> u32 {
    column(batch, ROW_ORDINAL)
        .as_primitive::<Int32Type>()
        .value(row) as u32
}
