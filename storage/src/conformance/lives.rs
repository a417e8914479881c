//! The lives of a store over a bucket, on the real disk with the real catalog: nothing in it knows which bucket it is.

use crate::{
    append::{Append, Decode, Outcome},
    catalog::sqlite::SqliteCatalog,
    config::Config,
    id::TenantId,
    signal::{Encoding, Signal},
    simulate::{TextDecode, rows},
    store::{Claim, Parts, Store, rebuild, verify},
    telemetry::Telemetry,
    time::{HOUR_NANOS, Nanos},
    world::World,
};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use std::sync::Arc;

/// Where the suite runs.
#[derive(Clone)]
pub struct Place {
    pub world: World,
    /// The settings that name the bucket, with an empty data folder.
    pub config: Config,
    /// Empty, and not used by anybody else.
    pub bucket: Arc<dyn ObjectStore>,
}

/// The name of the catalog's file; a second one shows what the bucket alone tells.
const CATALOGS: [&str; 2] = ["catalog.sqlite", "anew.sqlite"];

/// Requests of each life; the hours they spread over.
const REQUESTS: i64 = 12;
const HOURS: i64 = 3;

impl Place {
    async fn catalog(&self, name: &str) -> Arc<SqliteCatalog> {
        let path = self.config.data_dir.join(name);
        let catalog = SqliteCatalog::open(&path, &self.world).await;
        Arc::new(catalog.expect("the catalog opens"))
    }

    async fn open(&self, catalog: &str) -> Arc<Store> {
        let opened = Store::open(Parts {
            world: self.world.clone(),
            config: self.config.clone(),
            catalog: self.catalog(catalog).await,
            bucket: self.bucket.clone(),
            decode: Arc::new(TextDecode),
            telemetry: Telemetry::unregistered(),
        });
        opened.await.expect("the store starts")
    }

    async fn check_sound(&self, catalog: &str) {
        let catalog = self.catalog(catalog).await;
        let verified = verify(&self.world, &self.config, &*catalog, &*self.bucket).await;
        let verified = verified.expect("everything is within reach");
        assert!(verified.is_sound(), "{verified:?}");
        assert!(verified.segments > 0, "there is something to verify");
    }
}

/// Append and flush; restart with rows in log and bucket; the catalog from the bucket alone; a lost object.
pub(super) async fn all(place: Place) {
    let tenant = TenantId::default_tenant();
    let store = place.open(CATALOGS[0]).await;
    send(&store, 0).await;
    store.flush_all().await.expect("flushed");
    let flushed = store.snapshot(&tenant, Signal::Logs);
    assert_eq!(flushed.segments.len() as i64, HOURS, "one an event hour");
    assert!(flushed.buffered.is_empty() && flushed.segments.iter().all(|s| !s.staged));
    expect(&store, 1).await;
    send(&store, 1).await;
    drop(store);

    let store = place.open(CATALOGS[0]).await;
    expect(&store, 2).await;
    store.close().await.expect("a clean shutdown flushes");
    drop(store);
    place.check_sound(CATALOGS[0]).await;

    let anew = place.catalog(CATALOGS[1]).await;
    let (world, config) = (&place.world, &place.config);
    let rebuilt = rebuild(world, config, &*anew, &*place.bucket, Claim::Own);
    let rebuilt = rebuilt.await.expect("rebuilt");
    assert_eq!(rebuilt.problems, Vec::<String>::new());
    anew.close().await.expect("closed");
    place.check_sound(CATALOGS[1]).await;
    let store = place.open(CATALOGS[1]).await;
    expect(&store, 2).await;
    send(&store, 2).await;
    store.close().await.expect("closed");
    expect(&store, 3).await;

    let lost = store.snapshot(&tenant, Signal::Logs).segments[0].clone();
    let path = Path::parse(&lost.meta.objects[0].file.path).expect("a path");
    place.bucket.delete(&path).await.expect("deleted");
    drop(store);
    let catalog = place.catalog(CATALOGS[1]).await;
    let verified = verify(&place.world, &place.config, &*catalog, &*place.bucket).await;
    let findings = verified.expect("within reach").report.findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].path, path.as_ref());
}

/// Appends the requests of one life, twice each: the second one is a retry.
async fn send(store: &Store, life: i64) {
    for number in 0..REQUESTS {
        let time = (number % HOURS) * HOUR_NANOS + number;
        let text = format!("{time} life-{life}-{number}\n{time} bad-{life}-{number}\n");
        assert!(!append(store, &text).await.deduplicated);
        assert!(append(store, &text).await.deduplicated);
    }
}

async fn append(store: &Store, text: &str) -> Outcome {
    let payload = Bytes::from(text.to_string());
    let (signal, encoding, received) = (Signal::Logs, Encoding::OtlpProtobuf, Nanos(0));
    let decoded = TextDecode
        .decode(signal, encoding, 1, &payload, received)
        .expect("the text is well formed");
    let reservation = store.budget().reserve(payload.len() as u64).expect("room");
    let append = Append {
        tenant: TenantId::default_tenant(),
        signal,
        encoding,
        decoder_version: 1,
        received,
        payload,
        decoded,
        refusals: Vec::new(),
    };
    store.append(append, reservation).await.expect("durable")
}

/// The rows and dead letters of the first `lives` lives are there, once.
async fn expect(store: &Store, lives: i64) {
    let tenant = TenantId::default_tenant();
    let (found, _) = rows(store, &tenant, Signal::Logs).await.expect("readable");
    let mut found: Vec<String> = found.into_iter().map(|row| row.record).collect();
    found.sort();
    let sent = (0..lives).flat_map(|life| (0..REQUESTS).map(move |n| format!("life-{life}-{n}")));
    let mut sent: Vec<String> = sent.collect();
    sent.sort();
    assert_eq!(found, sent);
    let letters = rows(store, &tenant, Signal::DeadLetters).await;
    assert_eq!(letters.expect("readable").0.len() as i64, lives * REQUESTS);
}
