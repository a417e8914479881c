//! OTLP's messages as OTLP/JSON names their fields, and where each stands in protobuf.
//!
//! Source: opentelemetry-proto 1.x; names are those of proto3's JSON mapping in lowerCamelCase, the only ones that
//! OTLP allows. `stringValueStrindex` and `keyStrindex` are read and mean nothing, as in protobuf.

use Kind::{
    Bool, Bytes, Double, Doubles, Enum, Fixed32, Fixed64, Fixed64s, Id, Int32, Int64, Many, One,
    Sfixed64, Text, Texts, Uint32, Uint64s, Zigzag32,
};

/// A field: its name in JSON, its number in protobuf, and what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Bytes that OTLP/JSON writes in hexadecimal: trace ids and span ids.
    Id,
    /// Bytes in base64.
    Bytes,
    Bool,
    Enum,
    Int32,
    Uint32,
    /// `sint32`.
    Zigzag32,
    Fixed32,
    Int64,
    Sfixed64,
    Fixed64,
    Double,
    One(Message),
    Many(Message),
    Texts,
    /// Packed.
    Fixed64s,
    /// Packed.
    Doubles,
    /// Packed varints.
    Uint64s,
}

/// A message type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    TraceRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    Gauge,
    Sum,
    /// `Histogram` and `ExponentialHistogram` differ in their points only.
    Histogram,
    ExponentialHistogram,
    Summary,
    NumberPoint,
    HistogramPoint,
    ExponentialPoint,
    SummaryPoint,
    Buckets,
    Quantile,
    Exemplar,
    Resource,
    EntityRef,
    Scope,
    KeyValue,
    AnyValue,
    Array,
    Map,
}

impl Message {
    /// The fields, in the order in which senders write them.
    pub(super) const fn fields(self) -> &'static [Field] {
        match self {
            Message::LogsRequest => LOGS_REQUEST,
            Message::ResourceLogs => RESOURCE_LOGS,
            Message::ScopeLogs => SCOPE_LOGS,
            Message::LogRecord => LOG_RECORD,
            Message::TraceRequest => TRACE_REQUEST,
            Message::ResourceSpans => RESOURCE_SPANS,
            Message::ScopeSpans => SCOPE_SPANS,
            Message::Span => SPAN,
            Message::Event => EVENT,
            Message::Link => LINK,
            Message::Status => STATUS,
            Message::MetricsRequest => METRICS_REQUEST,
            Message::ResourceMetrics => RESOURCE_METRICS,
            Message::ScopeMetrics => SCOPE_METRICS,
            Message::Metric => METRIC,
            Message::Gauge => GAUGE,
            Message::Sum => SUM,
            Message::Histogram => HISTOGRAM,
            Message::ExponentialHistogram => EXPONENTIAL_HISTOGRAM,
            Message::Summary => SUMMARY,
            Message::NumberPoint => NUMBER_POINT,
            Message::HistogramPoint => HISTOGRAM_POINT,
            Message::ExponentialPoint => EXPONENTIAL_POINT,
            Message::SummaryPoint => SUMMARY_POINT,
            Message::Buckets => BUCKETS,
            Message::Quantile => QUANTILE,
            Message::Exemplar => EXEMPLAR,
            Message::Resource => RESOURCE,
            Message::EntityRef => ENTITY_REF,
            Message::Scope => SCOPE,
            Message::KeyValue => KEY_VALUE,
            Message::AnyValue => ANY_VALUE,
            Message::Array => ARRAY,
            Message::Map => MAP,
        }
    }

    /// Whether this is an array or a map of attribute values, which may be nested.
    pub(super) fn is_container(self) -> bool {
        matches!(self, Message::Array | Message::Map)
    }

    /// Whether this holds the records of a resource or scope, and so is long.
    pub(super) fn is_group(self) -> bool {
        use Message as M;
        matches!(
            self,
            M::ResourceLogs
                | M::ScopeLogs
                | M::ResourceSpans
                | M::ScopeSpans
                | M::ResourceMetrics
                | M::ScopeMetrics
        )
    }
}

const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind }
}

const LOGS_REQUEST: &[Field] = &[field("resourceLogs", 1, Many(Message::ResourceLogs))];
const TRACE_REQUEST: &[Field] = &[field("resourceSpans", 1, Many(Message::ResourceSpans))];
const METRICS_REQUEST: &[Field] = &[field("resourceMetrics", 1, Many(Message::ResourceMetrics))];

