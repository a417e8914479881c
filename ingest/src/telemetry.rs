//! All metrics of ingest. What became of each record is counted by storage's ledger.

pub(crate) mod scrape;

use cairn_storage::{id::TenantId, signal::Signal};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::time::Duration;

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    Grpc,
    HttpProtobuf,
    HttpJson,
    /// Prometheus remote write of either version.
    RemoteWrite,
    /// The Prometheus text format or OpenMetrics.
    Exposition,
    /// Influx line protocol.
    Influx,
    /// A media type that OTLP does not have, or none.
    Http,
    Loki,
    Elasticsearch,
    /// JSON objects over HTTP, one a line.
    JsonLines,
    SyslogTcp,
    SyslogUdp,
}

/// The metrics of ingest. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct Telemetry {
    requests: Family<RequestLabels, Counter>,
    refused: Family<RefusedLabels, Counter>,
    duration: Family<SourceLabels, Histogram, fn() -> Histogram>,
    wire_bytes: Family<SourceLabels, Counter>,
    payload_bytes: Family<SourceLabels, Counter>,
    in_flight: Family<InFlightLabels, Gauge>,
    dropped: Family<DroppedLabels, Counter>,
    refused_connections: Counter,
    connections: Gauge,
    skipped_texts: Family<SourceLabels, Counter>,
}

/// Where a request came from, as far as is known when it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// `None` before the sender has shown who it is.
    pub(crate) tenant: Option<&'a TenantId>,
    pub(crate) protocol: Protocol,
    pub(crate) signal: Signal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InFlightLabels {
    protocol: &'static str,
    signal: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    tenant: String,
    protocol: &'static str,
    signal: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    tenant: String,
    protocol: &'static str,
    signal: &'static str,
    code: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    tenant: String,
    protocol: &'static str,
    signal: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    tenant: String,
    protocol: &'static str,
    reason: &'static str,
}

/// Counts one request or connection from here to its end, however it ends.
pub(crate) struct InFlight {
    gauge: Gauge,
}

impl Protocol {
    /// The names of OTLP are those of `OTEL_EXPORTER_OTLP_PROTOCOL`.
    fn as_str(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::HttpProtobuf => "http/protobuf",
            Protocol::HttpJson => "http/json",
            Protocol::RemoteWrite => "prometheus/remote_write",
            Protocol::Exposition => "prometheus/text",
            Protocol::Influx => "influx/lines",
            Protocol::Http => "http",
            Protocol::Loki => "loki",
            Protocol::Elasticsearch => "elasticsearch",
            Protocol::JsonLines => "json_lines",
            Protocol::SyslogTcp => "syslog/tcp",
            Protocol::SyslogUdp => "syslog/udp",
        }
    }
}

impl Telemetry {
    /// Registers the metrics in `registry`.
    pub fn new(registry: &mut Registry) -> Telemetry {
        // 1 ms to 65 s: from an fsync to the longest time a body may take.
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 17));
        let telemetry = Telemetry {
            requests: Family::default(),
            refused: Family::default(),
            duration: Family::new_with_constructor(buckets),
            wire_bytes: Family::default(),
            payload_bytes: Family::default(),
            in_flight: Family::default(),
            dropped: Family::default(),
            refused_connections: Counter::default(),
            connections: Gauge::default(),
            skipped_texts: Family::default(),
        };
        let counters = [
            (
                "ingest_wire_bytes",
                "Request bytes as received",
                &telemetry.wire_bytes,
            ),
            (
                "ingest_payload_bytes",
                "Request bytes decompressed",
                &telemetry.payload_bytes,
            ),
            (
                "ingest_skipped_texts",
                "Fields of line protocol that are texts, no metrics, and were left out",
                &telemetry.skipped_texts,
            ),
        ];
        for (name, help, family) in counters {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "ingest_requests",
            "Requests answered, by HTTP status or gRPC code",
            telemetry.requests.clone(),
        );
        registry.register(
            "ingest_refused_requests",
            "Requests not accepted, by reason",
            telemetry.refused.clone(),
        );
        registry.register(
            "ingest_request_duration_seconds",
            "From the head of a request to its answer",
            telemetry.duration.clone(),
        );
        registry.register(
            "ingest_requests_in_flight",
            "Requests not answered yet",
            telemetry.in_flight.clone(),
        );
        telemetry.register_syslog(registry);
        telemetry
    }

    fn register_syslog(&self, registry: &mut Registry) {
        registry.register(
            "ingest_dropped_messages",
            "Syslog messages that came in and are lost, by reason",
            self.dropped.clone(),
        );
        registry.register(
            "ingest_syslog_refused_connections",
            "Syslog connections closed at once: there are too many",
            self.refused_connections.clone(),
        );
        registry.register(
            "ingest_syslog_connections",
            "Syslog connections that are open",
            self.connections.clone(),
        );
    }

    /// Counts messages that nobody will send again.
    pub(crate) fn dropped(
        &self,
        (tenant, protocol): (&TenantId, Protocol),
        reason: &'static str,
        messages: u64,
    ) {
        let labels = DroppedLabels {
            tenant: tenant.to_string(),
            protocol: protocol.as_str(),
            reason,
        };
        self.dropped.get_or_create(&labels).inc_by(messages);
    }

    pub(crate) fn connection_refused(&self) {
        self.refused_connections.inc();
    }

    /// Counts a connection until it is dropped.
    pub(crate) fn connection(&self) -> InFlight {
        self.connections.inc();
        InFlight {
            gauge: self.connections.clone(),
        }
    }

    pub(crate) fn begin(&self, protocol: Protocol, signal: Signal) -> InFlight {
        let labels = InFlightLabels {
            protocol: protocol.as_str(),
            signal: signal.as_str(),
        };
        let gauge = self.in_flight.get_or_create_owned(&labels);
        gauge.inc();
        InFlight { gauge }
    }

    /// `code` is the HTTP status or the number of the gRPC code.
    pub(crate) fn answered(&self, source: Source<'_>, code: u32, took: Duration) {
        let labels = source.labels();
        self.duration
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        let SourceLabels {
            tenant,
            protocol,
            signal,
        } = labels;
        let labels = RequestLabels {
            tenant,
            protocol,
            signal,
            code,
        };
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn refused(&self, source: Source<'_>, reason: &'static str) {
        let SourceLabels {
            tenant,
            protocol,
            signal,
        } = source.labels();
        let labels = RefusedLabels {
            tenant,
            protocol,
            signal,
            reason,
        };
        self.refused.get_or_create(&labels).inc();
    }

    /// `wire_bytes` as received, `payload_bytes` after decompression, of requests accepted or not.
    pub(crate) fn received(&self, source: Source<'_>, wire_bytes: u64, payload_bytes: u64) {
        let labels = source.labels();
        self.wire_bytes.get_or_create(&labels).inc_by(wire_bytes);
        self.payload_bytes
            .get_or_create(&labels)
            .inc_by(payload_bytes);
    }
}

impl Telemetry {
    /// Counts fields of a request that are texts where only numbers are kept.
    pub(crate) fn skipped_texts(&self, source: Source<'_>, count: u64) {
        if count > 0 {
            let labels = source.labels();
            self.skipped_texts.get_or_create(&labels).inc_by(count);
        }
    }
}

impl Source<'_> {
    fn labels(self) -> SourceLabels {
        SourceLabels {
            tenant: self.tenant.map(TenantId::to_string).unwrap_or_default(),
            protocol: self.protocol.as_str(),
            signal: self.signal.as_str(),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
