//! One value of a column as JSON or as the text of a CSV field.

use super::time;
use crate::error::Result;
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
        LargeBinaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
    },
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Date64Type, Float16Type, Float32Type,
        Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
    util::display::{ArrayFormatter, FormatOptions},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use datafusion::error::DataFusionError;
use std::{fmt::Display, io::Write};

/// Appends the text of a row.
type WriteRow<'a> = dyn Fn(usize, &mut Vec<u8>) + 'a;

/// A column, its type known once for all rows.
pub(super) struct Column<'a> {
    array: &'a ArrayRef,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    /// Integers.
    Digits(Box<WriteRow<'a>>),
    Double(Box<dyn Fn(usize) -> f64 + 'a>),
    Single(&'a PrimitiveArray<Float32Type>),
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// Bytes as lower-case hexadecimal: fixed lengths are ids.
    Hex(&'a FixedSizeBinaryArray),
    /// Bytes of any length as base64.
    Base64(Box<dyn Fn(usize) -> &'a [u8] + 'a>),
    Instant(Box<dyn Fn(usize) -> i64 + 'a>, TimeUnit, bool),
    Days(Box<dyn Fn(usize) -> i64 + 'a>),
    /// The offsets of row `n` are `n` and `n + 1`.
    List(Box<Column<'a>>, Box<dyn Fn(usize) -> (usize, usize) + 'a>),
    Struct(Vec<(&'a str, Column<'a>)>),
    Dictionary(Box<Column<'a>>, Box<dyn Fn(usize) -> usize + 'a>),
    /// A number that a double may not hold: decimals.
    Number(ArrayFormatter<'a>),
    Other(ArrayFormatter<'a>),
}

impl<'a> Column<'a> {
    /// A writer of `array`.
    pub(super) fn new(array: &'a ArrayRef) -> Result<Column<'a>> {
        Ok(Column {
            array,
            values: values(array)?,
        })
    }

    /// Whether row `row` is NULL.
    pub(super) fn is_null(&self, row: usize) -> bool {
        match &self.values {
            Values::Null => true,
            Values::Dictionary(values, key) => self.array.is_null(row) || values.is_null(key(row)),
            _ => self.array.is_null(row),
        }
    }

    /// Appends row `row` as JSON.
    pub(super) fn json(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match &self.values {
            Values::Null => {}
            Values::Boolean(values) => out.extend_from_slice(truth(values.value(row))),
            Values::Digits(write) => write(row, out),
            Values::Double(value) => json_number(value(row), out),
            Values::Single(values) => json_single(values.value(row), out),
            Values::Text(value) => json_text(value(row), out),
            Values::List(items, offsets) => {
                let (from, to) = offsets(row);
                out.push(b'[');
                for item in from..to {
                    if item > from {
                        out.push(b',');
                    }
                    items.json(item, out);
                }
                out.push(b']');
            }
            Values::Struct(fields) => {
                out.push(b'{');
                for (position, (name, column)) in fields.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    json_text(name, out);
                    out.push(b':');
                    column.json(row, out);
                }
                out.push(b'}');
            }
            Values::Dictionary(values, key) => values.json(key(row), out),
            Values::Number(values) => write_to(out, values.value(row)),
            Values::Other(values) => json_text(&values.value(row).to_string(), out),
            Values::Hex(_) | Values::Base64(_) | Values::Instant(..) | Values::Days(_) => {
                // None of these has a character to escape.
                out.push(b'"');
                self.text(row, out);
                out.push(b'"');
            }
        }
    }

    /// Appends row `row`, which is not NULL, as text: lists and structs are JSON, the rest is bare.
    pub(super) fn text(&self, row: usize, out: &mut Vec<u8>) {
        match &self.values {
            Values::Text(value) => out.extend_from_slice(value(row).as_bytes()),
            Values::Double(value) => bare_double(value(row), out),
            Values::Single(values) => bare_single(values.value(row), out),
            Values::Hex(values) => write_to(out, hex::encode(values.value(row))),
            Values::Base64(value) => write_to(out, STANDARD.encode(value(row))),
            Values::Instant(value, unit, zoned) => time::instant(out, value(row), *unit, *zoned),
            Values::Days(value) => time::date(out, value(row)),
            Values::Dictionary(values, key) => values.text(key(row), out),
            Values::Number(values) | Values::Other(values) => write_to(out, values.value(row)),
            Values::Null
            | Values::Boolean(_)
            | Values::Digits(_)
            | Values::List(..)
            | Values::Struct(_) => self.json(row, out),
        }
    }
}

fn values(array: &ArrayRef) -> Result<Values<'_>> {
    Ok(match array.data_type() {
        DataType::Null => Values::Null,
        DataType::Boolean => Values::Boolean(array.as_boolean()),
        DataType::Int8 => digits::<Int8Type>(array),
        DataType::Int16 => digits::<Int16Type>(array),
        DataType::Int32 => digits::<Int32Type>(array),
        DataType::Int64 => digits::<Int64Type>(array),
        DataType::UInt8 => digits::<UInt8Type>(array),
        DataType::UInt16 => digits::<UInt16Type>(array),
        DataType::UInt32 => digits::<UInt32Type>(array),
        DataType::UInt64 => digits::<UInt64Type>(array),
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>();
            Values::Double(Box::new(|row| f64::from(values.value(row))))
        }
        DataType::Float32 => Values::Single(array.as_primitive()),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Values::Double(Box::new(|row| values.value(row)))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => text(array),
        DataType::FixedSizeBinary(_) => Values::Hex(array.as_fixed_size_binary()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => bytes(array),
        DataType::Timestamp(unit, zone) => {
            let value = instants(array, *unit);
            Values::Instant(value, *unit, zone.is_some())
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>();
            Values::Days(Box::new(|row| i64::from(values.value(row))))
        }
        DataType::Date64 => {
            let values = array.as_primitive::<Date64Type>();
            Values::Days(Box::new(|row| values.value(row).div_euclid(86_400_000)))
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => list(array)?,
        DataType::Struct(_) => structure(array)?,
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let keys = dictionary.normalized_keys();
            let values = Box::new(Column::new(dictionary.values())?);
            Values::Dictionary(values, Box::new(move |row| keys[row]))
        }
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Values::Number(formatter(array)?),
        _ => Values::Other(formatter(array)?),
    })
}

/// Types that are rare in answers: times of day, intervals, maps.
fn formatter(array: &ArrayRef) -> Result<ArrayFormatter<'_>> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new();
    Ok(ArrayFormatter::try_new(array.as_ref(), &OPTIONS).map_err(DataFusionError::from)?)
}

fn digits<T: ArrowPrimitiveType>(array: &ArrayRef) -> Values<'_>
where
    T::Native: Display,
{
    let values = array.as_primitive::<T>();
    Values::Digits(Box::new(|row, out| write_to(out, values.value(row))))
}

fn text(array: &ArrayRef) -> Values<'_> {
    Values::Text(match array.data_type() {
        DataType::Utf8 => {
            let values: &StringArray = array.as_string();
            Box::new(|row| values.value(row))
        }
        DataType::LargeUtf8 => {
            let values: &LargeStringArray = array.as_string();
            Box::new(|row| values.value(row))
        }
        _ => {
            let values: &StringViewArray = array.as_string_view();
            Box::new(|row| values.value(row))
        }
    })
}

fn bytes(array: &ArrayRef) -> Values<'_> {
    Values::Base64(match array.data_type() {
        DataType::Binary => {
            let values: &BinaryArray = array.as_binary();
            Box::new(|row| values.value(row))
        }
        DataType::LargeBinary => {
            let values: &LargeBinaryArray = array.as_binary();
            Box::new(|row| values.value(row))
        }
        _ => {
            let values: &BinaryViewArray = array.as_binary_view();
            Box::new(|row| values.value(row))
        }
    })
}

fn instants(array: &ArrayRef, unit: TimeUnit) -> Box<dyn Fn(usize) -> i64 + '_> {
    match unit {
        TimeUnit::Second => native::<TimestampSecondType>(array),
        TimeUnit::Millisecond => native::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => native::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => native::<TimestampNanosecondType>(array),
    }
}

fn native<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Box<dyn Fn(usize) -> i64 + '_> {
    let values = array.as_primitive::<T>();
    Box::new(|row| values.value(row))
}

fn list(array: &ArrayRef) -> Result<Values<'_>> {
    Ok(match array.data_type() {
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let offsets = lists.value_offsets();
            let range = |row: usize| (offsets[row] as usize, offsets[row + 1] as usize);
            Values::List(Box::new(Column::new(lists.values())?), Box::new(range))
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            let offsets = lists.value_offsets();
            let range = |row: usize| (offsets[row] as usize, offsets[row + 1] as usize);
            Values::List(Box::new(Column::new(lists.values())?), Box::new(range))
        }
        _ => {
            let lists = array.as_fixed_size_list();
            let size = lists.value_length() as usize;
            let range = move |row: usize| (row * size, (row + 1) * size);
            Values::List(Box::new(Column::new(lists.values())?), Box::new(range))
        }
    })
}

