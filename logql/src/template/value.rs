//! What a template computes with.

use super::moment::Moment;
use std::{
    collections::BTreeMap,
    fmt::{Display, Formatter, Result},
};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Time(Moment),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    /// All labels of the line, which are looked up in the input.
    Labels,
}

impl Value {
    /// Whether `if` takes it for true: not zero, not empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            Value::Time(_) | Value::Labels => true,
        }
    }

    /// The name of its type, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Time(_) => "time",
            Value::List(_) => "list",
            Value::Map(_) | Value::Labels => "map",
        }
    }

    /// As sprig's functions read a whole number: what is none is 0.
    pub(super) fn to_int(&self) -> i64 {
        match self {
            Value::Bool(value) => i64::from(*value),
            Value::Int(value) => *value,
            Value::Float(value) => *value as i64,
            Value::Text(text) => text.trim_start_matches('+').parse().unwrap_or(0),
            _ => 0,
        }
    }

    /// As sprig's functions read a number: what is none is 0.
    pub(super) fn to_float(&self) -> f64 {
        match self {
            Value::Bool(value) => f64::from(u8::from(*value)),
            Value::Int(value) => *value as f64,
            Value::Float(value) => *value,
            Value::Text(text) => text.parse().unwrap_or(0.0),
            _ => 0.0,
        }
    }

    pub(super) fn of_json(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(value) => Value::Float(value.as_f64().unwrap_or(0.0)),
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(Value::of_json).collect())
            }
            serde_json::Value::Object(entries) => {
                let entry = |(key, value)| (key, Value::of_json(value));
                Value::Map(entries.into_iter().map(entry).collect())
            }
        }
    }
}

/// As Go prints it with `%v`.
impl Display for Value {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Value::Nil => formatter.write_str("<no value>"),
            Value::Bool(value) => write!(formatter, "{value}"),
            Value::Int(value) => write!(formatter, "{value}"),
            Value::Float(value) => formatter.write_str(&float(*value)),
            Value::Text(text) => formatter.write_str(text),
            Value::Time(moment) => formatter.write_str(&moment.to_text()),
            Value::List(items) => {
                let texts: Vec<String> = items.iter().map(Value::to_string).collect();
                write!(formatter, "[{}]", texts.join(" "))
            }
            Value::Map(entries) => {
                let entry = |(key, value): (&String, &Value)| format!("{key}:{value}");
                let texts: Vec<String> = entries.iter().map(entry).collect();
                write!(formatter, "map[{}]", texts.join(" "))
            }
            Value::Labels => formatter.write_str("map[]"),
        }
    }
}

/// A number as Go's `%v` prints it: with an exponent from a million on, and below a ten-thousandth.
pub(super) fn float(value: f64) -> String {
    if !value.is_finite() {
        return crate::units::format_number(value);
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}