const RESOURCE_LOGS: &[Field] = &[
    field("resource", 1, One(Message::Resource)),
    field("scopeLogs", 2, Many(Message::ScopeLogs)),
    field("schemaUrl", 3, Text),
];
const RESOURCE_SPANS: &[Field] = &[
    field("resource", 1, One(Message::Resource)),
    field("scopeSpans", 2, Many(Message::ScopeSpans)),
    field("schemaUrl", 3, Text),
];
const RESOURCE_METRICS: &[Field] = &[
    field("resource", 1, One(Message::Resource)),
    field("scopeMetrics", 2, Many(Message::ScopeMetrics)),
    field("schemaUrl", 3, Text),
];
const SCOPE_LOGS: &[Field] = &[
    field("scope", 1, One(Message::Scope)),
    field("logRecords", 2, Many(Message::LogRecord)),
    field("schemaUrl", 3, Text),
];
const SCOPE_SPANS: &[Field] = &[
    field("scope", 1, One(Message::Scope)),
    field("spans", 2, Many(Message::Span)),
    field("schemaUrl", 3, Text),
];
const SCOPE_METRICS: &[Field] = &[
    field("scope", 1, One(Message::Scope)),
    field("metrics", 2, Many(Message::Metric)),
    field("schemaUrl", 3, Text),
];

const RESOURCE: &[Field] = &[
    field("attributes", 1, Many(Message::KeyValue)),
    field("droppedAttributesCount", 2, Uint32),
    field("entityRefs", 3, Many(Message::EntityRef)),
];
const ENTITY_REF: &[Field] = &[
    field("schemaUrl", 1, Text),
    field("type", 2, Text),
    field("idKeys", 3, Texts),
    field("descriptionKeys", 4, Texts),
];
const SCOPE: &[Field] = &[
    field("name", 1, Text),
    field("version", 2, Text),
    field("attributes", 3, Many(Message::KeyValue)),
    field("droppedAttributesCount", 4, Uint32),
];

const KEY_VALUE: &[Field] = &[
    field("key", 1, Text),
    field("value", 2, One(Message::AnyValue)),
    field("keyStrindex", 3, Int32),
];
const ANY_VALUE: &[Field] = &[
    field("stringValue", 1, Text),
    field("intValue", 3, Int64),
    field("doubleValue", 4, Double),
    field("boolValue", 2, Bool),
    field("arrayValue", 5, One(Message::Array)),
    field("kvlistValue", 6, One(Message::Map)),
    field("bytesValue", 7, Bytes),
    field("stringValueStrindex", 8, Int32),
];
const ARRAY: &[Field] = &[field("values", 1, Many(Message::AnyValue))];
const MAP: &[Field] = &[field("values", 1, Many(Message::KeyValue))];

const LOG_RECORD: &[Field] = &[
    field("timeUnixNano", 1, Fixed64),
    field("observedTimeUnixNano", 11, Fixed64),
    field("severityNumber", 2, Enum),
    field("severityText", 3, Text),
    field("body", 5, One(Message::AnyValue)),
    field("eventName", 12, Text),
    field("attributes", 6, Many(Message::KeyValue)),
    field("droppedAttributesCount", 7, Uint32),
    field("flags", 8, Fixed32),
    field("traceId", 9, Id),
    field("spanId", 10, Id),
];

const SPAN: &[Field] = &[
    field("traceId", 1, Id),
    field("spanId", 2, Id),
    field("traceState", 3, Text),
    field("parentSpanId", 4, Id),
    field("flags", 16, Fixed32),
    field("name", 5, Text),
    field("kind", 6, Enum),
    field("startTimeUnixNano", 7, Fixed64),
    field("endTimeUnixNano", 8, Fixed64),
    field("attributes", 9, Many(Message::KeyValue)),
    field("droppedAttributesCount", 10, Uint32),
    field("events", 11, Many(Message::Event)),
    field("droppedEventsCount", 12, Uint32),
    field("status", 15, One(Message::Status)),
    field("links", 13, Many(Message::Link)),
    field("droppedLinksCount", 14, Uint32),
];
const EVENT: &[Field] = &[
    field("timeUnixNano", 1, Fixed64),
    field("name", 2, Text),
    field("attributes", 3, Many(Message::KeyValue)),
    field("droppedAttributesCount", 4, Uint32),
];
const LINK: &[Field] = &[
    field("traceId", 1, Id),
    field("spanId", 2, Id),
    field("traceState", 3, Text),
    field("attributes", 4, Many(Message::KeyValue)),
    field("droppedAttributesCount", 5, Uint32),
    field("flags", 6, Fixed32),
];
const STATUS: &[Field] = &[field("message", 2, Text), field("code", 3, Enum)];

