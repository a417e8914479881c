//! `spans`, `span_events` and `span_links`: OTLP `Span` with its repeated parts in tables of their own.

use super::{optional, repeated_text, required, resource_and_scope, row_ordinal, timestamp_type};
use arrow::datatypes::{DataType, Field};

pub(super) fn spans() -> Vec<Field> {
    let mut fields = vec![
        // The start; where the span has none its end, else the time of receipt.
        required(1, "timestamp", timestamp_type()),
        // Where `timestamp` comes from: `record`, `end` or `received`.
        required(2, "timestamp_origin", repeated_text()),
        optional(3, "end_timestamp", timestamp_type()),
        // End less start; NULL where the span lacks one of them. Negative when the sender says so.
        optional(4, "duration_ns", DataType::Int64),
        optional(5, "service_name", repeated_text()),
        required(6, "name", repeated_text()),
        required(7, "kind", DataType::Int32),
        optional(8, "trace_id", DataType::FixedSizeBinary(16)),
        optional(9, "span_id", DataType::FixedSizeBinary(8)),
        optional(10, "parent_span_id", DataType::FixedSizeBinary(8)),
        optional(11, "trace_state", DataType::Utf8),
        required(12, "flags", DataType::Int64),
        required(13, "status_code", DataType::Int32),
        optional(14, "status_message", DataType::Utf8),
        required(15, "attributes", DataType::Utf8),
        required(16, "dropped_attributes_count", DataType::Int64),
        required(17, "dropped_events_count", DataType::Int64),
        required(18, "dropped_links_count", DataType::Int64),
    ];
    fields.extend(resource_and_scope());
    fields.push(row_ordinal());
    fields
}

pub(super) fn span_events() -> Vec<Field> {
    vec![
        // The event's own time; where it has none that of its span.
        required(1, "timestamp", timestamp_type()),
        required(2, "timestamp_origin", repeated_text()),
        optional(5, "service_name", repeated_text()),
        required(6, "name", repeated_text()),
        optional(8, "trace_id", DataType::FixedSizeBinary(16)),
        optional(9, "span_id", DataType::FixedSizeBinary(8)),
        required(15, "attributes", DataType::Utf8),
        required(16, "dropped_attributes_count", DataType::Int64),
        // The name of the span and the position of the event in it.
        required(20, "span_name", repeated_text()),
        required(21, "event_ordinal", DataType::Int32),
        // The ordinal of the span in its request.
        row_ordinal(),
    ]
}

pub(super) fn span_links() -> Vec<Field> {
    vec![
        // The time of the span that holds the link.
        required(1, "timestamp", timestamp_type()),
        optional(5, "service_name", repeated_text()),
        optional(8, "trace_id", DataType::FixedSizeBinary(16)),
        optional(9, "span_id", DataType::FixedSizeBinary(8)),
        optional(22, "linked_trace_id", DataType::FixedSizeBinary(16)),
        optional(23, "linked_span_id", DataType::FixedSizeBinary(8)),
        // The link's own trace state and flags.
        optional(11, "trace_state", DataType::Utf8),
        required(12, "flags", DataType::Int64),
        required(15, "attributes", DataType::Utf8),
        required(16, "dropped_attributes_count", DataType::Int64),
        required(20, "span_name", repeated_text()),
        required(24, "link_ordinal", DataType::Int32),
        row_ordinal(),
    ]
}
