//! OTLP over gRPC to our own port, as a client does it: wait for the answer, and send the same bytes again until it
//! is OK.

use super::shop::Pod;
use cairn_storage::world::Clock;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
        metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
        trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    },
    common::v1::InstrumentationScope,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Metric, ResourceMetrics, ScopeMetrics},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

/// The first pause before a request is sent again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// See [`FIRST_PAUSE`].
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Schema URL of everything the shop sends.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// A client of the three services.
pub(super) struct Sender {
    clock: Arc<dyn Clock>,
    logs: LogsServiceClient<Channel>,
    metrics: MetricsServiceClient<Channel>,
    traces: TraceServiceClient<Channel>,
}

impl Sender {
    /// A client that connects when it first sends.
    pub(super) fn new(target: SocketAddr, clock: Arc<dyn Clock>) -> Sender {
        let endpoint = Endpoint::from_shared(format!("http://{target}"));
        let channel = endpoint
            .expect("an address and a port make a URL")
            .connect_lazy();
        Sender {
            clock,
            logs: LogsServiceClient::new(channel.clone()),
            metrics: MetricsServiceClient::new(channel.clone()),
            traces: TraceServiceClient::new(channel),
        }
    }

    /// Sends spans until they are acknowledged.
    pub(super) async fn send_spans(&mut self, spans: Vec<(Pod, Span)>) {
        let resource_spans = by_pod(spans)
            .map(|(pod, spans)| ResourceSpans {
                resource: Some(pod.resource()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope()),
                    spans,
                    ..ScopeSpans::default()
                }],
                schema_url: SCHEMA_URL.to_string(),
            })
            .collect();
        let request = ExportTraceServiceRequest { resource_spans };
        let mut retry = Retry::new(self.clock.clone());
        while let Err(status) = self.traces.export(request.clone()).await {
            if !retry.is_worth(&status).await {
                return;
            }
        }
    }

    /// Sends log records until they are acknowledged.
    pub(super) async fn send_logs(&mut self, logs: Vec<(Pod, LogRecord)>) {
        let resource_logs = by_pod(logs)
            .map(|(pod, log_records)| ResourceLogs {
                resource: Some(pod.resource()),
                scope_logs: vec![ScopeLogs {
                    scope: Some(scope()),
                    log_records,
                    ..ScopeLogs::default()
                }],
                schema_url: SCHEMA_URL.to_string(),
            })
            .collect();
        let request = ExportLogsServiceRequest { resource_logs };
        let mut retry = Retry::new(self.clock.clone());
        while let Err(status) = self.logs.export(request.clone()).await {
            if !retry.is_worth(&status).await {
                return;
            }
        }
    }

    /// Sends metrics until they are acknowledged.
    pub(super) async fn send_metrics(&mut self, metrics: Vec<(Pod, Metric)>) {
        let resource_metrics = by_pod(metrics)
            .map(|(pod, metrics)| ResourceMetrics {
                resource: Some(pod.resource()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope()),
                    metrics,
                    ..ScopeMetrics::default()
                }],
                schema_url: SCHEMA_URL.to_string(),
            })
            .collect();
        let request = ExportMetricsServiceRequest { resource_metrics };
        let mut retry = Retry::new(self.clock.clone());
        while let Err(status) = self.metrics.export(request.clone()).await {
            if !retry.is_worth(&status).await {
                return;
            }
        }
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "shop.demo".to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        ..InstrumentationScope::default()
    }
}

fn by_pod<T>(items: Vec<(Pod, T)>) -> impl Iterator<Item = (Pod, Vec<T>)> {
    let mut groups: BTreeMap<Pod, Vec<T>> = BTreeMap::new();
    for (pod, item) in items {
        groups.entry(pod).or_default().push(item);
    }
    groups.into_iter()
}

/// Pauses between attempts.
struct Retry {
    clock: Arc<dyn Clock>,
    pause: Duration,
}

impl Retry {
    fn new(clock: Arc<dyn Clock>) -> Retry {
        Retry {
            clock,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits before the next attempt; `false` for an answer that stays the same however often one asks.
    async fn is_worth(&mut self, status: &Status) -> bool {
        let retryable = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::ResourceExhausted,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
            // A connection that broke under the request.
            Code::Unknown,
        ];
        if !retryable.contains(&status.code()) {
            tracing::warn!(code = ?status.code(), message = status.message(), "the demo shop was refused");
            return false;
        }
        tracing::debug!(code = ?status.code(), "the demo shop tries again");
        self.clock.sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}
