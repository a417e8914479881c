//! OTLP over HTTP and over gRPC, logs and metrics as others send them: routers and sockets that end in the same pipeline.
//!
//! The binary binds the sockets, speaks TLS and sets the limits on connections and streams.

pub(crate) mod compression;
mod credentials;
mod elasticsearch;
mod foreign;
mod grpc;
mod head;
mod http;
mod influx;
mod intake;
mod lines;
mod loki;
mod metrics;
pub(crate) mod payload;
mod prometheus;
mod snappy;
mod syslog;
mod wire;

pub use credentials::authenticate;
pub use syslog::Syslog;

use crate::{
    config::{Config, Syslog as SyslogConfig},
    error::Result,
};
use cairn_storage::store::Store;
use cairn_tenancy::keys::Keys;
use intake::Intake;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Takes telemetry on every protocol. Cheap to clone.
#[derive(Clone)]
pub struct Receiver {
    intake: Arc<Intake>,
}

impl Receiver {
    /// A receiver that appends to `store` what senders known to `keys` send.
    ///
    /// Fails when `config` cannot work, by itself or with the memory that `store` has.
    pub fn new(
        store: Arc<Store>,
        keys: Arc<Keys>,
        config: Config,
        registry: &mut Registry,
    ) -> Result<Receiver> {
        Ok(Receiver {
            intake: Arc::new(Intake::new(store, keys, config, registry)?),
        })
    }

    /// OTLP/HTTP: `POST /v1/{logs,metrics,traces}`. Everything else is 404 or 405, with a `google.rpc.Status`.
    pub fn http(&self) -> axum::Router {
        http::router(self.intake.clone())
    }

    /// Metrics that do not come as OTLP, below `/prometheus` and `/influx`: remote write, the text formats, Influx line
    /// protocol. Without a fallback, so that it can be merged into another router.
    pub fn metric_routes(&self) -> axum::Router {
        prometheus::router(self.intake.clone()).merge(influx::router(self.intake.clone()))
    }

    /// OTLP/gRPC: the `Export` methods of the three collector services. Everything else is UNIMPLEMENTED.
    /// Serve it over HTTP/2.
    pub fn grpc(&self) -> axum::Router {
        grpc::router(self.intake.clone())
    }

    /// Logs of other forms over HTTP: Loki's push (`POST /loki/api/v1/push`), JSON lines (`POST /api/v1/logs/json`) and
    /// Elasticsearch's bulk API under `/elasticsearch`.
    pub fn log_routes(&self) -> axum::Router {
        loki::router(self.intake.clone())
            .merge(lines::router(self.intake.clone()))
            .merge(elasticsearch::nested(self.intake.clone(), "/elasticsearch"))
    }

    /// Elasticsearch's bulk API at the root, for shippers that know no path: `/_bulk`, `/{index}/_bulk` and what they
    /// ask for at their start, `/` included.
    pub fn elasticsearch_routes(&self) -> axum::Router {
        elasticsearch::router(self.intake.clone())
    }

    /// The syslog listeners, bound; none where `config` has none. Logs go to the tenant of `config`.
    ///
    /// Fails when `config` cannot work, names no tenant on a server with keys, or a port is taken.
    pub async fn syslog(&self, config: &SyslogConfig) -> Result<Option<Syslog>> {
        Syslog::bind(self.intake.clone(), config).await
    }
}
