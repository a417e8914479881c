"""What SQL must answer for an OTLP request: each record as a row of plain values, by table and column.

Worked out from the request's bytes with the official protobuf classes and from `docs/formats/`, in the plainest way
and without anything of Cairn. `answers.py` brings SQL's answers into the same form. Plain values compare exactly:

* doubles are `d:` and their 64 bits in hexadecimal, so that NaNs and zeros have to be the same ones,
* integers are Python's, instants are nanoseconds, ids are hexadecimal text,
* attribute maps and bodies that are no text are trees whose leaves carry their type (`plain_value`).

`row_epoch`, `row_sequence` and `series_id` are the server's to choose and left out; `answers.py` checks that they hang together.
"""

import struct

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "traces": ExportTraceServiceRequest,
}

# The tables whose rows come of a signal.
TABLES = {
    "logs": ["logs"],
    "metrics": ["metrics", "exemplars"],
    "traces": ["spans", "span_events", "span_links"],
}

KINDS = ["gauge", "sum", "histogram", "exponential_histogram", "summary"]
TEMPORALITIES = {0: None, 1: "delta", 2: "cumulative"}


def double(value):
    """A double by its bits."""
    return None if value is None else "d:" + struct.pack(">d", value).hex()


def plain_value(value):
    """An `AnyValue` as a tree whose leaves say their type."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return "s:" + value.string_value
    if kind == "bool_value":
        return f"b:{value.bool_value}"
    if kind == "int_value":
        return f"i:{value.int_value}"
    if kind == "double_value":
        return double(value.double_value)
    if kind == "bytes_value":
        return "x:" + value.bytes_value.hex()
    if kind == "array_value":
        return [plain_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return plain_map(value.kvlist_value.values)
    return None


def plain_map(entries):
    """A list of `KeyValue`; of several with one key the last counts."""
    return {entry.key: plain_value(entry.value) for entry in entries}


def text(value):
    """Text columns are NULL where the sender left them empty."""
    return value or None


def identifier(raw, size):
    """An id in hexadecimal; one of a wrong length or of zeros alone is none."""
    return raw.hex() if len(raw) == size and any(raw) else None


def optional(message, field):
    """A field with presence."""
    return getattr(message, field) if message.HasField(field) else None


def resource_columns(group):
    """What every record of a resource shares."""
    attributes = plain_map(group.resource.attributes)
    name = attributes.get("service.name")
    return {
        "service_name": name[2:] if isinstance(name, str) else None,
        "resource_attributes": attributes,
        "resource_dropped_attributes_count": group.resource.dropped_attributes_count,
        "resource_schema_url": text(group.schema_url),
        "resource_entity_refs": [entity(each) for each in group.resource.entity_refs] or None,
    }


def entity(reference):
    """An `EntityRef`; what is empty is left out."""
    texts = {name: getattr(reference, name) for name in ("schema_url", "type")}
    lists = {name: list(getattr(reference, name)) for name in ("id_keys", "description_keys")}
    return {name: value for name, value in (texts | lists).items() if value}


def scope_columns(group):
    """What every record of a scope shares."""
    return {
        "scope_name": text(group.scope.name),
        "scope_version": text(group.scope.version),
        "scope_attributes": plain_map(group.scope.attributes),
        "scope_dropped_attributes_count": group.scope.dropped_attributes_count,
        "scope_schema_url": text(group.schema_url),
    }


def rows(signal, request):
    """Rows by table of a request, given as its bytes or decoded."""
    if not isinstance(request, Message):
        request = REQUESTS[signal].FromString(request)
    tables = {table: [] for table in TABLES[signal]}
    if signal == "logs":
        add_logs(tables, request)
    elif signal == "traces":
        add_spans(tables, request)
    else:
        add_metrics(tables, request)
    return tables


def add_logs(tables, request):
    ordinal = 0
    for group in request.resource_logs:
        for scope in group.scope_logs:
            shared = resource_columns(group) | scope_columns(scope)
            for record in scope.log_records:
                tables["logs"].append(log_row(record, ordinal) | shared)
                ordinal += 1


BODY_TYPES = {
    "string_value": "string",
    "bool_value": "bool",
    "int_value": "int",
    "double_value": "double",
    "bytes_value": "bytes",
    "array_value": "array",
    "kvlist_value": "kvlist",
}


def log_row(record, ordinal):
    times = [(record.time_unix_nano, "record"), (record.observed_time_unix_nano, "observed")]
    time, origin = next(((time, origin) for time, origin in times if time), (None, "received"))
    return {
        "timestamp": time,
        "timestamp_origin": origin,
        "observed_timestamp": record.observed_time_unix_nano or None,
        "severity_number": record.severity_number,
        "severity_text": text(record.severity_text),
        "event_name": text(record.event_name),
        "body": plain_value(record.body),
        "body_type": BODY_TYPES.get(record.body.WhichOneof("value")),
        "trace_id": identifier(record.trace_id, 16),
        "span_id": identifier(record.span_id, 8),
        "flags": record.flags,
        "attributes": plain_map(record.attributes),
        "dropped_attributes_count": record.dropped_attributes_count,
        "row_ordinal": ordinal,
    }


def add_spans(tables, request):
    ordinal = 0
    for group in request.resource_spans:
        for scope in group.scope_spans:
            shared = resource_columns(group) | scope_columns(scope)
            for span in scope.spans:
                row = span_row(span, ordinal) | shared
                tables["spans"].append(row)
                of_span = {key: row[key] for key in ("service_name", "trace_id", "span_id", "row_ordinal")}
                of_span["span_name"] = span.name
                for position, event in enumerate(span.events):
                    tables["span_events"].append(event_row(event, position, row) | of_span)
                for position, link in enumerate(span.links):
                    tables["span_links"].append(link_row(link, position, row) | of_span)
                ordinal += 1


def span_row(span, ordinal):
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    time, origin = next(((time, origin) for time, origin in [(start, "record"), (end, "end")] if time), (None, "received"))
    return {
        "timestamp": time,
        "timestamp_origin": origin,
        "end_timestamp": end or None,
        "duration_ns": end - start if start and end else None,
        "name": span.name,
        "kind": span.kind,
        "trace_id": identifier(span.trace_id, 16),
        "span_id": identifier(span.span_id, 8),
        "parent_span_id": identifier(span.parent_span_id, 8),
        "trace_state": text(span.trace_state),
        "flags": span.flags,
        "status_code": span.status.code,
        "status_message": text(span.status.message),
        "attributes": plain_map(span.attributes),
        "dropped_attributes_count": span.dropped_attributes_count,
        "dropped_events_count": span.dropped_events_count,
        "dropped_links_count": span.dropped_links_count,
        "row_ordinal": ordinal,
    }


def event_row(event, position, span):
    return {
        "timestamp": event.time_unix_nano or span["timestamp"],
        "timestamp_origin": "record" if event.time_unix_nano else "span",
        "name": event.name,
        "attributes": plain_map(event.attributes),
        "dropped_attributes_count": event.dropped_attributes_count,
        "event_ordinal": position,
    }


def link_row(link, position, span):
    return {
        "timestamp": span["timestamp"],
        "linked_trace_id": identifier(link.trace_id, 16),
        "linked_span_id": identifier(link.span_id, 8),
        "trace_state": text(link.trace_state),
        "flags": link.flags,
        "attributes": plain_map(link.attributes),
        "dropped_attributes_count": link.dropped_attributes_count,
        "link_ordinal": position,
    }


def add_metrics(tables, request):
    for group in request.resource_metrics:
        for scope in group.scope_metrics:
            shared = resource_columns(group) | scope_columns(scope)
            for metric in scope.metrics:
                add_metric(tables, metric, shared)


def add_metric(tables, metric, shared):
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    temporality = getattr(data, "aggregation_temporality", 0)
    series = {
        "metric": metric.name,
        "type": kind,
        "unit": text(metric.unit),
        "description": text(metric.description),
        "temporality": TEMPORALITIES.get(temporality, str(temporality)),
        "is_monotonic": data.is_monotonic if kind == "sum" else None,
        "metadata": plain_map(metric.metadata),
    } | shared
    for point in data.data_points:
        row = point_row(point, kind) | series
        tables["metrics"].append(row)
        for exemplar in getattr(point, "exemplars", []):
            tables["exemplars"].append(exemplar_row(exemplar, row))


def number(message):
    """Double and integer of a number; one of them or both are None."""
    kind = message.WhichOneof("value")
    return (
        message.as_double if kind == "as_double" else None,
        message.as_int if kind == "as_int" else None,
    )


OF_HISTOGRAMS = [
    "count", "sum", "min", "max", "explicit_bounds", "bucket_counts", "scale", "zero_count", "zero_threshold",
    "positive_offset", "positive_counts", "negative_offset", "negative_counts", "quantiles", "quantile_values",
    # What Prometheus says and OTLP cannot.
    "count_double", "zero_count_double", "positive_counts_double", "negative_counts_double", "bucket_counts_double", "reset_hint",
]  # fmt: skip


def point_row(point, kind):
    row = dict.fromkeys(["value", "value_int", *OF_HISTOGRAMS])
    row |= {
        "timestamp": point.time_unix_nano,
        "start_timestamp": point.start_time_unix_nano or None,
        "flags": point.flags,
        "attributes": plain_map(point.attributes),
    }
    if kind in ("gauge", "sum"):
        value, integer = number(point)
        row["value"] = double(float(integer) if value is None and integer is not None else value)
        row["value_int"] = integer
        return row
    row["count"] = point.count
    if kind == "summary":
        row["sum"] = double(point.sum)
        row["quantiles"] = [double(each.quantile) for each in point.quantile_values]
        row["quantile_values"] = [double(each.value) for each in point.quantile_values]
        return row
    row |= {key: double(optional(point, key)) for key in ("sum", "min", "max")}
    if kind == "histogram":
        row["explicit_bounds"] = [double(each) for each in point.explicit_bounds]
        row["bucket_counts"] = list(point.bucket_counts)
        return row
    row |= {"scale": point.scale, "zero_count": point.zero_count, "zero_threshold": double(point.zero_threshold)}
    for side in ("positive", "negative"):
        if point.HasField(side):
            buckets = getattr(point, side)
            row |= {f"{side}_offset": buckets.offset, f"{side}_counts": list(buckets.bucket_counts)}
    return row


def exemplar_row(exemplar, point):
    value, integer = number(exemplar)
    return {
        "metric": point["metric"],
        "timestamp": exemplar.time_unix_nano or point["timestamp"],
        "point_timestamp": point["timestamp"],
        "value": double(value),
        "value_int": integer,
        "trace_id": identifier(exemplar.trace_id, 16),
        "span_id": identifier(exemplar.span_id, 8),
        "attributes": plain_map(exemplar.filtered_attributes),
        # Not a column: whose series it must be.
        "series": series_identity(point),
    }


# The columns that tell one series from another (`docs/formats/segment.md`, `storage/src/schema/metrics.rs`).
IDENTITY = [
    "metric", "type", "unit", "temporality", "is_monotonic", "attributes",
    "resource_attributes", "scope_name", "scope_version", "scope_attributes",
]  # fmt: skip


def series_identity(point):
    """A comparable form of what tells the series of a row of `metrics` from others."""
    return frozen([point[column] for column in IDENTITY])


def frozen(value):
    """A plain value that can stand in sets."""
    if isinstance(value, dict):
        return ("map", *sorted((key, frozen(each)) for key, each in value.items()))
    if isinstance(value, list):
        return ("list", *(frozen(each) for each in value))
    return value
