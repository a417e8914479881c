//! Requests to send.

use cairn_storage::{signal::Signal, world::real};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
        number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

pub(crate) const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Metrics, Signal::Spans];

/// Now, in nanoseconds.
pub(crate) fn now() -> u64 {
    real::world().clock.now().0 as u64
}

fn text(value: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(value.to_string())),
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_string(),
        value: Some(text(value)),
        ..KeyValue::default()
    }
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![attribute("service.name", "shop")],
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "tests".to_string(),
        ..InstrumentationScope::default()
    })
}

pub(crate) fn log(body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: now(),
        body: Some(text(body)),
        ..LogRecord::default()
    }
}

pub(crate) fn logs_request(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs {
        scope: scope(),
        log_records,
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        resource: resource(),
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }
}

pub(crate) fn spans_request(names: &[String]) -> ExportTraceServiceRequest {
    let span = |(number, name): (usize, &String)| Span {
        trace_id: vec![7; 16],
        span_id: (number as u64 + 1).to_be_bytes().to_vec(),
        name: name.clone(),
        start_time_unix_nano: now(),
        end_time_unix_nano: now() + 1_000,
        ..Span::default()
    };
    let spans = names.iter().enumerate().map(span).collect();
    let scope_spans = vec![ScopeSpans {
        scope: scope(),
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        resource: resource(),
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }
}

pub(crate) fn metrics_request(values: &[f64]) -> ExportMetricsServiceRequest {
    let point = |value: &f64| NumberDataPoint {
        time_unix_nano: now(),
        value: Some(number_data_point::Value::AsDouble(*value)),
        ..NumberDataPoint::default()
    };
    let data_points = values.iter().map(point).collect();
    let metric = Metric {
        name: "orders".to_string(),
        data: Some(Data::Gauge(Gauge { data_points })),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics {
        scope: scope(),
        metrics: vec![metric],
        ..ScopeMetrics::default()
    }];
    let resource_metrics = vec![ResourceMetrics {
        resource: resource(),
        scope_metrics,
        ..ResourceMetrics::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }
}

/// A request of `signal` with `records` records, each marked with `mark`.
pub(crate) fn request(signal: Signal, records: usize, mark: &str) -> Vec<u8> {
    let names = || (0..records).map(|number| format!("{mark} {number}"));
    match signal {
        Signal::Logs => logs_request(names().map(|name| log(&name)).collect()).encode_to_vec(),
        Signal::Spans => spans_request(&names().collect::<Vec<_>>()).encode_to_vec(),
        Signal::Metrics => {
            metrics_request(&(0..records).map(|n| n as f64).collect::<Vec<_>>()).encode_to_vec()
        }
        Signal::DeadLetters => panic!("nobody sends these"),
    }
}

/// A request of one log record that has exactly `bytes` bytes.
pub(crate) fn logs_of_size(bytes: usize) -> Vec<u8> {
    let mut body_bytes = bytes;
    loop {
        let request = logs_request(vec![log(&"x".repeat(body_bytes))]).encode_to_vec();
        if request.len() == bytes {
            return request;
        }
        body_bytes -= request.len().saturating_sub(bytes).max(1);
    }
}

/// A request of 128 log records that has exactly `bytes` bytes, 64 MiB or a little more.
pub(crate) fn large_logs(bytes: usize) -> Vec<u8> {
    let records = |last_bytes: usize| {
        let mut records = vec![log(&"x".repeat(512 << 10)); 127];
        records.push(log(&"x".repeat(last_bytes)));
        logs_request(records).encode_to_vec()
    };
    let least = records(256 << 10);
    let request = records((256 << 10) + bytes - least.len());
    assert_eq!(request.len(), bytes, "lengths take as many bytes as before");
    request
}

/// A field of protobuf with bytes in it, its number below 16.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}
