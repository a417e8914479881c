//! What the handlers of the API share. The API answers from the first moment on; what needs the store says so
//! until replay is over.

use super::problem::Problem;
use crate::telemetry::Telemetry;
use axum::Router;
use cairn_ingest::{pipeline::Pipeline, scrape::Targets};
use cairn_query::engine::Engine;
use cairn_storage::{store::Store, world::World};
use cairn_tenancy::keys::Keys;
use parking_lot::RwLock;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Clients that follow logs at the same time: each asks a few times a second while records arrive.
const MOST_TAILS: usize = 64;

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) world: World,
    pub(crate) keys: Arc<Keys>,
    /// Every metric of every crate.
    pub(crate) registry: Arc<RwLock<Registry>>,
    pub(crate) telemetry: Telemetry,
    /// Whether requests must name this machine as nobody else can: where everybody may ask without a key.
    pub(crate) local_names_only: bool,
    /// The turn to replay dead letters, which one call has at a time.
    pub(crate) replays: Arc<Semaphore>,
    /// A permit for each client that follows logs.
    pub(crate) tails: Arc<Semaphore>,
    running: RwLock<Running>,
}

/// Where the server is in its life.
enum Running {
    Starting,
    Ready(Parts),
    Stopping,
}

/// What answers questions, once replay is over.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<Store>,
    /// For dead letters that are offered again.
    pub(crate) pipeline: Arc<Pipeline>,
    /// What is scraped.
    pub(crate) targets: Arc<Targets>,
    /// The ways in for telemetry that have a path on this port, each with its own check of credentials.
    pub(crate) inlets: Router,
}

impl Api {
    pub(crate) fn new(
        world: World,
        (keys, local_names_only): (Arc<Keys>, bool),
        (registry, telemetry): (Arc<RwLock<Registry>>, Telemetry),
    ) -> Api {
        let running = RwLock::new(Running::Starting);
        Api {
            world,
            keys,
            registry,
            telemetry,
            local_names_only,
            replays: Arc::new(Semaphore::new(1)),
            tails: Arc::new(Semaphore::new(MOST_TAILS)),
            running,
        }
    }

    /// From now on questions are answered.
    pub(crate) fn set_ready(&self, parts: Parts) {
        *self.running.write() = Running::Ready(parts);
    }

    /// From now on no new question is answered.
    pub(crate) fn set_stopping(&self) {
        *self.running.write() = Running::Stopping;
    }

    /// What answers questions; `Unavailable` while the server starts or stops.
    pub(crate) fn parts(&self) -> Result<Parts, Problem> {
        match &*self.running.read() {
            Running::Ready(parts) => Ok(parts.clone()),
            Running::Starting => Err(Problem::unavailable(
                "the server is starting: the log is replayed",
            )),
            Running::Stopping => Err(Problem::unavailable("the server is stopping")),
        }
    }
}
