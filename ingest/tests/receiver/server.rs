//! A server on loopback over a store in a temporary folder.

use arrow::array::{AsArray, RecordBatch};
use axum::Router;
use cairn_ingest::{config::Config, decode::FrameDecode, receiver::Receiver};
use cairn_storage::{
    catalog::memory::MemoryCatalog,
    config::Config as StorageConfig,
    id::TenantId,
    objects::open_bucket,
    signal::Signal,
    store::{Parts, Store},
    telemetry::Telemetry,
    world::real,
};
use cairn_tenancy::{
    config::{Config as TenancyConfig, Key},
    keys::Keys,
    principal::Scope,
    secret::KeyHash,
};
use prometheus_client::registry::Registry;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A running server. Nothing is flushed, so all rows are in the buffer.
pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    /// Logs of other forms; Elasticsearch at the root, too.
    pub(crate) logs: SocketAddr,
    pub(crate) receiver: Receiver,
    pub(crate) store: Arc<Store>,
    registry: Registry,
    _folder: TempDir,
}

/// A key for `tenant`, whose secret is `secret`.
pub(crate) fn key(tenant: &str, secret: &str, scopes: &[Scope]) -> Key {
    Key {
        tenant: tenant.parse().expect("a valid tenant id"),
        name: format!("{tenant} {secret}"),
        sha256: KeyHash::of(secret),
        scopes: scopes.to_vec(),
    }
}

impl Server {
    /// With default settings and without keys.
    pub(crate) async fn start() -> Server {
        Server::with(Config::default(), Vec::new()).await
    }

    pub(crate) async fn with(config: Config, keys: Vec<Key>) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let world = real::world();
        let storage = StorageConfig {
            data_dir: folder.path().into(),
            ..StorageConfig::default()
        };
        let mut registry = Registry::default();
        let parts = Parts {
            bucket: open_bucket(&storage, &world)
                .await
                .expect("the bucket opens"),
            catalog: Arc::new(MemoryCatalog::new(world.clone())),
            decode: Arc::new(FrameDecode),
            telemetry: Telemetry::register(&mut registry),
            config: storage,
            world,
        };
        let store = Store::open(parts).await.expect("the store opens");
        let keys = Arc::new(Keys::new(&TenancyConfig { keys }).expect("valid keys"));
        let receiver = Receiver::new(store.clone(), keys, config, &mut registry)
            .expect("settings that fit the store");
        Server {
            http: listen(receiver.http().merge(receiver.metric_routes())).await,
            grpc: listen(receiver.grpc()).await,
            logs: listen(receiver.log_routes().merge(receiver.elasticsearch_routes())).await,
            receiver,
            store,
            registry,
            _folder: folder,
        }
    }

    /// The batches of a tenant's signal, those of its first table.
    pub(crate) fn batches(&self, tenant: &str, signal: Signal) -> Vec<RecordBatch> {
        let tenant: TenantId = tenant.parse().expect("a valid tenant id");
        let snapshot = self.store.snapshot(&tenant, signal);
        let table = signal.tables()[0];
        snapshot
            .buffered
            .iter()
            .filter_map(|request| request.batch(table).cloned())
            .collect()
    }

    /// The rows of a tenant's signal.
    pub(crate) fn rows(&self, tenant: &str, signal: Signal) -> usize {
        self.batches(tenant, signal)
            .iter()
            .map(RecordBatch::num_rows)
            .sum()
    }

    /// Reason and bytes of every dead letter of the default tenant.
    pub(crate) fn dead_letters(&self) -> Vec<(String, Vec<u8>)> {
        let mut letters = Vec::new();
        for batch in self.batches("default", Signal::DeadLetters) {
            let column = |name| {
                batch
                    .column_by_name(name)
                    .expect("a column of dead_letters")
            };
            let reasons = arrow::compute::cast(column("reason"), &arrow::datatypes::DataType::Utf8)
                .expect("text is text");
            let records = column("record").as_binary::<i32>();
            for (reason, record) in reasons.as_string::<i32>().iter().zip(records) {
                letters.push((
                    reason.unwrap_or_default().to_string(),
                    record.unwrap_or_default().to_vec(),
                ));
            }
        }
        letters
    }

    /// The sum of all samples whose line in `/metrics` starts with `name` and has all of `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to memory");
        let mut sum = 0.0;
        for line in text.lines().filter(|line| line.starts_with(name)) {
            if labels.iter().all(|label| line.contains(label)) {
                let (_, value) = line.rsplit_once(' ').expect("a sample has a value");
                sum += value.parse::<f64>().expect("a number");
            }
        }
        sum
    }
}

async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Waits until `is_so`, which other tasks bring about.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), wait).await;
    assert!(done.is_ok(), "{what}");
}
