//! The columns of a table as SQL sees them, and as they lie in a segment's file and in a buffered request.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cairn_storage::{
    schema::{ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE, batch_schema, timestamp_type},
    segment::{
        ObjectMeta,
        layout::{MAX_TIMESTAMP, MIN_TIMESTAMP, fixed_schema, has_series, promoted_field},
    },
    signal::Table,
};
use std::sync::Arc;

/// The number of the segment or buffered request that a row comes from, within one snapshot. Hidden: only the
/// tables that the `metrics` view joins have it, so that a join stays inside a segment.
pub(crate) const PART: &str = "__part";

/// When a series has its first and its last point in its part: of its own in a segment, of the whole request in the
/// buffer. Hidden like [`PART`].
pub(crate) const EXTENT: [&str; 2] = [MIN_TIMESTAMP, MAX_TIMESTAMP];

/// The key in a file schema's metadata under which [`file_schema`] puts the number of the file in its scan.
pub(crate) const FILE_NUMBER: &str = "cairn.file";

/// The columns of `table` in SQL: text as `Utf8View`, the row id last where the table has one.
pub(crate) fn table_schema(table: Table) -> SchemaRef {
    let batch = batch_schema(table);
    let mut fields = Vec::with_capacity(batch.fields().len() + 2);
    for field in batch.fields() {
        if field.name() != ROW_ORDINAL {
            fields.push(plain(field));
        }
    }
    if has_row_id(table) {
        fields.push(Field::new(ROW_EPOCH, DataType::Int64, false));
        fields.push(Field::new(ROW_SEQUENCE, DataType::Int64, false));
        fields.push(Field::new(ROW_ORDINAL, DataType::Int32, false));
    }
    fields.extend(extent_fields(table));
    Arc::new(Schema::new(fields))
}

/// The columns [`EXTENT`], where `table` has them.
fn extent_fields(table: Table) -> impl Iterator<Item = Field> {
    let names = EXTENT.into_iter().filter(move |_| table == Table::Series);
    names.map(|name| Field::new(name, timestamp_type(), false))
}

/// Whether rows of `table` have a stable id and are sorted newest first in every segment.
pub(crate) fn has_row_id(table: Table) -> bool {
    !has_series(table) && table != Table::Series
}

/// Whether `table` has the hidden column [`PART`].
pub(crate) fn has_part(table: Table) -> bool {
    matches!(table, Table::Series | Table::Samples | Table::Histograms)
}

/// The hidden column [`PART`].
pub(crate) fn part_field() -> Field {
    Field::new(PART, DataType::Int32, false)
}

/// The columns of a buffered batch with what its rows share: row epoch, row sequence, part and, for series, extent.
pub(crate) fn buffered_schema(table: Table) -> SchemaRef {
    let mut fields: Vec<_> = batch_schema(table).fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(ROW_EPOCH, DataType::Int64, false)));
    fields.push(Arc::new(Field::new(ROW_SEQUENCE, DataType::Int64, false)));
    fields.push(Arc::new(part_field()));
    fields.extend(extent_fields(table).map(Arc::new));
    Arc::new(Schema::new(fields))
}

/// Columns that files of earlier builds lack, and the one among them whose statistics tell which files have them.
const LATER: [(Table, &str, &[&str]); 2] = [
    (
        Table::DeadLetters,
        "size_bytes",
        &[
            "record_resource",
            "record_scope",
            "record_metric",
            "letter_epoch",
            "letter_sequence",
            "letter_ordinal",
            "size_bytes",
        ],
    ),
    (
        Table::Histograms,
        // Of integers, so that there are statistics also where every value is NULL.
        "reset_hint",
        &[
            "count_double",
            "zero_count_double",
            "positive_counts_double",
            "negative_counts_double",
            "bucket_counts_double",
            "reset_hint",
        ],
    ),
];

/// The columns that every file of the table has by now, and this one has not.
fn missing_columns(object: &ObjectMeta) -> &'static [&'static str] {
    let later = LATER.iter().find(|(table, ..)| *table == object.table);
    match later {
        Some((_, told_by, columns)) if object.columns.iter().all(|c| c.column != *told_by) => {
            columns
        }
        _ => &[],
    }
}

/// The columns of an object, text as `Utf8View`, marked with the number of the file in its scan.
///
/// The reader gets it from here, so that it need not derive it from the footer, and the adapter of the file can tell which
/// file it is made for.
pub(crate) fn file_schema(object: &ObjectMeta, number: usize) -> SchemaRef {
    let fixed = fixed_schema(object.table);
    let missing = missing_columns(object);
    let fixed = fixed.fields().iter().map(|field| plain(field));
    let mut fields: Vec<Field> = fixed
        .filter(|field| !missing.contains(&field.name().as_str()))
        .collect();
    fields.extend(
        object
            .promoted
            .iter()
            .map(|promoted| plain(&promoted_field(promoted, 0))),
    );
    let metadata = [(FILE_NUMBER.to_string(), number.to_string())].into();
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// A field without metadata, its text as `Utf8View`.
fn plain(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8 | DataType::Dictionary(..) => DataType::Utf8View,
        other => other.clone(),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}
