//! What goes on beside requests: it waits for nothing that is slow, and has an end.

use super::*;
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, path::Path as ObjectPath,
};
use std::sync::atomic::AtomicBool;

/// A bucket whose puts or deletes hang.
#[derive(Debug)]
struct Hanging {
    inner: InMemory,
    puts: AtomicBool,
    deletes: bool,
}

impl std::fmt::Display for Hanging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a bucket that hangs")
    }
}

#[async_trait]
impl ObjectStore for Hanging {
    async fn put_opts(
        &self,
        path: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        if self.puts.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &ObjectPath,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(
        &self,
        path: &ObjectPath,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        match self.deletes {
            true => Box::pin(futures::stream::pending()),
            false => self.inner.delete_stream(paths),
        }
    }

    fn list(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn hanging(fixture: &mut Fixture, deletes: bool) -> Arc<Hanging> {
    let bucket = Arc::new(Hanging {
        inner: InMemory::new(),
        puts: AtomicBool::new(false),
        deletes,
    });
    fixture.bucket = bucket.clone();
    bucket
}

#[test]
fn a_delete_that_hangs_stalls_no_flush_and_no_shutdown() {
    let mut fixture = Fixture::new();
    fixture.config.dead_letter_bytes = 1;
    fixture.config.flush_age_seconds = 1;
    fixture.config.small_flush_age_seconds = 1;
    hanging(&mut fixture, true);
    fixture.run(async {
        let store = fixture.open().await;
        for text in ["1 bad-a\n", "2 bad-b\n"] {
            append(&store, request(text)).await.expect("stored");
            store.flush_all().await.expect("flushed");
        }
        drop(store);
        // What was evicted is due at once after a restart.
        let store = fixture.open().await;
        let shutdown = CancellationToken::new();
        let client = async {
            let clock = &store.world().clock;
            clock.sleep(Duration::from_secs(2)).await;
            append(&store, request("3 c\n")).await.expect("stored");
            clock.sleep(Duration::from_secs(5)).await;
            let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
            assert_eq!((snapshot.segments.len(), snapshot.buffered.len()), (1, 0));
            clock.sleep(Duration::from_secs(60)).await;
            assert_eq!(store.health().problems[0].part, "bucket");
            shutdown.cancel();
            clock.monotonic()
        };
        let ((), cancelled) = futures::join!(store.run(shutdown.clone()), client);
        let waited = store.world().clock.monotonic() - cancelled;
        assert!(waited < Duration::from_secs(1), "{waited:?}");
        store.close().await.expect("closed");
    });
}

#[test]
fn a_shutdown_with_the_bucket_away_ends_in_time_and_loses_nothing() {
    let mut fixture = Fixture::new();
    fixture.config.close_seconds = 7;
    let bucket = hanging(&mut fixture, false);
    fixture.run(async {
        let store = fixture.open().await;
        bucket.puts.store(true, Ordering::Relaxed);
        let line = "x".repeat(1 << 20);
        append(&store, request(&format!("1 a{line}\n")))
            .await
            .expect("stored");
        let shutdown = CancellationToken::new();
        let client = async {
            store.world().clock.sleep(Duration::from_secs(3)).await;
            shutdown.cancel();
            store.world().clock.monotonic()
        };
        let ((), began) = futures::join!(store.run(shutdown.clone()), client);
        let error = store.close().await.expect_err("nothing can be uploaded");
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("7 s"), "{error}");
        // The loop and the last flush have one deadline.
        let took = store.world().clock.monotonic() - began;
        assert!(
            (Duration::from_secs(6)..Duration::from_secs(8)).contains(&took),
            "{took:?}"
        );
    });
    bucket.puts.store(false, Ordering::Relaxed);
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await.len(), 1);
        store.close().await.expect("closed");
    });
}

#[test]
fn wakes_do_not_put_the_tick_off() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        let shutdown = CancellationToken::new();
        append(&store, request("1 a\n")).await.expect("stored");
        let client = async {
            for number in 0..300 {
                store.state.wake.notify_one();
                if number == 150 {
                    // Only a tick sets the gauge.
                    fixture.telemetry.memory_bytes.set(-1);
                }
                store.world().clock.sleep(Duration::from_millis(10)).await;
            }
            shutdown.cancel();
        };
        futures::join!(store.run(shutdown.clone()), client);
        let expected = store.budget().used_bytes() as i64;
        assert_eq!(fixture.telemetry.memory_bytes.get(), expected);
    });
}

#[test]
fn a_log_that_can_be_written_again_is_ready_without_a_request() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        fixture.simulation.set_faults(Faults {
            sync: 1.0,
            ..Faults::default()
        });
        append(&store, request("1 a\n"))
            .await
            .expect_err("nothing is durable");
        let health = store.health();
        assert!(!health.accepting);
        assert_eq!((health.problems.len(), health.problems[0].part), (1, "wal"));
        store.world().clock.sleep(Duration::from_secs(60)).await;
        assert!(!store.health().accepting);
        fixture.simulation.set_faults(Faults::default());
        store.world().clock.sleep(Duration::from_secs(6)).await;
        assert_eq!(
            store.health(),
            Health {
                accepting: true,
                problems: vec![],
                orphans: None,
            }
        );
        append(&store, request("1 a\n")).await.expect("stored");
    });
}

#[test]
fn staging_leaves_no_folders() {
    for local in [false, true] {
        let mut fixture = Fixture::new();
        if local {
            fixture.config.bucket = "local".to_string();
            let (world, root) = (fixture.simulation.world(), PathBuf::from("/data/bucket"));
            fixture.bucket = Arc::new(LocalStore::new(world, root));
        }
        let world = fixture.simulation.world();
        let staging = || {
            let listed = world.disk.list(Path::new("/data/staging"));
            listed.expect("the folder itself stays")
        };
        fixture.run(async {
            let store = fixture.open().await;
            let hour = 3_600_000_000_000i64;
            for number in 0..5 {
                let text = format!("{} a{number}\n", number * hour);
                append(&store, request(&text)).await.expect("stored");
            }
            let key = (TenantId::default_tenant(), Signal::Logs);
            stage::stage(&store.state, &key, "test")
                .await
                .expect("staged");
            assert_eq!(staging(), ["tenant=default/"]);
            store.flush_all().await.expect("flushed");
            assert_eq!(staging(), Vec::<String>::new());
            append(&store, request("7 late\n")).await.expect("stored");
            stage::stage(&store.state, &key, "test")
                .await
                .expect("staged");
        });
        fixture.simulation.cut_power();
        fixture.run(async {
            let store = fixture.open().await;
            assert_eq!(staging(), Vec::<String>::new());
            assert_eq!(records(&store, Signal::Logs).await.len(), 6);
        });
    }
}
