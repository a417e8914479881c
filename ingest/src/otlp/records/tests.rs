//! A record and its envelope are the request with that record alone, as protobuf's own library reads it.

use super::*;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data,
    },
    resource::v1::Resource,
};
use prost::Message;
use std::collections::BTreeSet;

fn resource(name: &str) -> Resource {
    Resource {
        attributes: vec![KeyValue {
            key: "service.name".to_string(),
            value: Some(AnyValue {
                value: Some(Value::StringValue(name.to_string())),
            }),
            ..KeyValue::default()
        }],
        dropped_attributes_count: 3,
        ..Resource::default()
    }
}

fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_string(),
        version: "1".to_string(),
        ..InstrumentationScope::default()
    }
}

#[test]
fn a_log_record_in_its_envelope() {
    let record = |time| LogRecord {
        time_unix_nano: time,
        severity_text: "x".repeat(200),
        ..LogRecord::default()
    };
    let scope_logs = |name: &str, times: &[u64]| ScopeLogs {
        scope: Some(scope(name)),
        log_records: times.iter().map(|time| record(*time)).collect(),
        schema_url: format!("schema of {name}"),
    };
    let group = |name: &str, scope_logs| ResourceLogs {
        resource: Some(resource(name)),
        scope_logs,
        schema_url: format!("schema of {name}"),
    };
    let whole = ExportLogsServiceRequest {
        resource_logs: vec![
            group("a", vec![scope_logs("a1", &[1, 2]), scope_logs("a2", &[])]),
            group("empty", Vec::new()),
            group("b", vec![scope_logs("b1", &[3]), scope_logs("b2", &[4, 5])]),
            ResourceLogs {
                scope_logs: vec![ScopeLogs {
                    log_records: vec![record(6), LogRecord::default()],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            },
        ],
    };
    let mut alone = Vec::new();
    for group in &whole.resource_logs {
        for scope in &group.scope_logs {
            for record in &scope.log_records {
                let scope = ScopeLogs {
                    log_records: vec![record.clone()],
                    ..scope.clone()
                };
                alone.push(ExportLogsServiceRequest {
                    resource_logs: vec![ResourceLogs {
                        scope_logs: vec![scope],
                        ..group.clone()
                    }],
                });
            }
        }
    }
    let payload = Bytes::from(whole.encode_to_vec());
    let ordinals = [6, 0, 1, 2, 3, 4, 5];
    let records = records(Signal::Logs, Encoding::OtlpProtobuf, &payload, &ordinals);
    for (ordinal, record) in ordinals.iter().zip(records) {
        let envelope = record.envelope.expect("an envelope");
        let request = request(&envelope, &record.bytes);
        let found = ExportLogsServiceRequest::decode(request).expect("a request");
        assert_eq!(found, alone[*ordinal as usize], "record {ordinal}");
    }
}

#[test]
fn a_data_point_in_its_envelope() {
    let point = |time| NumberDataPoint {
        time_unix_nano: time,
        ..NumberDataPoint::default()
    };
    let sum = |times: &[u64]| Sum {
        data_points: times.iter().map(|time| point(*time)).collect(),
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let metric = |name: &str, data| Metric {
        name: name.to_string(),
        unit: "By".to_string(),
        data: Some(data),
        ..Metric::default()
    };
    let histogram = |times: &[u64]| Histogram {
        data_points: times
            .iter()
            .map(|time| HistogramDataPoint {
                time_unix_nano: *time,
                count: *time,
                ..HistogramDataPoint::default()
            })
            .collect(),
        aggregation_temporality: 1,
    };
    let gauge = Gauge {
        data_points: vec![point(5)],
    };
    let request_of = |metrics: Vec<Metric>| ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource("a")),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope("s")),
                metrics,
                schema_url: "u".to_string(),
            }],
            schema_url: "v".to_string(),
        }],
    };
    let whole = request_of(vec![
        metric("m", Data::Sum(sum(&[1, 2]))),
        metric("h", Data::Histogram(histogram(&[3, 4]))),
        metric("g", Data::Gauge(gauge.clone())),
    ]);
    let alone = [
        request_of(vec![metric("m", Data::Sum(sum(&[1])))]),
        request_of(vec![metric("m", Data::Sum(sum(&[2])))]),
        request_of(vec![metric("h", Data::Histogram(histogram(&[3])))]),
        request_of(vec![metric("h", Data::Histogram(histogram(&[4])))]),
        request_of(vec![metric("g", Data::Gauge(gauge))]),
    ];
    let payload = Bytes::from(whole.encode_to_vec());
    let ordinals = [0, 1, 2, 3, 4];
    let records = records(Signal::Metrics, Encoding::OtlpProtobuf, &payload, &ordinals);
    assert_eq!(records.len(), 5);
    for (record, alone) in records.into_iter().zip(alone) {
        let envelope = record.envelope.expect("an envelope");
        assert!(envelope.metric.is_some());
        let request = request(&envelope, &record.bytes);
        let found = ExportMetricsServiceRequest::decode(request).expect("a request");
        assert_eq!(found, alone);
    }
}

#[test]
fn a_metric_that_is_broken_as_a_whole_is_its_own_record() {
    // A varint where the name should be.
    let metric = [0x08, 0x01];
    let envelope = Envelope::default();
    let payload = request(&envelope, &metric);
    let records = records(Signal::Metrics, Encoding::OtlpProtobuf, &payload, &[0]);
    assert_eq!(records[0].bytes, &metric[..]);
    assert_eq!(records[0].envelope.as_deref(), Some(&envelope));
}

#[test]
fn a_large_resource_is_kept_once_for_all_of_its_scopes() {
    let group = ResourceLogs {
        resource: Some(resource(&"x".repeat(1 << 20))),
        scope_logs: (0..2_000)
            .map(|number| ScopeLogs {
                scope: Some(scope(&number.to_string())),
                log_records: vec![LogRecord::default()],
                ..ScopeLogs::default()
            })
            .collect(),
        ..ResourceLogs::default()
    };
    let whole = ExportLogsServiceRequest {
        resource_logs: vec![group],
    };
    let payload = Bytes::from(whole.encode_to_vec());
    let ordinals: Vec<u32> = (0..2_000).collect();
    let records = records(Signal::Logs, Encoding::OtlpProtobuf, &payload, &ordinals);
    let envelopes = records.iter().filter_map(|record| record.envelope.as_ref());
    let resources: BTreeSet<*const u8> = envelopes.map(|one| one.resource.as_ptr()).collect();
    assert_eq!((records.len(), resources.len()), (2_000, 1));
}
