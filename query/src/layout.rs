//! The columns of a segment's files, until storage says them itself.

use arrow::datatypes::{DataType, Field, Schema};
use cairn_storage::{
    schema::{ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE, batch_schema, timestamp_type},
    segment::{Promoted, ValueKind},
    signal::Table,
};

pub(crate) const TIME_MS: &str = "time_ms";
pub(crate) const TIME_REST_NS: &str = "time_rest_ns";

pub(crate) fn has_series(table: Table) -> bool {
    matches!(table, Table::Samples | Table::Histograms | Table::Exemplars)
}

pub(crate) fn fixed_schema(table: Table) -> Schema {
    let required = |name: &str, data_type| Field::new(name, data_type, false);
    let mut fields = Vec::new();
    for field in batch_schema(table).fields() {
        match field.name().as_str() {
            "timestamp" if has_series(table) => {
                fields.push(required(TIME_MS, DataType::Int64));
                fields.push(required(TIME_REST_NS, DataType::Int32));
            }
            ROW_ORDINAL if has_series(table) => {}
            ROW_ORDINAL => {
                fields.push(required(ROW_EPOCH, DataType::Int64));
                fields.push(required(ROW_SEQUENCE, DataType::Int64));
                fields.push(field.as_ref().clone());
            }
            _ => fields.push(field.as_ref().clone()),
        }
    }
    if table == Table::Series {
        fields.push(required("min_timestamp", timestamp_type()));
        fields.push(required("max_timestamp", timestamp_type()));
        fields.push(required("row_start", DataType::Int64));
        fields.push(required("row_count", DataType::Int64));
    }
    Schema::new(fields)
}

pub(crate) fn promoted_field(promoted: &Promoted, _: i32) -> Field {
    let data_type = match promoted.kind {
        ValueKind::Text => DataType::Utf8,
        ValueKind::Int => DataType::Int64,
        ValueKind::Double => DataType::Float64,
        ValueKind::Bool => DataType::Boolean,
    };
    Field::new(&promoted.column, data_type, true)
}