fn structure(array: &ArrayRef) -> Result<Values<'_>> {
    let structs = array.as_struct();
    let names = structs.fields().iter().map(|field| field.name().as_str());
    let columns = structs.columns().iter().map(Column::new);
    let fields = names.zip(columns).map(|(name, column)| Ok((name, column?)));
    Ok(Values::Struct(fields.collect::<Result<_>>()?))
}

fn truth(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}

/// What JSON cannot say is text.
fn json_number(value: f64, out: &mut Vec<u8>) {
    let quote = !value.is_finite();
    out.extend(quote.then_some(b'"'));
    bare_double(value, out);
    out.extend(quote.then_some(b'"'));
}

fn json_single(value: f32, out: &mut Vec<u8>) {
    let quote = !value.is_finite();
    out.extend(quote.then_some(b'"'));
    bare_single(value, out);
    out.extend(quote.then_some(b'"'));
}

/// The shortest digits that give the same double again, as in canonical JSON of attributes.
fn bare_double(value: f64, out: &mut Vec<u8>) {
    match special(value) {
        Some(name) => out.extend_from_slice(name),
        None => out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
    }
}

fn bare_single(value: f32, out: &mut Vec<u8>) {
    match special(f64::from(value)) {
        Some(name) => out.extend_from_slice(name),
        None => out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
    }
}

fn special(value: f64) -> Option<&'static [u8]> {
    if value.is_nan() {
        Some(b"NaN")
    } else if value == f64::INFINITY {
        Some(b"Infinity")
    } else if value == f64::NEG_INFINITY {
        Some(b"-Infinity")
    } else {
        None
    }
}

/// Appends a JSON string.
pub(super) fn json_text(text: &str, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    drop(serde_json::to_writer(out, text));
}

fn write_to(out: &mut Vec<u8>, value: impl Display) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}
