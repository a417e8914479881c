//! Generated log requests as OTLP/JSON, in the order and the forms of the Node SDK.

use anyhow::Result;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::LogRecord,
};
use prost::Message;
use serde_json::json;

/// A logs request of protobuf `payload` as text.
pub(super) fn logs(payload: &[u8]) -> Result<Vec<u8>> {
    let request = ExportLogsServiceRequest::decode(payload)?;
    let groups = joined(&request.resource_logs, |group| {
        let resource = group.resource.clone().unwrap_or_default();
        let scopes = joined(&group.scope_logs, |scope| {
            let of = scope.scope.clone().unwrap_or_default();
            let (name, version) = (json!(of.name), json!(of.version));
            let records = joined(&scope.log_records, record);
            format!(
                r#"{{"scope":{{"name":{name},"version":{version}}},"logRecords":[{records}],"schemaUrl":{}}}"#,
                json!(scope.schema_url)
            )
        });
        format!(
            r#"{{"resource":{{"attributes":[{}],"droppedAttributesCount":{}}},"scopeLogs":[{scopes}],"schemaUrl":{}}}"#,
            joined(&resource.attributes, attribute),
            resource.dropped_attributes_count,
            json!(group.schema_url)
        )
    });
    Ok(format!(r#"{{"resourceLogs":[{groups}]}}"#).into_bytes())
}

fn joined<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(",")
}

fn record(record: &LogRecord) -> String {
    let mut text = format!(
        r#"{{"timeUnixNano":"{}","observedTimeUnixNano":"{}","severityNumber":{},"severityText":{}"#,
        record.time_unix_nano,
        record.observed_time_unix_nano,
        record.severity_number,
        json!(record.severity_text),
    );
    let body = record.body.as_ref().map_or("{}".to_string(), value);
    text += &format!(
        r#","body":{body},"attributes":[{}],"droppedAttributesCount":{}"#,
        joined(&record.attributes, attribute),
        record.dropped_attributes_count,
    );
    if record.flags != 0 {
        text += &format!(r#","flags":{}"#, record.flags);
    }
    for (name, id) in [("traceId", &record.trace_id), ("spanId", &record.span_id)] {
        if !id.is_empty() {
            let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!(r#","{name}":"{digits}""#);
        }
    }
    text + "}"
}

fn attribute(pair: &KeyValue) -> String {
    let value = pair.value.as_ref().map_or("{}".to_string(), value);
    format!(r#"{{"key":{},"value":{value}}}"#, json!(pair.key))
}

/// A value of the kinds that the generated data has.
fn value(of: &AnyValue) -> String {
    match &of.value {
        Some(Value::StringValue(text)) => format!(r#"{{"stringValue":{}}}"#, json!(text)),
        Some(Value::BoolValue(flag)) => format!(r#"{{"boolValue":{flag}}}"#),
        Some(Value::IntValue(number)) => format!(r#"{{"intValue":"{number}"}}"#),
        Some(Value::DoubleValue(number)) => format!(r#"{{"doubleValue":{}}}"#, json!(number)),
        Some(Value::ArrayValue(array)) => {
            format!(
                r#"{{"arrayValue":{{"values":[{}]}}}}"#,
                joined(&array.values, value)
            )
        }
        Some(Value::KvlistValue(map)) => {
            format!(
                r#"{{"kvlistValue":{{"values":[{}]}}}}"#,
                joined(&map.values, attribute)
            )
        }
        _ => "{}".to_string(),
    }
}
