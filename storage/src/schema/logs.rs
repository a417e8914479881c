//! `logs`: one row a log record (OTLP `LogRecord`).

use super::{optional, repeated_text, required, resource_and_scope, row_ordinal, timestamp_type};
use arrow::datatypes::{DataType, Field};

pub(super) fn fields() -> Vec<Field> {
    let mut fields = vec![
        // The record's own time; where it has none its observed time, else the time of receipt.
        required(1, "timestamp", timestamp_type()),
        // Where `timestamp` comes from: `record`, `observed` or `received`.
        required(2, "timestamp_origin", repeated_text()),
        optional(3, "observed_timestamp", timestamp_type()),
        optional(4, "service_name", repeated_text()),
        required(5, "severity_number", DataType::Int32),
        optional(6, "severity_text", repeated_text()),
        optional(7, "event_name", repeated_text()),
        // A string body as it is, any other type in canonical JSON, NULL without a body.
        optional(8, "body", DataType::Utf8),
        // `string`, `bool`, `int`, `double`, `bytes`, `array`, `kvlist`; NULL without a body.
        optional(9, "body_type", repeated_text()),
        optional(10, "trace_id", DataType::FixedSizeBinary(16)),
        optional(11, "span_id", DataType::FixedSizeBinary(8)),
        required(12, "flags", DataType::Int64),
        required(13, "attributes", DataType::Utf8),
        required(14, "dropped_attributes_count", DataType::Int64),
    ];
    fields.extend(resource_and_scope());
    fields.push(row_ordinal());
    fields
}
