//! One key out of a column of canonical JSON maps, as text, number or integer.

use crate::codes::{self, Codes};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, DictionaryArray, Float64Builder, Int64Builder, StringArray,
        StringViewBuilder, new_null_array,
    },
    datatypes::{DataType, Int32Type},
};
use cairn_storage::attributes::{convert, decode};
use datafusion::error::{DataFusionError, Result};
use std::sync::Arc;

/// What an attribute is wanted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wanted {
    Text,
    Double,
    Int,
}

impl Wanted {
    /// The type of the column.
    pub fn data_type(self) -> DataType {
        match self {
            Wanted::Text => DataType::Utf8View,
            Wanted::Double => DataType::Float64,
            Wanted::Int => DataType::Int64,
        }
    }
}

/// A column under construction that holds an attribute.
pub(super) enum Builder {
    Text(StringViewBuilder),
    Double(Float64Builder),
    Int(Int64Builder),
}

impl Builder {
    pub(super) fn new(wanted: Wanted, rows: usize) -> Builder {
        match wanted {
            Wanted::Text => Builder::Text(StringViewBuilder::with_capacity(rows)),
            Wanted::Double => Builder::Double(Float64Builder::with_capacity(rows)),
            Wanted::Int => Builder::Int(Int64Builder::with_capacity(rows)),
        }
    }

    pub(super) fn null(&mut self) {
        match self {
            Builder::Text(builder) => builder.append_null(),
            Builder::Double(builder) => builder.append_null(),
            Builder::Int(builder) => builder.append_null(),
        }
    }

    /// Appends the value of `key` in the map `json`.
    pub(super) fn entry(&mut self, json: &str, key: &str) {
        let Some(value) = decode::find(json, key) else {
            return self.null();
        };
        match self {
            Builder::Text(builder) => builder.append_option(convert::json_text(value)),
            Builder::Double(builder) => builder.append_option(convert::json_number(value)),
            Builder::Int(builder) => builder.append_option(convert::json_int(value)),
        }
    }

    /// Appends a value of its own type.
    pub(super) fn value(&mut self, value: convert::Value<'_>) {
        match self {
            Builder::Text(builder) => builder.append_option(value.text()),
            Builder::Double(builder) => builder.append_option(value.number()),
            Builder::Int(builder) => builder.append_option(value.int()),
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Builder::Text(mut builder) => Arc::new(builder.finish()),
            Builder::Double(mut builder) => Arc::new(builder.finish()),
            Builder::Int(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// The value of `key` in each map of `maps` (text of any Arrow type, or a dictionary of it).
pub fn evaluate(maps: &ArrayRef, key: &str, wanted: Wanted) -> Result<ArrayRef> {
    match maps.data_type() {
        DataType::Utf8View => of_views(maps, key, wanted),
        DataType::Utf8 => Ok(of_texts(maps.as_string::<i32>(), key, wanted)),
        DataType::Dictionary(index, _) if **index == DataType::Int32 => {
            of_dictionary(maps.as_dictionary::<Int32Type>(), key, wanted)
        }
        DataType::Null => Ok(new_null_array(&wanted.data_type(), maps.len())),
        other => Err(DataFusionError::Plan(format!(
            "an attribute can be taken out of a map column only, not out of {other}"
        ))),
    }
}

fn of_texts(maps: &StringArray, key: &str, wanted: Wanted) -> ArrayRef {
    let mut builder = Builder::new(wanted, maps.len());
    for json in maps {
        match json {
            Some(json) => builder.entry(json, key),
            None => builder.null(),
        }
    }
    builder.finish()
}

/// Rows that are looked at before deciding whether values repeat.
const SAMPLE_ROWS: usize = 256;

/// In a column that repeats a value has at least so many rows.
const ROWS_PER_VALUE: usize = 4;

/// `of` over a column that may repeat: where it does, over one row of each different value.
pub(super) fn once_a_value(
    column: &ArrayRef,
    of: impl Fn(&ArrayRef) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let repeats = |codes: &Codes| codes.firsts.len() * ROWS_PER_VALUE <= codes.of_row.len();
    let sample = column.slice(0, column.len().min(SAMPLE_ROWS));
    if !repeats(&codes::of_column(&sample)?) {
        return of(column);
    }
    let codes = codes::of_column(column)?;
    codes.spread(&of(&codes.gather(column)?)?)
}

/// Maps that repeat (those of resources and scopes) are read once.
fn of_views(maps: &ArrayRef, key: &str, wanted: Wanted) -> Result<ArrayRef> {
    once_a_value(maps, |maps| {
        let maps = maps.as_string_view();
        let mut builder = Builder::new(wanted, maps.len());
        for json in maps {
            match json {
                Some(json) => builder.entry(json, key),
                None => builder.null(),
            }
        }
        Ok(builder.finish())
    })
}

fn of_dictionary(maps: &DictionaryArray<Int32Type>, key: &str, wanted: Wanted) -> Result<ArrayRef> {
    let values = evaluate(maps.values(), key, wanted)?;
    Ok(arrow::compute::take(&values, maps.keys(), None)?)
}
