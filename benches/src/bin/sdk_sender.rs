//! Sends all three signals through the Rust OpenTelemetry SDK: `sdk_sender GRPC_URL HTTP_URL SERVICE`.
//!
//! Traces and logs go over gRPC, metrics over HTTP/protobuf. Prints what it sent as JSON.

use anyhow::{Context, Result};
use opentelemetry::{
    KeyValue,
    logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity},
    metrics::MeterProvider,
    trace::{Link, Span, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::SdkTracerProvider,
};
use serde_json::{Value, json};
use std::io::Write;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [grpc, http, service] = arguments.as_slice() else {
        anyhow::bail!("usage: sdk_sender GRPC_URL HTTP_URL SERVICE");
    };
    let resource = Resource::builder()
        .with_service_name(service.clone())
        .with_attribute(KeyValue::new("host.cpus", 4))
        .build();
    let runtime = tokio::runtime::Runtime::new()?;
    let guard = runtime.enter();
    let (spans, parent) = send_spans(grpc, resource.clone())?;
    let logs = send_logs(grpc, resource.clone(), &parent)?;
    drop(guard);
    let metrics = send_metrics(http, resource)?;
    let sent = json!({ "service": service, "spans": spans, "logs": logs, "metrics": metrics });
    writeln!(std::io::stdout(), "{sent}")?;
    Ok(())
}

fn send_spans(endpoint: &str, resource: Resource) -> Result<(Vec<Value>, SpanContext)> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    let tracer = provider.tracer("shop.spans");
    let mut parent = tracer
        .span_builder("parent")
        .with_kind(SpanKind::Server)
        .with_attributes([KeyValue::new("k", "p")])
        .start(&tracer);
    parent.add_event("cache miss", vec![KeyValue::new("key", "cart:1")]);
    let parent_context = parent.span_context().clone();
    let within = opentelemetry::Context::new().with_remote_span_context(parent_context.clone());
    let link = Link::new(
        parent_context.clone(),
        vec![KeyValue::new("why", "retry")],
        0,
    );
    let mut child = tracer
        .span_builder("child")
        .with_kind(SpanKind::Client)
        .with_links(vec![link])
        .start_with_context(&tracer, &within);
    child.set_status(Status::error("card declined"));
    let child_context = child.span_context().clone();
    child.end();
    parent.end();
    provider.shutdown().context("sending spans")?;
    let spans = [("parent", &parent_context), ("child", &child_context)]
        .map(|(name, ids)| {
            json!({
                "name": name,
                "trace_id": ids.trace_id().to_string(),
                "span_id": ids.span_id().to_string(),
            })
        })
        .to_vec();
    Ok((spans, parent_context))
}

fn send_logs(endpoint: &str, resource: Resource, parent: &SpanContext) -> Result<Vec<Value>> {
    let exporter = LogExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()?;
    let provider = SdkLoggerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    let logger = provider.logger("shop.logs");
    let mut sent = Vec::new();
    for index in 0..5_i64 {
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Warn);
        record.set_severity_text("WARN");
        record.set_body(AnyValue::from(format!("line {index}")));
        record.set_trace_context(
            parent.trace_id(),
            parent.span_id(),
            Some(parent.trace_flags()),
        );
        record.add_attribute("index", index);
        record.add_attribute("int", 9_007_199_254_740_993_i64 + index);
        record.add_attribute("half", 0.5);
        logger.emit(record);
        sent.push(json!({
            "index": index,
            "int": 9_007_199_254_740_993_i64 + index,
            "severity_number": 13,
            "severity_text": "WARN",
            "body_type": "string",
        }));
    }
    provider.shutdown().context("sending logs")?;
    Ok(sent)
}

fn send_metrics(endpoint: &str, resource: Resource) -> Result<Value> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_endpoint(format!("{endpoint}/v1/metrics"))
        .build()?;
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter).build())
        .with_resource(resource)
        .build();
    let meter = provider.meter("shop.metrics");
    let counter = meter.u64_counter("orders").with_unit("{order}").build();
    counter.add(7, &[KeyValue::new("region", "eu")]);
    let histogram = meter.f64_histogram("latency").with_unit("ms").build();
    histogram.record(12.5, &[KeyValue::new("route", "/pay")]);
    meter
        .f64_gauge("queue.depth")
        .build()
        .record(42.5, &[KeyValue::new("queue", "mail")]);
    provider.shutdown().context("sending metrics")?;
    Ok(json!({
        "orders": { "type": "sum", "value_int": 7, "temporality": "cumulative" },
        "latency": { "type": "histogram", "count": 1, "sum": 12.5 },
        "queue.depth": { "type": "gauge", "value": 42.5 },
    }))
}
