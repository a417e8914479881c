//! What both protocols share: who may send, how a body becomes a payload, and what is counted.

use super::{
    compression::Compression,
    credentials::authenticate,
    payload::{Gathering, Payload},
    wire::Wire,
};
use crate::{
    config::Config,
    error::{Error, Kind, Result},
    pipeline::Pipeline,
    telemetry::{Protocol, Source, Telemetry},
};
use axum::body::Body;
use cairn_storage::{
    budget::Reservation, id::TenantId, signal::Signal, store::Store, world::Clock,
};
use cairn_tenancy::{
    keys::Keys,
    principal::{Principal, Scope},
};
use http::HeaderMap;
use prometheus_client::registry::Registry;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// A request that takes more memory than this many times its limit while it is received, decoded and
/// appended could never be served: bytes, rows, and the frame on its way to disk.
const MEMORY_PER_REQUEST: u64 = 4;

/// The parts that a request meets on its way in.
pub(super) struct Intake {
    pub(super) pipeline: Pipeline,
    pub(super) store: Arc<Store>,
    pub(super) keys: Arc<Keys>,
    pub(super) config: Config,
    pub(super) telemetry: Telemetry,
}

/// Where a request comes from and when it began, to count it when it ends.
pub(super) struct Exchange {
    protocol: Protocol,
    signal: Signal,
    /// Set when the sender has shown who it is.
    tenant: OnceLock<TenantId>,
    began: Duration,
    _in_flight: crate::telemetry::InFlight,
}

impl Intake {
    pub(super) fn new(
        store: Arc<Store>,
        keys: Arc<Keys>,
        config: Config,
        registry: &mut Registry,
    ) -> Result<Intake> {
        config.validate()?;
        let needed = config.max_request_bytes.saturating_mul(MEMORY_PER_REQUEST);
        let limit = store.budget().limit_bytes();
        if needed > limit {
            let detail = format!(
                "max_request_bytes ({}) may be at most a quarter of storage's memory_bytes ({limit})",
                config.max_request_bytes
            );
            return Err(Error::Settings { detail });
        }
        Ok(Intake {
            pipeline: Pipeline::new(store.clone(), &config),
            store,
            keys,
            config,
            telemetry: Telemetry::new(registry),
        })
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.store.world().clock
    }

    /// The sender of a request, who must be allowed to send; the exchange is counted for its tenant from here on.
    pub(super) fn sender(&self, exchange: &Exchange, headers: &HeaderMap) -> Result<Principal> {
        let principal = authenticate(headers, &self.keys)?;
        exchange.tenant.get_or_init(|| principal.tenant.clone());
        principal.require(Scope::Ingest)?;
        Ok(principal)
    }

    /// Fails unless the sender may send.
    pub(super) fn admits(&self, headers: &HeaderMap) -> Result<()> {
        Ok(authenticate(headers, &self.keys)?.require(Scope::Ingest)?)
    }

    /// Counts an exchange for `tenant` where no credentials say whose it is.
    pub(super) fn is_of(&self, exchange: &Exchange, tenant: &TenantId) {
        exchange.tenant.get_or_init(|| tenant.clone());
    }

    /// The body of a request, to be read.
    pub(super) fn wire(&self, body: Body) -> Wire {
        Wire::new(body, &self.config, self.clock().clone())
    }

    /// An empty payload, to be filled.
    pub(super) fn gathering(&self, compression: Compression) -> Result<Gathering> {
        Gathering::new(
            compression,
            self.config.max_request_bytes,
            self.store.budget(),
        )
    }

    /// Reads all of `wire` as one payload.
    pub(super) async fn gather(
        &self,
        exchange: &Exchange,
        wire: &mut Wire,
        compression: Compression,
    ) -> Result<Payload> {
        wire.check_declared_length()?;
        let mut gathering = self.gathering(compression)?;
        let filled = fill(wire, &mut gathering).await;
        self.count_bytes(exchange, wire, Some(&gathering));
        filled?;
        gathering.finish()
    }

    /// Counts what was read and what came of it, of requests accepted or not.
    pub(super) fn count_bytes(
        &self,
        exchange: &Exchange,
        wire: &Wire,
        gathering: Option<&Gathering>,
    ) {
        let payload_bytes = gathering.map_or(0, Gathering::gathered_bytes);
        self.telemetry
            .received(exchange.source(), wire.received_bytes(), payload_bytes);
    }

    /// Counts what came in without a body of HTTP.
    pub(super) fn count_plain(&self, exchange: &Exchange, bytes: u64) {
        self.telemetry.received(exchange.source(), bytes, bytes);
    }

    /// Counts fields that are texts, no metrics, and were left out.
    pub(super) fn skipped_texts(&self, exchange: &Exchange, count: u64) {
        self.telemetry.skipped_texts(exchange.source(), count);
    }

    /// An empty reservation of memory.
    pub(super) fn memory(&self) -> Reservation {
        self.store.budget().empty()
    }

    /// Bytes of a request after decompression.
    pub(super) fn max_request_bytes(&self) -> u64 {
        self.config.max_request_bytes
    }

    pub(super) fn begin(&self, protocol: Protocol, signal: Signal) -> Exchange {
        Exchange {
            protocol,
            signal,
            tenant: OnceLock::new(),
            began: self.clock().monotonic(),
            _in_flight: self.telemetry.begin(protocol, signal),
        }
    }

    /// Counts the end of a request; `code` is the HTTP status or the number of the gRPC code.
    pub(super) fn end(&self, exchange: &Exchange, code: u32, error: Option<&Error>) {
        let took = self.clock().monotonic().saturating_sub(exchange.began);
        self.telemetry.answered(exchange.source(), code, took);
        let Some(error) = error else { return };
        self.telemetry.refused(exchange.source(), error.reason());
        let signal = exchange.signal;
        // What a client did wrong is its own to read; what we did wrong it is not told in full.
        match error.kind() {
            Kind::Internal => tracing::error!(%signal, error = chain(error), "request failed"),
            Kind::Unavailable => tracing::warn!(%signal, error = chain(error), "request put off"),
            _ => tracing::debug!(%signal, error = chain(error), "request refused"),
        }
    }
}

impl Exchange {
    fn source(&self) -> Source<'_> {
        Source {
            tenant: self.tenant.get(),
            protocol: self.protocol,
            signal: self.signal,
        }
    }
}

async fn fill(wire: &mut Wire, gathering: &mut Gathering) -> Result<()> {
    while let Some(chunk) = wire.next().await? {
        gathering.push(chunk).await?;
    }
    Ok(())
}

/// The text of an error with all of its sources.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
