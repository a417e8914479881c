//! Every metric of the root crate, and where its logs go.

use crate::config::{self, LogFormat};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// The metrics of the binary; a clone counts into the same ones.
#[derive(Clone, Default)]
pub(crate) struct Telemetry {
    connections: Family<ListenerLabels, Gauge>,
    connections_refused: Family<RefusedLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    listener: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    tenant: String,
    /// The pattern of the route, never the path itself.
    route: String,
    status: u16,
}

impl Telemetry {
    /// Metrics under the prefix `cairn_` in `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Telemetry {
        let telemetry = Telemetry::default();
        let registry = registry.sub_registry_with_prefix("cairn");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        registry.register(
            "connections",
            "Connections that are open",
            telemetry.connections.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once, by reason",
            telemetry.connections_refused.clone(),
        );
        registry.register(
            "api_requests",
            "Requests to the API that were answered",
            telemetry.requests.clone(),
        );
        telemetry
    }

    /// Counts a connection as open until the returned value is dropped.
    pub(crate) fn connection_opened(&self, listener: &'static str) -> OpenConnection {
        let gauge = self
            .connections
            .get_or_create(&ListenerLabels { listener })
            .clone();
        gauge.inc();
        OpenConnection(gauge)
    }

    /// Counts a connection that was closed at once.
    pub(crate) fn connection_refused(&self, listener: &'static str, reason: &'static str) {
        self.connections_refused
            .get_or_create(&RefusedLabels { listener, reason })
            .inc();
    }

    /// Counts an answer of the API.
    pub(crate) fn request_answered(&self, tenant: &str, route: &str, status: u16) {
        let labels = RequestLabels {
            tenant: tenant.to_string(),
            route: route.to_string(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
    }
}

/// An open connection in the gauge.
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Sends our own logs to standard error as `config` says. Call it once, before anything logs.
pub(crate) fn start_logs(config: &config::Log) {
    let filter = EnvFilter::new(&config.level);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => registry.with(layer.with_ansi(is_terminal())).init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
