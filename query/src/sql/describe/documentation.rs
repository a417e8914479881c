//! What tables and columns mean, one sentence each. A test finds columns that are missing here.

/// What a table holds; empty for one that is not known.
pub(super) fn table(name: &str) -> &'static str {
    match name {
        "logs" => "One row a log record.",
        "spans" => "One row a span of a trace.",
        "span_events" => "One row an event of a span, exceptions included.",
        "span_links" => "One row a link from a span to another.",
        "metrics" => "One row a data point of a metric, with the labels of its series.",
        "exemplars" => "One row an exemplar of a data point.",
        "dead_letters" => {
            "One row a record that was offered and could not become a row of its signal, and a mark for each that did later."
        }
        _ => "",
    }
}

/// What a column holds; empty for one that is not known.
pub(super) fn column(table: &str, column: &str) -> &'static str {
    of_table(table, column)
        .or_else(|| anywhere(column))
        .unwrap_or("")
}

/// Columns that mean something else in one table than in the others.
fn of_table(table: &str, column: &str) -> Option<&'static str> {
    Some(match (table, column) {
        ("logs", "timestamp") => {
            "The record's own time; where it has none the observed time, else the time of receipt."
        }
        ("spans", "timestamp") => {
            "The start; where the span has none its end, else the time of receipt."
        }
        ("span_events", "timestamp") => "The event's own time; where it has none that of its span.",
        ("span_links", "timestamp") => "The time of the span that holds the link.",
        ("exemplars", "timestamp") => {
            "The exemplar's own time; where it has none that of its point."
        }
        ("dead_letters", "timestamp") => "The time of receipt.",
        ("dead_letters", "reason") => "Why it is no row; of a mark, why its letter was none.",
        ("dead_letters", "record_resource") => {
            "The message of the record's resource as protobuf, without scopes; what a replay needs."
        }
        ("dead_letters", "record_scope") => {
            "The message of the record's scope as protobuf, without records."
        }
        ("dead_letters", "record_metric") => {
            "The message of a data point's metric as protobuf, without points."
        }
        ("dead_letters", "size_bytes") => "Bytes of the record and of what it stood in.",
        ("dead_letters", "letter_epoch" | "letter_sequence" | "letter_ordinal") => {
            "Of a mark (outcome replayed): the row id of the dead letter that became a row."
        }
        ("metrics", "timestamp") => "The time of the data point.",
        ("span_events", "name") => "The name of the event.",
        ("spans", "name") => "The name of the span.",
        ("span_links", "trace_id" | "span_id") => "The id of the span that holds the link.",
        ("span_links", "trace_state") => "The W3C trace state of the linked span.",
        ("span_events", "trace_id" | "span_id") => "The id of the span that holds the event.",
        ("exemplars", "attributes") => {
            "Attributes that the point's aggregation dropped, as JSON: attributes['key']."
        }
        ("spans", "flags") => "W3C trace flags and remote bits of the span's context.",
        ("metrics", "flags") => "Bit 0: the point says that there is no value.",
        _ => return None,
    })
}

fn anywhere(column: &str) -> Option<&'static str> {
    let known = identity(column)
        .or_else(|| of_spans(column))
        .or_else(|| of_metrics(column));
    known.or_else(|| of_records(column))
}

/// Where a row comes from.
fn identity(column: &str) -> Option<&'static str> {
    Some(match column {
        "timestamp_origin" => "Where the timestamp comes from: record, observed, end or received.",
        "service_name" => "The resource's service.name.",
        "attributes" => "Attributes as JSON; one of them is attributes['key'].",
        "dropped_attributes_count" => "How many attributes the sender dropped.",
        "resource_attributes" => {
            "Attributes of the resource as JSON; one of them is resource['key']."
        }
        "resource_dropped_attributes_count" => {
            "How many attributes of the resource the sender dropped."
        }
        "resource_schema_url" => "The schema of the resource.",
        "resource_entity_refs" => {
            "The entities that the resource describes, as JSON: a list of objects with type, schema_url, id_keys and description_keys."
        }
        "scope_name" => "The name of the instrumentation scope.",
        "scope_version" => "The version of the instrumentation scope.",
        "scope_attributes" => "Attributes of the instrumentation scope as JSON.",
        "scope_dropped_attributes_count" => "How many attributes of the scope the sender dropped.",
        "scope_schema_url" => "The schema of the instrumentation scope.",
        "row_epoch" => "First part of the row's stable id: the writer's epoch.",
        "row_sequence" => "Second part of the row's stable id: the commit sequence of its request.",
        "row_ordinal" => "Third part of the row's stable id: its place in the request.",
        "trace_id" => "The trace, 32 hexadecimal digits.",
        "span_id" => "The span, 16 hexadecimal digits.",
        "flags" => "Flags as sent.",
        _ => return None,
    })
}

