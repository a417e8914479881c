//! The columns of every table as a decoder makes them and as the buffer keeps them.
//!
//! A table file `schema/<table>.rs` lists the fixed columns with their field ids. Text that repeats
//! within a request (resource, scope, names) is `Dictionary(Int32, Utf8)`; the rest is `Utf8`. Map columns
//! (`attributes`, `resource_attributes`, `scope_attributes`) hold canonical JSON (see `attributes`). A
//! segment file has the same columns in the same order, text as plain `Utf8`, then the row id, then the
//! promoted columns; sample-like tables split `timestamp` (see `segment`).

mod dead_letters;
mod logs;
mod metrics;
mod spans;

use crate::signal::Table;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::{collections::HashMap, sync::Arc};

/// The key of Parquet field ids in Arrow field metadata.
pub const FIELD_ID: &str = "PARQUET:field_id";

/// The first field id of promoted columns; fixed columns stay below.
pub const FIRST_PROMOTED_FIELD_ID: i32 = 1000;

/// The columns that make the stable id of a row, in order: writer epoch, sequence, ordinal.
///
/// A batch from a decoder has `row_ordinal` only: the other two are the same for a whole request and are
/// kept beside the batch. They become columns of the segment and of every query.
pub const ROW_EPOCH: &str = "row_epoch";
/// See [`ROW_EPOCH`].
pub const ROW_SEQUENCE: &str = "row_sequence";
/// See [`ROW_EPOCH`].
pub const ROW_ORDINAL: &str = "row_ordinal";

/// The columns of a batch of `table` as decoders make it.
pub fn batch_schema(table: Table) -> SchemaRef {
    let fields = match table {
        Table::Logs => logs::fields(),
        Table::Spans => spans::spans(),
        Table::SpanEvents => spans::span_events(),
        Table::SpanLinks => spans::span_links(),
        Table::Series => metrics::series(),
        Table::Samples => metrics::samples(),
        Table::Histograms => metrics::histograms(),
        Table::Exemplars => metrics::exemplars(),
        Table::DeadLetters => dead_letters::fields(),
    };
    Arc::new(Schema::new(fields))
}

/// The type of instants: nanoseconds, UTC.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// The type of text that repeats within a request.
pub fn repeated_text() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn field(id: i32, name: &str, data_type: DataType, nullable: bool) -> Field {
    Field::new(name, data_type, nullable)
        .with_metadata(HashMap::from([(FIELD_ID.to_string(), id.to_string())]))
}

fn required(id: i32, name: &str, data_type: DataType) -> Field {
    field(id, name, data_type, false)
}

fn optional(id: i32, name: &str, data_type: DataType) -> Field {
    field(id, name, data_type, true)
}

/// The resource and scope columns that every record carries, ids 60 to 69.
fn resource_and_scope() -> Vec<Field> {
    vec![
        required(60, "resource_attributes", repeated_text()),
        required(61, "resource_dropped_attributes_count", DataType::Int64),
        optional(62, "resource_schema_url", repeated_text()),
        // `Resource.entity_refs` as canonical JSON: a list of objects.
        optional(68, "resource_entity_refs", repeated_text()),
        optional(63, "scope_name", repeated_text()),
        optional(64, "scope_version", repeated_text()),
        required(65, "scope_attributes", repeated_text()),
        required(66, "scope_dropped_attributes_count", DataType::Int64),
        optional(67, "scope_schema_url", repeated_text()),
    ]
}

/// The ordinal of the record in its request, counting every record offered, field id 72.
fn row_ordinal() -> Field {
    required(72, ROW_ORDINAL, DataType::Int32)
}
