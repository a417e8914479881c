//! `cairn serve`: the whole server on one screen, from its parts to its clean end.
//!
//! The sockets are bound first, so that a taken port fails at once; the API answers from then on, and says that it
//! is not ready. The receivers take connections when replay is over. At the end: no new connections, a goodbye on
//! the open ones, a deadline for what is under way, then the buffers go to segments.

mod signals;

use crate::{
    api::{self, Api, Parts},
    config::{Config, Loaded},
    demo::Demo,
    listen::{self, Listener},
    open::DataFolder,
    tasks::Tasks,
    telemetry::{self, Telemetry},
};
use anyhow::{Context, Result, bail};
use axum::Router;
use cairn_ingest::{pipeline::Pipeline, receiver::Receiver, scrape::Scraper};
use cairn_query::engine::Engine;
use cairn_storage::{
    store::Store,
    world::{self, World},
};
use cairn_tenancy::keys::Keys;
use parking_lot::RwLock;
use prometheus_client::registry::Registry;
use signals::Signals;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// How long connections get to end after the drain is over and they were cut.
const ABORT_WAIT: Duration = Duration::from_secs(2);

/// Runs the server until a signal, and returns when everything is flushed and closed.
pub(crate) async fn run(loaded: Loaded, demo: bool) -> Result<()> {
    let config = loaded.config;
    if demo && !config.tenancy.keys.is_empty() {
        bail!("--demo sends without credentials: use it on a server without tenancy.keys");
    }
    telemetry::start_logs(&config.log);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), settings = ?loaded.origins, "starting");
    let mut signals = Signals::new()?;
    let server = Server::bind(&config).await?;
    let store = tokio::select! {
        opened = server.start(&config, demo) => opened?,
        () = signals.next() => {
            // Nothing was taken yet, and the log is replayed again at the next start.
            tracing::info!("stopped during the start");
            return Ok(());
        }
    };
    let failed = tokio::select! {
        () = signals.next() => false,
        () = server.tasks.failed.cancelled() => true,
    };
    tokio::select! {
        stopped = server.stop(&config, &store) => stopped?,
        () = signals.next() => bail!("stopped by a second signal: what is not flushed is in the log"),
    }
    match failed {
        true => bail!("a background task ended before its time; the log above says which"),
        false => Ok(()),
    }
}

/// A server with its sockets bound.
struct Server {
    folder: DataFolder,
    world: World,
    keys: Arc<Keys>,
    registry: Arc<RwLock<Registry>>,
    api: Arc<Api>,
    sockets: [Socket; 2],
    shared: listen::Shared,
    tasks: Tasks,
}

/// A receiver's socket that does not accept yet.
struct Socket {
    name: &'static str,
    listener: parking_lot::Mutex<Option<TcpListener>>,
    address: SocketAddr,
}

impl Socket {
    async fn bind(name: &'static str, setting: &str, address: SocketAddr) -> Result<Socket> {
        let listener = listen::bind(setting, address).await?;
        let address = listener
            .local_addr()
            .context("asking for the address of a socket")?;
        Ok(Socket {
            name,
            listener: parking_lot::Mutex::new(Some(listener)),
            address,
        })
    }
}

impl Server {
    /// Binds the sockets and lets the API answer.
    async fn bind(config: &Config) -> Result<Server> {
        let world = world::real::world();
        let folder = DataFolder::take(&config.storage, &world)?;
        let keys = Arc::new(Keys::new(&config.tenancy)?);
        let mut registry = Registry::default();
        let telemetry = Telemetry::register(&mut registry);
        let registry = Arc::new(RwLock::new(registry));
        let local_names_only = keys.is_open() && !config.allow_unauthenticated;
        let api = Arc::new(Api::new(
            world.clone(),
            (keys.clone(), local_names_only),
            (registry.clone(), telemetry.clone()),
        ));
        let shared = listen::Shared::new(world.clone(), &config.listen, telemetry);
        let sockets = [
            Socket::bind("otlp_grpc", "listen.grpc", config.listen.grpc).await?,
            Socket::bind("otlp_http", "listen.http", config.listen.http).await?,
        ];
        let api_socket = Socket::bind("api", "listen.api", config.listen.api).await?;
        let [grpc, http] = sockets.each_ref().map(|socket| socket.address);
        tracing::info!(%grpc, %http, api = %api_socket.address, "listening");
        let server = Server {
            folder,
            world,
            keys,
            registry,
            api,
            sockets,
            shared,
            tasks: Tasks::default(),
        };
        server.accept(&api_socket, api::router(server.api.clone()));
        Ok(server)
    }