fn of_records(column: &str) -> Option<&'static str> {
    Some(match column {
        "observed_timestamp" => "When the collector saw the record.",
        "severity_number" => "1 to 24, 0 if unknown; 9 is INFO, 13 WARN, 17 ERROR, 21 FATAL.",
        "severity_text" => "The severity as the source names it.",
        "event_name" => "The name of the event, for records that are events.",
        "body" => "The message; a body that is no text as JSON.",
        "body_type" => "The type of the body: string, bool, int, double, bytes, array or kvlist.",
        "signal" => "The signal of the record: logs, metrics or spans.",
        "outcome" => {
            "rejected (the sender was told), quarantined (the sender was told OK) or replayed (a mark: the letter is a row now)."
        }
        "reason" => "Why, as one word.",
        "detail" => "Why, as a sentence.",
        "encoding" => "How the record is encoded.",
        "record" => "The record as it came, without its resource and scope.",
        _ => return None,
    })
}

fn of_spans(column: &str) -> Option<&'static str> {
    Some(match column {
        "end_timestamp" => "The end.",
        "duration_ns" => "End less start in nanoseconds.",
        "kind" => "0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.",
        "parent_span_id" => "The parent span, 16 hexadecimal digits; NULL for a root.",
        "trace_state" => "The W3C trace state.",
        "status_code" => "0 unset, 1 ok, 2 error.",
        "status_message" => "What went wrong, if the status is an error.",
        "dropped_events_count" => "How many events the sender dropped.",
        "dropped_links_count" => "How many links the sender dropped.",
        "span_name" => "The name of the span.",
        "event_ordinal" => "The place of the event in its span.",
        "link_ordinal" => "The place of the link in its span.",
        "linked_trace_id" => "The trace of the linked span, 32 hexadecimal digits.",
        "linked_span_id" => "The linked span, 16 hexadecimal digits.",
        _ => return None,
    })
}

fn of_metrics(column: &str) -> Option<&'static str> {
    Some(match column {
        "series_id" => {
            "The series: hash of metric, type, unit, temporality, resource, scope and labels."
        }
        "metric" => "The name of the metric.",
        "type" => "gauge, sum, histogram, exponential_histogram or summary.",
        "unit" => "The unit, as UCUM writes it.",
        "description" => "What the metric measures.",
        "temporality" => "delta or cumulative; NULL where the type has none.",
        "is_monotonic" => "Whether a sum only grows.",
        "metadata" => "Metadata of the metric as JSON.",
        "point_timestamp" => "The time of the data point.",
        "start_timestamp" => "Since when the point counts.",
        "value" => "The value, if it was sent as a double.",
        "value_int" => {
            "The value, if it is an integer: sent as one, or a whole number from Prometheus."
        }
        "count" => "How many measurements.",
        "sum" => "Sum of the measurements.",
        "min" => "The least measurement.",
        "max" => "The greatest measurement.",
        "explicit_bounds" => "Upper bounds of the buckets of a histogram.",
        "bucket_counts" => "Measurements in each bucket of a histogram.",
        "scale" => "Resolution of an exponential histogram: its base is 2^(2^-scale).",
        "zero_count" => "Measurements in the zero bucket.",
        "zero_threshold" => "How wide the zero bucket is.",
        "positive_offset" => "Index of the first bucket of positive measurements.",
        "positive_counts" => "Positive measurements in each bucket.",
        "negative_offset" => "Index of the first bucket of negative measurements.",
        "negative_counts" => "Negative measurements in each bucket.",
        "quantiles" => "Quantiles of a summary.",
        "quantile_values" => "The value at each quantile of a summary.",
        "count_double" => "How many measurements, where that is not a whole number.",
        "zero_count_double" => "Measurements in the zero bucket, where counts are not whole.",
        "positive_counts_double" => {
            "Positive measurements in each bucket, where counts are not whole."
        }
        "negative_counts_double" => {
            "Negative measurements in each bucket, where counts are not whole."
        }
        "bucket_counts_double" => {
            "Measurements in each bucket of a histogram, where counts are not whole."
        }
        "reset_hint" => {
            "Prometheus' word on a native histogram: 1 it was reset, 2 it was not, 3 it is a gauge."
        }
        _ => return None,
    })
}
