//! What stands in a segment for an attribute or for a whole map: promoted columns and the overflow, put together.
//!
//! The adapter of a file puts these functions in the place of `attr(attributes, 'k')` and `attributes`. They are
//! never reached from a statement.

use super::evaluate::{Builder, Wanted, once_a_value};
use arrow::{
    array::StringViewBuilder,
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray},
    datatypes::{DataType, Float64Type, Int64Type},
};
use cairn_storage::{
    attributes::{convert::Value, merge},
    segment::ValueKind,
};
use datafusion::{
    error::{DataFusionError, Result},
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};
use std::{borrow::Cow, sync::Arc};

/// One key out of its promoted columns (one a type) and, last, the overflow where the key also occurs there.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct OfColumns {
    key: String,
    wanted: Wanted,
    kinds: Vec<ValueKind>,
    overflow: bool,
    signature: Signature,
}

impl OfColumns {
    /// The function over columns of `kinds`, in this order, and the overflow if `overflow`.
    pub fn udf(key: &str, wanted: Wanted, kinds: Vec<ValueKind>, overflow: bool) -> Arc<ScalarUDF> {
        let signature = Signature::variadic_any(Volatility::Immutable);
        let key = key.to_string();
        Arc::new(ScalarUDF::new_from_impl(OfColumns {
            key,
            wanted,
            kinds,
            overflow,
            signature,
        }))
    }
}

impl ScalarUDFImpl for OfColumns {
    fn name(&self) -> &str {
        "attr_of_columns"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.wanted.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let values = match arrays.as_slice() {
            [only] => once_a_value(only, |only| self.of(std::slice::from_ref(only), only.len())),
            arrays => self.of(arrays, arrays.first().map_or(args.number_rows, |a| a.len())),
        };
        Ok(ColumnarValue::Array(values?))
    }
}

impl OfColumns {
    /// The values of `rows` rows.
    fn of(&self, arrays: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let columns = columns(&self.kinds, arrays)?;
        let overflow = match self.overflow {
            true => Some(text(arrays.last())?),
            false => None,
        };
        let mut builder = Builder::new(self.wanted, rows);
        for row in 0..rows {
            match (columns.iter().find_map(|c| c.value(row)), overflow) {
                (Some(value), _) => builder.value(value),
                (None, Some(maps)) if maps.is_valid(row) => {
                    builder.entry(maps.value(row), &self.key)
                }
                _ => builder.null(),
            }
        }
        Ok(builder.finish())
    }
}

/// The whole map: the overflow and all promoted columns as the one canonical object that they came from.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WholeMap {
    /// Sorted by key; the columns come in this order, after the overflow.
    columns: Vec<(String, ValueKind)>,
    signature: Signature,
}

impl WholeMap {
    /// The function over the overflow and then `columns`, which are sorted by key.
    pub fn udf(columns: Vec<(String, ValueKind)>) -> Arc<ScalarUDF> {
        assert!(
            columns.is_sorted_by(|a, b| a.0 <= b.0),
            "promoted columns must be sorted by key"
        );
        let signature = Signature::variadic_any(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(WholeMap { columns, signature }))
    }
}

impl ScalarUDFImpl for WholeMap {
    fn name(&self) -> &str {
        "whole_map"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let overflow = text(arrays.first())?;
        let kinds: Vec<_> = self.columns.iter().map(|(_, kind)| *kind).collect();
        let columns = columns(&kinds, &arrays[1..])?;
        let mut builder = StringViewBuilder::with_capacity(overflow.len());
        let mut map = Vec::new();
        for row in 0..overflow.len() {
            if overflow.is_null(row) {
                builder.append_null();
                continue;
            }
            let promoted = self
                .columns
                .iter()
                .zip(&columns)
                .filter_map(|((key, _), column)| {
                    column.value(row).map(|value| (key.as_str(), value))
                });
            map.clear();
            merge::merge(&mut map, overflow.value(row), promoted);
            builder.append_value(
                std::str::from_utf8(&map).map_err(|_| {
                    DataFusionError::Internal("a map is not valid UTF-8".to_string())
                })?,
            );
        }
        Ok(ColumnarValue::Array(Arc::new(builder.finish())))
    }
}

/// A promoted column.
enum Column<'a> {
    Text(&'a StringViewArray),
    Int(&'a Int64Array),
    Double(&'a Float64Array),
    Bool(&'a BooleanArray),
}

impl<'a> Column<'a> {
    fn value(&self, row: usize) -> Option<Value<'a>> {
        match self {
            Column::Text(a) => a
                .is_valid(row)
                .then(|| Value::Text(Cow::Borrowed(a.value(row)))),
            Column::Int(a) => a.is_valid(row).then(|| Value::Int(a.value(row))),
            Column::Double(a) => a.is_valid(row).then(|| Value::Double(a.value(row))),
            Column::Bool(a) => a.is_valid(row).then(|| Value::Bool(a.value(row))),
        }
    }
}

fn columns<'a>(kinds: &[ValueKind], arrays: &'a [ArrayRef]) -> Result<Vec<Column<'a>>> {
    let column = |(kind, array): (&ValueKind, &'a ArrayRef)| {
        Some(match kind {
            ValueKind::Text => Column::Text(array.as_string_view_opt()?),
            ValueKind::Int => Column::Int(array.as_primitive_opt::<Int64Type>()?),
            ValueKind::Double => Column::Double(array.as_primitive_opt::<Float64Type>()?),
            ValueKind::Bool => Column::Bool(array.as_boolean_opt()?),
        })
    };
    kinds
        .iter()
        .zip(arrays)
        .map(column)
        .collect::<Option<_>>()
        .ok_or_else(|| {
            DataFusionError::Internal(
                "a promoted column has another type than its name".to_string(),
            )
        })
}

fn text(array: Option<&ArrayRef>) -> Result<&StringViewArray> {
    array.and_then(|a| a.as_string_view_opt()).ok_or_else(|| {
        DataFusionError::Internal("the overflow of a segment is not text".to_string())
    })
}
