//! The data folder before the damage, opened as the binary opens it, and what is in it.

use super::{
    files::Files,
    questions::{self, TABLES},
};
use crate::shop;
use bytes::Bytes;
use cairn_query::{config::Config as QueryConfig, engine::Engine};
use cairn_storage::{
    append::{Append, Decode, Decoded},
    catalog::sqlite::SqliteCatalog,
    config::Config,
    error::Result,
    id::TenantId,
    objects,
    segment::SegmentMeta,
    signal::{Encoding, Signal},
    store::{self, Parts, Store, Verified},
    telemetry::Telemetry,
    time::Nanos,
    world::real,
};
use prometheus_client::registry::Registry;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Rows as text, with how often each is there.
pub(super) type Rows = BTreeMap<String, u64>;

/// The rows of every tenant's tables.
pub(super) type Truth = BTreeMap<(TenantId, &'static str), Rows>;

/// A whole data folder with the right answers.
pub(super) struct Pristine {
    pub(super) files: Files,
    /// The files at an earlier time: half of the segments are not in its catalog.
    pub(super) old: Files,
    pub(super) truth: Truth,
    /// As much of it as is in segments.
    pub(super) in_segments: Truth,
    pub(super) segments: Vec<SegmentMeta>,
    /// The right answers to [`questions::OTHERS`], by tenant.
    pub(super) others: Vec<Vec<Rows>>,
}

/// A payload names the rows that it is decoded to, and is long, so that most bits of a frame are payload.
fn payload(signal: Signal, chunk: u32) -> Bytes {
    let name = format!("{signal} {chunk} ");
    Bytes::from(format!("{name:#<12000}"))
}

/// Decodes what [`payload`] makes.
pub(super) struct ByName;

impl Decode for ByName {
    fn decode(
        &self,
        signal: Signal,
        _: Encoding,
        _: u16,
        payload: &Bytes,
        _: Nanos,
    ) -> std::result::Result<Decoded, String> {
        let text = std::str::from_utf8(payload).map_err(|e| e.to_string())?;
        let chunk = text.split(' ').nth(1).ok_or("no chunk")?;
        let chunk = chunk.parse().map_err(|_| "the chunk is no number")?;
        Ok(decoded(signal, chunk))
    }
}

fn decoded(signal: Signal, chunk: u32) -> Decoded {
    match signal {
        Signal::Logs => shop::logs(chunk),
        Signal::Spans => shop::spans(chunk),
        _ => shop::metrics(chunk),
    }
}

pub(super) fn tenants() -> [TenantId; 2] {
    let other = "other".parse().expect("a valid tenant");
    [TenantId::default_tenant(), other]
}

async fn parts(folder: &Path) -> Result<Parts> {
    let world = real::world();
    let config = Config {
        data_dir: folder.to_path_buf(),
        wal_file_bytes: 64 << 10,
        ..Config::default()
    };
    let bucket = objects::open_bucket(&config, &world).await?;
    let catalog = SqliteCatalog::open(&folder.join("catalog.sqlite"), &world).await?;
    Ok(Parts {
        world,
        config,
        catalog: Arc::new(catalog),
        bucket,
        decode: Arc::new(ByName),
        telemetry: Telemetry::unregistered(),
    })
}

/// Opens the store in `folder` on the path that the binary takes.
pub(super) async fn open(folder: &Path) -> Result<Arc<Store>> {
    Store::open(parts(folder).await?).await
}

/// What `cairn verify` finds in `folder`.
pub(super) async fn verify(folder: &Path) -> Result<Verified> {
    let parts = parts(folder).await?;
    store::verify(&parts.world, &parts.config, &*parts.catalog, &*parts.bucket).await
}

/// The query engine over `store`.
pub(super) fn engine(store: &Arc<Store>, folder: &Path) -> Engine {
    let config = QueryConfig {
        partitions: 2,
        ..QueryConfig::default()
    };
    let mut registry = Registry::default();
    Engine::new(store.clone(), config, &folder.join("spill"), &mut registry)
        .expect("the settings work")
}

impl Pristine {
    /// Two lives of a server: the first ends in order, the second is as a kill leaves it, with requests in its log.
    pub(super) async fn make(folder: &Path) -> Pristine {
        let store = open(folder).await.expect("an empty folder opens");
        let [tenant, other] = tenants();
        let mut old = Files::default();
        for chunks in [0..2, 2..4] {
            old = Files::read(folder);
            for chunk in chunks {
                append_all(&store, &tenant, chunk).await;
            }
            store.flush_all().await.expect("flushes");
        }
        store.close().await.expect("closes");
        drop(store);
        let store = open(folder).await.expect("opens again");
        append_all(&store, &tenant, 4).await;
        append(&store, &other, Signal::Logs, 20).await;
        store.flush_all().await.expect("flushes");
        let in_segments = truth(&engine(&store, folder)).await;
        append_all(&store, &tenant, 5).await;
        append(&store, &other, Signal::Logs, 21).await;
        append_all(&store, &tenant, 6).await;
        let engine = engine(&store, folder);
        let truth = truth(&engine).await;
        let mut others = Vec::new();
        for tenant in tenants() {
            others.push(questions::right_answers(&engine, &tenant).await);
        }
        let files = Files::read(folder);
        let [tenant, other] = tenants().map(|tenant| {
            let signals = Signal::ALL.map(|signal| store.snapshot(&tenant, signal).segments);
            signals.into_iter().flatten().map(|live| live.meta.clone())
        });
        Pristine {
            files,
            old,
            truth,
            in_segments,
            segments: tenant.chain(other).collect(),
            others,
        }
    }
}

async fn append_all(store: &Store, tenant: &TenantId, chunk: u32) {
    for signal in [Signal::Logs, Signal::Spans, Signal::Metrics] {
        append(store, tenant, signal, chunk).await;
    }
}

async fn append(store: &Store, tenant: &TenantId, signal: Signal, chunk: u32) {
    let append = Append {
        tenant: tenant.clone(),
        signal,
        encoding: Encoding::OtlpProtobuf,
        decoder_version: 1,
        received: Nanos(1_704_103_200_000_000_000 + i64::from(chunk)),
        payload: payload(signal, chunk),
        decoded: decoded(signal, chunk),
        refusals: Vec::new(),
    };
    let reservation = store.budget().reserve(1).expect("an empty budget");
    store.append(append, reservation).await.expect("is taken");
}

async fn truth(engine: &Engine) -> Truth {
    let mut truth = Truth::new();
    for tenant in tenants() {
        // The other tenant has logs alone.
        let tables = match tenant == TenantId::default_tenant() {
            true => &TABLES[..],
            false => &TABLES[..1],
        };
        for table in tables {
            let statement = format!("SELECT * FROM {table}");
            let answer = questions::ask(engine, &tenant, &statement).await;
            let answer = answer.expect("a whole folder answers");
            assert!(answer.end.completeness.missing.is_empty());
            truth.insert((tenant.clone(), *table), answer.rows());
        }
    }
    truth
}
