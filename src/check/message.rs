//! What the checks send.

use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint,
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
        exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
        summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use std::io::Write;

/// A time of no meaning: 2026-01-01.
const TIME: u64 = 1_767_225_600_000_000_000;

/// Paths of OTLP/HTTP.
pub(super) const PATHS: [&str; 3] = ["/v1/logs", "/v1/metrics", "/v1/traces"];

/// One request of each signal, in the order of [`PATHS`].
pub(super) fn one_of_each() -> [Vec<u8>; 3] {
    [
        logs(vec![record("one")]),
        metrics(vec![gauge(1.0)]),
        spans(),
    ]
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![attribute("service.name", text("otlp-check"))],
        ..Resource::default()
    })
}

pub(super) fn text(value: &str) -> Value {
    Value::StringValue(value.to_string())
}

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_string(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A log record with this body.
pub(super) fn record(body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: TIME,
        observed_time_unix_nano: TIME,
        severity_number: 9,
        body: Some(AnyValue {
            value: Some(text(body)),
        }),
        ..LogRecord::default()
    }
}

/// A request of log records.
pub(super) fn logs(log_records: Vec<LogRecord>) -> Vec<u8> {
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs: vec![ScopeLogs {
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    request.encode_to_vec()
}

fn spans() -> Vec<u8> {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "one".to_string(),
        start_time_unix_nano: TIME,
        end_time_unix_nano: TIME + 1,
        // Bits above the eight of W3C trace flags: a server masks them.
        flags: 0x101,
        ..Span::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

/// A request of metrics.
pub(super) fn metrics(metrics: Vec<Metric>) -> Vec<u8> {
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics: vec![ScopeMetrics {
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    request.encode_to_vec()
}

fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.to_string(),
        data: Some(data),
        ..Metric::default()
    }
}

fn gauge(value: f64) -> Metric {
    metric(
        "check.gauge",
        Data::Gauge(Gauge {
            data_points: vec![point(value)],
        }),
    )
}

fn point(value: f64) -> NumberDataPoint {
    NumberDataPoint {
        time_unix_nano: TIME,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

/// All five kinds of data, both temporalities, exemplars, a point without a value, and doubles that are no numbers.
pub(super) fn all_metrics() -> Vec<Metric> {
    let mut metrics = numbers();
    metrics.extend(distributions());
    metrics
}

fn exemplar() -> Exemplar {
    Exemplar {
        time_unix_nano: TIME,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        value: Some(exemplar::Value::AsInt(i64::MIN)),
        ..Exemplar::default()
    }
}

fn numbers() -> Vec<Metric> {
    let sum = |temporality: AggregationTemporality| Sum {
        data_points: vec![NumberDataPoint {
            exemplars: vec![exemplar()],
            ..point(-0.0)
        }],
        aggregation_temporality: temporality as i32,
        is_monotonic: true,
    };
    let no_value = NumberDataPoint {
        flags: 1,
        value: None,
        ..point(0.0)
    };
    let gauge = Gauge {
        data_points: vec![point(f64::NAN), point(f64::MIN_POSITIVE / 2.0), no_value],
    };
    let (delta, cumulative) = (
        AggregationTemporality::Delta,
        AggregationTemporality::Cumulative,
    );
    vec![
        metric("check.gauge", Data::Gauge(gauge)),
        metric("check.delta", Data::Sum(sum(delta))),
        metric("check.cumulative", Data::Sum(sum(cumulative))),
    ]
}

fn distributions() -> Vec<Metric> {
    let histogram = Histogram {
        data_points: vec![HistogramDataPoint {
            time_unix_nano: TIME,
            count: 3,
            sum: Some(f64::INFINITY),
            bucket_counts: vec![1, 2],
            explicit_bounds: vec![0.5],
            exemplars: vec![exemplar()],
            ..HistogramDataPoint::default()
        }],
        aggregation_temporality: AggregationTemporality::Delta as i32,
    };
    let exponential = ExponentialHistogram {
        data_points: vec![ExponentialHistogramDataPoint {
            time_unix_nano: TIME,
            count: 3,
            scale: 20,
            zero_count: 1,
            positive: Some(Buckets {
                offset: -3,
                bucket_counts: vec![1, 1],
            }),
            ..ExponentialHistogramDataPoint::default()
        }],
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
    };
    let summary = Summary {
        data_points: vec![SummaryDataPoint {
            time_unix_nano: TIME,
            count: 1,
            sum: 1.0,
            quantile_values: vec![ValueAtQuantile {
                quantile: 0.99,
                value: f64::NAN,
            }],
            ..SummaryDataPoint::default()
        }],
    };
    vec![
        metric("check.histogram", Data::Histogram(histogram)),
        metric("check.exponential", Data::ExponentialHistogram(exponential)),
        metric("check.summary", Data::Summary(summary)),
    ]
}

/// Arrays or maps, `depth` of them inside each other.
pub(super) fn nested(depth: usize, is_map: bool) -> Value {
    let mut value = text("deep");
    for _ in 0..depth {
        value = match is_map {
            true => Value::KvlistValue(KeyValueList {
                values: vec![attribute("k", value)],
            }),
            false => Value::ArrayValue(ArrayValue {
                values: vec![AnyValue { value: Some(value) }],
            }),
        };
    }
    value
}

/// A log record with one attribute.
pub(super) fn with_attribute(value: Value) -> LogRecord {
    LogRecord {
        attributes: vec![attribute("k", value)],
        ..record("with an attribute")
    }
}

/// One gzip member.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes everything")
}

/// What a request may have after decompression; servers may take more.
const LIMIT_BYTES: usize = 64 << 20;

/// A request of one record that is longer than the limit, compressed.
pub(super) fn too_large() -> Vec<u8> {
    gzip(&of_length(LIMIT_BYTES + 1))
}

/// A request of one record whose body brings it to `bytes` in all.
fn of_length(bytes: usize) -> Vec<u8> {
    // The lengths inside take up to five bytes each.
    let mut body = bytes.saturating_sub(200);
    loop {
        let request = logs(vec![record(&"x".repeat(body))]);
        if request.len() >= bytes {
            return request;
        }
        body += bytes - request.len();
    }
}
