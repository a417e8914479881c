//! Batches as decoders make them, out of rows that name only what matters.

use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field},
};
use cairn_storage::{schema::batch_schema, signal::Table};
use datafusion::common::ScalarValue;
use std::sync::Arc;

/// A row: values of some columns. Others are NULL, or zero, empty text and empty maps where they must not be.
pub(crate) type Row = Vec<(&'static str, ScalarValue)>;

/// A batch of `table`.
pub(crate) fn batch(table: Table, rows: &[Row]) -> RecordBatch {
    let schema = batch_schema(table);
    for (name, _) in rows.iter().flatten() {
        assert!(
            schema.field_with_name(name).is_ok(),
            "{table} has no column {name}"
        );
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(field, rows))
        .collect();
    RecordBatch::try_new(schema, columns).expect("columns as their fields")
}

fn column(field: &Arc<Field>, rows: &[Row]) -> ArrayRef {
    let plain = match field.data_type() {
        DataType::Dictionary(_, value) => value.as_ref(),
        other => other,
    };
    let value = |row: &Row| {
        let given = row
            .iter()
            .find(|(name, _)| name == field.name())
            .map(|(_, value)| value);
        let given = given.map(|value| value.cast_to(plain).expect("a value of the column's type"));
        given.unwrap_or_else(|| default(field, plain))
    };
    let values = ScalarValue::iter_to_array(rows.iter().map(value)).expect("values of one type");
    cast(&values, field.data_type()).expect("text becomes a dictionary")
}

fn default(field: &Field, plain: &DataType) -> ScalarValue {
    let is_map = [
        "attributes",
        "resource_attributes",
        "scope_attributes",
        "metadata",
    ];
    if field.is_nullable() {
        ScalarValue::try_from(plain).expect("a NULL of any type")
    } else if is_map.contains(&field.name().as_str()) {
        text("{}")
    } else if *plain == DataType::Utf8 {
        text("")
    } else {
        ScalarValue::Int64(Some(0))
            .cast_to(plain)
            .expect("a number")
    }
}

/// A text.
pub(crate) fn text(value: impl Into<String>) -> ScalarValue {
    ScalarValue::Utf8(Some(value.into()))
}

/// An integer.
pub(crate) fn int(value: i64) -> ScalarValue {
    ScalarValue::Int64(Some(value))
}

/// A double.
pub(crate) fn double(value: f64) -> ScalarValue {
    ScalarValue::Float64(Some(value))
}

/// An instant in nanoseconds.
pub(crate) fn instant(nanos: i64) -> ScalarValue {
    ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into()))
}

/// An id of `length` bytes that counts up with `number`, its parts spread.
pub(crate) fn id(number: u64, length: usize) -> ScalarValue {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.splice(0..0, spread);
    ScalarValue::FixedSizeBinary(length as i32, Some(bytes[16 - length..].to_vec()))
}
