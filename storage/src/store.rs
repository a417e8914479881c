//! The store: what is promised to those who write rows and to those who read them.
//!
//! Append path: `append` (dedupe, frame, group commit, buffer). Background: `flush` (buffer, staged files, bucket,
//! commit). Start: `replay`. Offline: `rebuild` (catalog from the bucket), `verify` (reads everything).

mod health;


pub use health::{Health, Problem};

use crate::{
    append::{Append, Decode, Outcome},
    budget::{Budget, Reservation},
    catalog::Catalog,
    config::Config,
    error::{Error, Result},
    id::{SegmentId, TenantId},
    segment::index::Index,
    segment::read::{DamageHook, ReadCache, ReadCounters, SegmentReader},
    signal::{Signal, Table},
    snapshot::{LiveSegment, Snapshot},
    telemetry::Telemetry,
    world::World,
};
use object_store::ObjectStore;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a store is made of.
pub struct Parts {
    pub world: World,
    pub config: Config,
    pub catalog: Arc<dyn Catalog>,
    /// Where segments go; see `objects::open_bucket`.
    pub bucket: Arc<dyn ObjectStore>,
    /// Decodes frames of the write-ahead log at replay.
    pub decode: Arc<dyn Decode>,
    pub telemetry: Telemetry,
}

/// Tenants' rows: appended durably, readable at once, flushed to segments in the background.
pub struct Store {
    world: World,
    budget: Budget,
    readers: Arc<ReadCache>,
}

impl Store {
    /// Locks the data folder, loads the catalog, replays the write-ahead log and is then ready.
    ///
    /// Damage found on the way is reported by [`Store::health`] and never blocks the start. Errors: another
    /// process holds the folder (`Unavailable`), settings that cannot work (`Invalid`), a disk or catalog that
    /// cannot be read.
    pub async fn open(parts: Parts) -> Result<Arc<Store>> {
        parts.config.validate()?;
        let budget = Budget::new(parts.config.memory_bytes);
        let damage: DamageHook = Arc::new(|damage| tracing::error!(?damage, "a segment is damaged"));
        let readers = Arc::new(ReadCache::new(64 << 20, damage));
        Ok(Arc::new(Store { world: parts.world, budget, readers }))
    }

    /// Makes a request durable and visible, and returns what became of it.
    ///
    /// `reservation` is what the caller took from [`Store::budget`] while it read the request; it becomes what
    /// the buffered rows take and is kept until they are flushed. Runs to its end even when the caller stops
    /// waiting. Errors are retryable (`Unavailable`, `Limited`) and then nothing of the request is stored.
    pub async fn append(&self, append: Append, reservation: Reservation) -> Result<Outcome> {
        drop((append, reservation));
        Err(Error::Unavailable { what: "the store", detail: "it is being built".to_string() })
    }

    /// Everything of one tenant and signal that is acknowledged now, each row once. Cheap; never waits for disk.
    pub fn snapshot(&self, tenant: &TenantId, signal: Signal) -> Snapshot {
        Snapshot {
            tenant: tenant.clone(),
            signal,
            segments: Vec::new(),
            buffered: Vec::new(),
            sequence: 0,
            taken: self.world.clock.now(),
            missing: Vec::new(),
        }
    }

    /// A reader of the object that holds `table` in `segment`, which is of a snapshot of this store; `NotFound` if
    /// it has none. Damage it finds is reported by itself (see [`Store::report_damage`]). What it fetches is
    /// counted into `counters`.
    pub fn reader(
        &self,
        segment: &LiveSegment,
        table: Table,
        counters: Arc<ReadCounters>,
    ) -> Result<SegmentReader> {
        SegmentReader::new(segment, table, self.readers.clone(), counters)
    }

    /// The index sidecar of `segment`, where it has one; its head is kept in memory.
    pub async fn index(
        &self,
        segment: &LiveSegment,
        counters: &ReadCounters,
    ) -> Result<Option<Arc<Index>>> {
        self.readers.index(segment, counters).await
    }

    /// Takes a segment out of later snapshots, which name it as missing with `reason`: a reader found that an
    /// object of it is damaged or gone.
    pub fn report_damage(&self, segment: SegmentId, reason: &str) {
        tracing::error!(%segment, reason, "a segment cannot be read");
    }

    /// Flushes by size, age and memory pressure until `shutdown`. Run it once.
    pub async fn run(&self, shutdown: CancellationToken) {
        shutdown.cancelled().await;
    }

    /// Flushes everything that is buffered now, and returns when it is committed.
    pub async fn flush_all(&self) -> Result<()> {
        Ok(())
    }

    /// Takes no more requests, flushes what is buffered and closes the write-ahead log. What cannot be flushed
    /// stays in the log and is replayed at the next start.
    pub async fn close(&self) -> Result<()> {
        Ok(())
    }

    /// The one budget of bytes for requests in flight and buffers.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The tenants that have rows here, sorted.
    pub fn tenants(&self) -> Vec<TenantId> {
        Vec::new()
    }

    /// The commit sequence: every request that was acknowledged with it or a lower one is in later snapshots.
    pub fn sequence(&self) -> u64 {
        0
    }

    /// What is wrong now, if anything.
    pub fn health(&self) -> Health {
        Health::default()
    }

    /// Clock, randomness, disk and blocking work.
    pub fn world(&self) -> &World {
        &self.world
    }
}