const METRIC: &[Field] = &[
    field("name", 1, Text),
    field("description", 2, Text),
    field("unit", 3, Text),
    field("gauge", 5, One(Message::Gauge)),
    field("sum", 7, One(Message::Sum)),
    field("histogram", 9, One(Message::Histogram)),
    field(
        "exponentialHistogram",
        10,
        One(Message::ExponentialHistogram),
    ),
    field("summary", 11, One(Message::Summary)),
    field("metadata", 12, Many(Message::KeyValue)),
];
const GAUGE: &[Field] = &[field("dataPoints", 1, Many(Message::NumberPoint))];
const SUM: &[Field] = &[
    field("dataPoints", 1, Many(Message::NumberPoint)),
    field("aggregationTemporality", 2, Enum),
    field("isMonotonic", 3, Bool),
];
const HISTOGRAM: &[Field] = &[
    field("dataPoints", 1, Many(Message::HistogramPoint)),
    field("aggregationTemporality", 2, Enum),
];
const EXPONENTIAL_HISTOGRAM: &[Field] = &[
    field("dataPoints", 1, Many(Message::ExponentialPoint)),
    field("aggregationTemporality", 2, Enum),
];
const SUMMARY: &[Field] = &[field("dataPoints", 1, Many(Message::SummaryPoint))];

const NUMBER_POINT: &[Field] = &[
    field("attributes", 7, Many(Message::KeyValue)),
    field("startTimeUnixNano", 2, Fixed64),
    field("timeUnixNano", 3, Fixed64),
    field("asDouble", 4, Double),
    field("asInt", 6, Sfixed64),
    field("exemplars", 5, Many(Message::Exemplar)),
    field("flags", 8, Uint32),
];
const HISTOGRAM_POINT: &[Field] = &[
    field("attributes", 9, Many(Message::KeyValue)),
    field("startTimeUnixNano", 2, Fixed64),
    field("timeUnixNano", 3, Fixed64),
    field("count", 4, Fixed64),
    field("sum", 5, Double),
    field("bucketCounts", 6, Fixed64s),
    field("explicitBounds", 7, Doubles),
    field("exemplars", 8, Many(Message::Exemplar)),
    field("flags", 10, Uint32),
    field("min", 11, Double),
    field("max", 12, Double),
];
const EXPONENTIAL_POINT: &[Field] = &[
    field("attributes", 1, Many(Message::KeyValue)),
    field("startTimeUnixNano", 2, Fixed64),
    field("timeUnixNano", 3, Fixed64),
    field("count", 4, Fixed64),
    field("sum", 5, Double),
    field("scale", 6, Zigzag32),
    field("zeroCount", 7, Fixed64),
    field("positive", 8, One(Message::Buckets)),
    field("negative", 9, One(Message::Buckets)),
    field("flags", 10, Uint32),
    field("exemplars", 11, Many(Message::Exemplar)),
    field("min", 12, Double),
    field("max", 13, Double),
    field("zeroThreshold", 14, Double),
];
const BUCKETS: &[Field] = &[
    field("offset", 1, Zigzag32),
    field("bucketCounts", 2, Uint64s),
];
const SUMMARY_POINT: &[Field] = &[
    field("attributes", 7, Many(Message::KeyValue)),
    field("startTimeUnixNano", 2, Fixed64),
    field("timeUnixNano", 3, Fixed64),
    field("count", 4, Fixed64),
    field("sum", 5, Double),
    field("quantileValues", 6, Many(Message::Quantile)),
    field("flags", 8, Uint32),
];
const QUANTILE: &[Field] = &[field("quantile", 1, Double), field("value", 2, Double)];
const EXEMPLAR: &[Field] = &[
    field("filteredAttributes", 7, Many(Message::KeyValue)),
    field("timeUnixNano", 2, Fixed64),
    field("asDouble", 3, Double),
    field("asInt", 6, Sfixed64),
    field("spanId", 4, Id),
    field("traceId", 5, Id),
];
