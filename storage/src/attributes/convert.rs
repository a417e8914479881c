//! What a value is as SQL text, number and integer: the one place that decides it.
//!
//! | value | text | number | integer |
//! |---|---|---|---|
//! | string | itself | where it is a decimal number | where it is one in 64 bits |
//! | int | digits | nearest double | itself |
//! | double | JSON text, `NaN`, `Infinity`, `-Infinity` | itself | NULL |
//! | bool | `true`, `false` | NULL | NULL |
//! | bytes | base64 | NULL | NULL |
//! | array, kvlist | JSON text | NULL | NULL |
//! | empty | NULL | NULL | NULL |

use super::{decode, encode, kind::ValueKind, tagged::Tagged};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::borrow::Cow;

/// One attribute value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// Padded standard base64.
    Bytes(&'a str),
    /// Canonical JSON of an array or a kvlist.
    Nested(&'a str),
}

impl<'a> Value<'a> {
    /// The value of a canonical JSON text; `None` if it is not canonical.
    pub fn parse(json: &'a str) -> Option<Value<'a>> {
        Some(match json.as_bytes().first()? {
            b'"' => Value::Text(decode::string(json)?),
            b't' => Value::Bool(true),
            b'f' => Value::Bool(false),
            b'n' => Value::Null,
            b'{' => match Tagged::parse(json) {
                Some(Tagged::Double(value)) => Value::Double(value),
                Some(Tagged::Bytes(base64)) => Value::Bytes(base64),
                None => Value::Nested(json),
            },
            b'[' => Value::Nested(json),
            // A finite double always has a `.` or an `e`.
            _ if json.bytes().any(|b| matches!(b, b'.' | b'e')) => {
                Value::Double(json.parse().ok()?)
            }
            _ => Value::Int(json.parse().ok()?),
        })
    }

    /// The type of the promoted column that can hold this value; `None`: it stays in the overflow.
    pub fn kind(&self) -> Option<ValueKind> {
        match self {
            Value::Text(_) => Some(ValueKind::Text),
            Value::Int(_) => Some(ValueKind::Int),
            Value::Double(_) => Some(ValueKind::Double),
            Value::Bool(_) => Some(ValueKind::Bool),
            Value::Null | Value::Bytes(_) | Value::Nested(_) => None,
        }
    }

    /// Appends the canonical JSON of the value.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => encode::null(out),
            Value::Bool(value) => encode::boolean(out, *value),
            Value::Int(value) => encode::int(out, *value),
            Value::Double(value) => encode::double(out, *value),
            Value::Text(value) => encode::text(out, value),
            Value::Bytes(base64) => Tagged::Bytes(base64).write(out),
            Value::Nested(json) => out.extend_from_slice(json.as_bytes()),
        }
    }

    /// The value as text; `None` is SQL's NULL.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Null => None,
            Value::Bool(value) => Some(Cow::Borrowed(bool_text(value))),
            Value::Int(value) => Some(Cow::Owned(int_text(value))),
            Value::Double(value) => Some(Cow::Owned(double_text(value))),
            Value::Text(value) => Some(value),
            Value::Bytes(text) | Value::Nested(text) => Some(Cow::Borrowed(text)),
        }
    }

    /// The value as a number; `None` is SQL's NULL.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(int_number(*value)),
            Value::Double(value) => Some(*value),
            Value::Text(value) => text_number(value),
            _ => None,
        }
    }

    /// The value as an integer; `None` is SQL's NULL.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Text(value) => text_int(value),
            _ => None,
        }
    }
}

/// The text of a boolean.
pub fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The text of an integer.
pub fn int_text(value: i64) -> String {
    itoa::Buffer::new().format(value).to_string()
}

/// The text of a double; every NaN is `NaN`.
pub fn double_text(value: f64) -> String {
    if value.is_finite() {
        ryu::Buffer::new().format_finite(value).to_string()
    } else if value.is_nan() {
        "NaN".to_string()
    } else if value > 0.0 {
        "Infinity".to_string()
    } else {
        "-Infinity".to_string()
    }
}

/// The number of an integer: the nearest double.
pub fn int_number(value: i64) -> f64 {
    value as f64
}

/// The number of a text: an optional sign, digits with at most one `.`, an optional exponent; nothing else,
/// no white space, no `inf`, no `nan`. What is too large for a double is an infinity.
pub fn text_number(text: &str) -> Option<f64> {
    let decimal = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    // Of these characters alone, Rust's grammar is exactly the one above.
    if !text.bytes().all(decimal) {
        return None;
    }
    text.parse().ok()
}

/// The integer of a text: an optional sign and digits, within 64 bits.
pub fn text_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// The text of the JSON of a value, as [`Value::text`].
pub fn json_text(json: &str) -> Option<Cow<'_, str>> {
    Value::parse(json)?.text()
}

/// The number of the JSON of a value, as [`Value::number`].
pub fn json_number(json: &str) -> Option<f64> {
    Value::parse(json)?.number()
}

/// The integer of the JSON of a value, as [`Value::int`].
pub fn json_int(json: &str) -> Option<i64> {
    Value::parse(json)?.int()
}

/// The bytes of a [`Value::Bytes`]; `None` if it is not padded standard base64.
pub fn bytes(base64: &str) -> Option<Vec<u8>> {
    STANDARD.decode(base64).ok()
}
