//! Short ways to write attributes.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

/// A value of any type.
pub(super) fn any(value: impl Into<Attribute>) -> AnyValue {
    AnyValue {
        value: Some(value.into().0),
    }
}

/// A key and its value.
pub(super) fn attribute(key: &str, value: impl Into<Attribute>) -> KeyValue {
    KeyValue {
        key: key.to_string(),
        value: Some(any(value)),
        ..KeyValue::default()
    }
}

/// A value on its way into an attribute.
pub(super) struct Attribute(Value);

impl From<&str> for Attribute {
    fn from(text: &str) -> Attribute {
        Attribute(Value::StringValue(text.to_string()))
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Attribute {
        Attribute(Value::StringValue(text))
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Attribute {
        Attribute(Value::IntValue(number))
    }
}

impl From<f64> for Attribute {
    fn from(number: f64) -> Attribute {
        Attribute(Value::DoubleValue(number))
    }
}

impl From<bool> for Attribute {
    fn from(flag: bool) -> Attribute {
        Attribute(Value::BoolValue(flag))
    }
}
