//! Snapshots under real threads: every acknowledged row once at every instant, while rows come and flushes run.

use super::*;
use crate::world::real;
use std::sync::atomic::{AtomicUsize, Ordering};

const WRITERS: usize = 4;
const REQUESTS: usize = 150;

async fn open(folder: &Path) -> Arc<Store> {
    let world = real::world();
    Store::open(Parts {
        config: Config {
            data_dir: folder.into(),
            wal_file_bytes: 64 << 10,
            ..Config::default()
        },
        catalog: Arc::new(MemoryCatalog::new(world.clone())),
        bucket: Arc::new(LocalStore::new(world.clone(), folder.join("bucket"))),
        decode: Arc::new(TextDecode),
        telemetry: Telemetry::unregistered(),
        world,
    })
    .await
    .expect("the store starts")
}

async fn write(store: Arc<Store>, writer: usize, acknowledged: Arc<AtomicUsize>) {
    for number in 0..REQUESTS {
        let text = format!("{number} w{writer}-{number}-a\n{number} w{writer}-{number}-b\n");
        append(&store, request(&text)).await.expect("stored");
        acknowledged.fetch_add(2, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_snapshot_shows_every_acknowledged_row_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), writer, acknowledged.clone())))
        .collect();
    let flusher = {
        let store = store.clone();
        tokio::spawn(async move {
            while store.sequence() < (WRITERS * REQUESTS) as u64 {
                store.flush_all().await.expect("flushed");
            }
        })
    };
    let (mut views, mut staged, mut last) = (0, 0, 0);
    while last < 2 * WRITERS * REQUESTS {
        let before = acknowledged.load(Ordering::SeqCst);
        let view = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
        let (rows, sequence) = rows(&store, &TenantId::default_tenant(), Signal::Logs)
            .await
            .expect("every file of a view can be read");
        let mut ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), rows.len(), "a row is there twice");
        assert!(
            rows.len() >= before,
            "{} rows of {before} acknowledged",
            rows.len()
        );
        assert_eq!(
            rows.len() as u64,
            2 * sequence,
            "a view is all up to its sequence"
        );
        assert!(rows.len() >= last, "rows went away");
        last = rows.len();
        views += 1;
        staged += usize::from(view.segments.iter().any(|segment| segment.staged));
    }
    for task in writers {
        task.await.expect("a writer");
    }
    flusher.await.expect("the flusher");
    assert!(
        views > 5,
        "{views} views ({staged} of them with staged segments)"
    );
    store.close().await.expect("closed");
    assert_eq!(
        records(&store, Signal::Logs).await.len(),
        2 * WRITERS * REQUESTS
    );
}
