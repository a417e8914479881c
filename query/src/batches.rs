//! What the languages beside SQL share: the time of a scan as filters, and the columns of its batches.

use crate::error::{Error, Result};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray},
    compute::cast,
    datatypes::DataType,
};
use datafusion::{
    common::ScalarValue,
    error::DataFusionError,
    logical_expr::{Expr, col, lit},
};

/// Rows whose `timestamp` is from the first instant through the last, ns.
pub(crate) fn in_time(from: i64, through: i64) -> [Expr; 2] {
    let instant = |ns: i64| {
        lit(ScalarValue::TimestampNanosecond(
            Some(ns),
            Some("UTC".into()),
        ))
    };
    [
        col("timestamp").gt_eq(instant(from)),
        col("timestamp").lt_eq(instant(through)),
    ]
}

/// A column that the scan was asked for.
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let missing = || Error::Internal(format!("a scan came without the column {name}"));
    batch.column_by_name(name).ok_or_else(missing)
}

/// A column of text, whatever its form.
pub(crate) fn text(batch: &RecordBatch, name: &str) -> Result<StringViewArray> {
    let views = cast(column(batch, name)?, &DataType::Utf8View).map_err(DataFusionError::from)?;
    Ok(views.as_string_view().clone())
}

/// The text of a row, "" for NULL.
pub(crate) fn value(texts: &StringViewArray, row: usize) -> &str {
    match texts.is_null(row) {
        true => "",
        false => texts.value(row),
    }
}
