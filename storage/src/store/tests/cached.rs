//! A store over a bucket that is far away: what is asked of it, and what is not.

use super::*;
use crate::{telemetry::ObjectLabels, world::real};

struct Far {
    folder: tempfile::TempDir,
    catalog: Arc<MemoryCatalog>,
    bucket: Arc<dyn ObjectStore>,
    telemetry: Telemetry,
}

impl Far {
    fn new() -> Far {
        Far {
            folder: tempfile::tempdir().expect("a folder"),
            catalog: Arc::new(MemoryCatalog::new(real::world())),
            bucket: Arc::new(InMemory::new()),
            telemetry: Telemetry::unregistered(),
        }
    }

    async fn open(&self, cache_memory_bytes: u64) -> Arc<Store> {
        Store::open(Parts {
            world: real::world(),
            config: Config {
                data_dir: self.folder.path().into(),
                // What it names is not asked: the bucket is given.
                bucket: "s3://far".to_string(),
                wal_file_bytes: 64 << 10,
                cache_memory_bytes,
                cache_disk_bytes: 256 << 20,
                ..Config::default()
            },
            catalog: self.catalog.clone(),
            bucket: self.bucket.clone(),
            decode: Arc::new(TextDecode),
            telemetry: self.telemetry.clone(),
        })
        .await
        .expect("the store starts")
    }

    fn requests(&self, kind: &'static str) -> u64 {
        let tenant = TenantId::default_tenant().to_string();
        self.telemetry
            .bucket
            .counts(&ObjectLabels { tenant, kind })
            .0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_is_not_asked_for_again_also_after_a_restart() {
    let far = Far::new();
    let store = far.open(64 << 20).await;
    assert_eq!(store.cache_limit_bytes(), (64 << 20) + (48 << 20));
    append(&store, request("1 a\n2 b\n")).await.expect("stored");
    store.flush_all().await.expect("flushed");
    let files = far.requests("put");
    assert!(files >= 1);
    assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
    let first = far.requests("get");
    assert!(first > 0);
    assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
    assert_eq!(far.requests("get"), first);
    store.close().await.expect("closed");
    drop(store);
    // The footer was kept in memory when it was written: this life has to read it once.
    for footers in [1, 0] {
        let store = far.open(64 << 20).await;
        let before = far.requests("get");
        assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
        assert_eq!(far.requests("get") - before, footers);
        store.close().await.expect("closed");
    }
    assert_eq!(far.requests("put"), files);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_cache_every_read_is_a_request() {
    let far = Far::new();
    let store = far.open(0).await;
    assert_eq!(store.cache_limit_bytes(), 0);
    append(&store, request("1 a\n")).await.expect("stored");
    store.flush_all().await.expect("flushed");
    for reads in 1..4 {
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
        assert!(far.requests("get") >= reads);
    }
    assert_eq!(far.telemetry.bucket.blocks("bucket"), 0);
    store.close().await.expect("closed");
}