    /// Opens the store, which replays the log, and starts everything that needs it.
    async fn start(&self, config: &Config, demo: bool) -> Result<Arc<Store>> {
        let began = self.world.clock.monotonic();
        let telemetry = cairn_storage::telemetry::Telemetry::register(&mut self.registry.write());
        let store = self
            .folder
            .store(&config.storage, &self.world, telemetry)
            .await?;
        let pipeline = Arc::new(Pipeline::new(store.clone(), &config.ingest));
        let (engine, receiver, scraper) = {
            let mut registry = self.registry.write();
            let spill = config.storage.data_dir.join("spill");
            let engine = Engine::new(store.clone(), config.query.clone(), &spill, &mut registry)
                .context("starting the query engine")?;
            let receiver = Receiver::new(
                store.clone(),
                self.keys.clone(),
                config.ingest.clone(),
                &mut registry,
            )
            .context("starting the receivers")?;
            let settings = (&config.scrape, &config.ingest, self.keys.is_open());
            let scraper = Scraper::new(pipeline.clone(), settings, &mut registry)
                .context("starting the scraper")?;
            (Arc::new(engine), receiver, scraper)
        };
        self.tasks.flush(store.clone());
        self.tasks.warm_up(engine.clone());
        self.api.set_ready(Parts {
            engine,
            store: store.clone(),
            pipeline,
            targets: scraper.as_ref().map(Scraper::targets).unwrap_or_default(),
            inlets: receiver.log_routes().merge(receiver.metric_routes()),
        });
        let [grpc, http] = &self.sockets;
        self.accept(grpc, receiver.grpc());
        let others = receiver
            .log_routes()
            .merge(receiver.elasticsearch_routes())
            .merge(receiver.metric_routes());
        self.accept(http, receiver.http().merge(others));
        if let Some(syslog) = receiver.syslog(&config.syslog).await? {
            tracing::info!(tcp = ?syslog.tcp_address(), udp = ?syslog.udp_address(), "listening for syslog");
            self.tasks.syslog(syslog, self.shared.drain.clone());
        }
        if let Some(scraper) = scraper {
            self.tasks.scrape(scraper, self.shared.drain.clone());
        }
        let took_seconds = (self.world.clock.monotonic() - began).as_secs_f64();
        tracing::info!(took_seconds, sequence = store.sequence(), "ready");
        if demo {
            let is_empty = store.tenants().is_empty();
            let demo = Demo::new(self.world.clone(), grpc.address, is_empty);
            self.tasks.demo(demo, self.shared.drain.clone());
        }
        Ok(store)
    }

    fn accept(&self, socket: &Socket, service: Router) {
        let taken = socket.listener.lock().take();
        let listener = taken.expect("a socket is given its service once");
        let shared = self.shared.clone();
        self.tasks.listen(Listener {
            name: socket.name,
            socket: listener,
            service,
            shared,
        });
    }

    /// Drains, flushes and closes.
    async fn stop(&self, config: &Config, store: &Store) -> Result<()> {
        tracing::info!("stopping");
        self.api.set_stopping();
        self.shared.drain.cancel();
        let connections = &self.shared.connections;
        connections.close();
        let deadline = Duration::from_secs(config.listen.drain_seconds);
        tokio::select! {
            () = connections.wait() => {}
            () = self.world.clock.sleep(deadline) => {
                tracing::warn!(connections = connections.len(), "cut at the end of the drain");
                self.shared.abort.cancel();
                tokio::select! {
                    () = connections.wait() => {}
                    () = self.world.clock.sleep(ABORT_WAIT) => {}
                }
            }
        }
        self.tasks.stop().await;
        store
            .close()
            .await
            .context("closing the store: what is not flushed is in the log")?;
        tracing::info!("stopped");
        Ok(())
    }
}
