//! Attribute lists to canonical JSON.

use cairn_storage::attributes::encode;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

/// The entries of one list, kept from record to record.
pub(super) type Entries<'a> = Vec<(&'a str, Option<&'a AnyValue>)>;

/// A list as JSON in `out`, which is cleared first.
pub(super) fn object<'a, 'o>(
    out: &'o mut Vec<u8>,
    entries: &mut Entries<'a>,
    list: &'a [KeyValue],
) -> &'o str {
    out.clear();
    entries.clear();
    entries.extend(
        list.iter()
            .map(|entry| (entry.key.as_str(), entry.value.as_ref())),
    );
    encode::object(out, entries, |out, of| {
        value(out, of.and_then(|of| of.value.as_ref()));
    });
    std::str::from_utf8(out).expect("made of text")
}

fn value(out: &mut Vec<u8>, of: Option<&Value>) {
    match of {
        None | Some(Value::StringValueStrindex(_)) => encode::null(out),
        Some(Value::StringValue(text)) => encode::text(out, text),
        Some(Value::BoolValue(value)) => encode::boolean(out, *value),
        Some(Value::IntValue(value)) => encode::int(out, *value),
        Some(Value::DoubleValue(value)) => encode::double(out, *value),
        Some(Value::BytesValue(bytes)) => encode::bytes(out, bytes),
        Some(Value::ArrayValue(array)) => {
            out.push(b'[');
            for (i, element) in array.values.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                value(out, element.value.as_ref());
            }
            out.push(b']');
        }
        Some(Value::KvlistValue(list)) => {
            let mut entries: Vec<_> = list
                .values
                .iter()
                .map(|entry| (entry.key.as_str(), entry.value.as_ref()))
                .collect();
            encode::sort_unique(&mut entries);
            out.push(b'{');
            for (i, (key, of)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                encode::nested_key(out, key);
                value(out, of.and_then(|of| of.value.as_ref()));
            }
            out.push(b'}');
        }
    }
}
