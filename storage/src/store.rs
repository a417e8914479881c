//! The store: what is promised to those who write rows and to those who read them.
//!
//! In: `append` (dedupe, frame, group commit) fills the `buffer`. Out of memory: `flush` runs `stage` (segments on the
//! local disk, read at once), `upload` and `commit` as `policy` says (`drain` on demand); `compact` merges small segments.
//! Away: `evict` bounds the dead letters, `expire` is retention (what `clock` allows), both by `retire`; `delete` accepts
//! deletions, `kept` leaves their rows out, `erase` makes them so; `reconcile` holds the bucket against the catalog. A remote bucket is counted and read through a cache (`cached`). Start: `load` (whose bucket: `claim`), then
//! `replay`. Offline: `rebuild` makes the catalog from the bucket, `verify` reads everything, `orphans` finds what nobody
//! needs; `report` says what there is. `backup` copies the catalog into the bucket (`backups`); `drill` restores it from there
//! and counts.

mod append;
mod backing;
mod backup;
mod backups;
mod bound;
mod buffer;
mod cached;
mod claim;
mod clock;
mod commit;
mod compact;
mod compacting;
mod delete;
mod deletion_events;
mod documents;
mod drain;
mod drill;
mod erase;
mod evict;
mod expire;
mod flush;
mod flushed;
mod health;
mod kept;
mod letters;
mod load;
mod looked;
mod lost;
mod orphans;
mod policy;
mod rebuild;
mod reconcile;
mod replay;
mod report;
mod retire;
mod retired;
mod retries;
mod rows;
mod rows_of_tables;
mod stage;
mod staged;
mod state;
mod tombstone_files;
mod tombstones;
mod upload;
mod verify;
mod warm;

pub use claim::Claim;
pub use commit::SEGMENT_COMMITTED;
pub use documents::{ByName, Change, Documents};
pub use drill::{DrillReport, Found, TableDrill, Wanted, drill};
pub use expire::SEGMENT_EXPIRED;
pub use health::{Health, Problem};
pub use looked::Orphans;
pub use orphans::{OrphansFound, orphans};
pub use rebuild::{BackupUsed, Rebuilt, rebuild};
pub use report::{LevelReport, SignalReport, StorageReport, report};
pub use verify::{Verified, verify};

use crate::{
    append::{Append, Decode, Outcome},
    budget::{Budget, Reservation},
    catalog::Catalog,
    config::Config,
    deletion::{Predicate, Tombstone},
    error::{Error, Result},
    id::{SegmentId, TenantId},
    objects::local::LocalStore,
    segment::{
        index::Index,
        read::{ReadCounters, SegmentReader},
    },
    signal::{Signal, Table},
    snapshot::{LiveSegment, Snapshot},
    telemetry::Telemetry,
    wal::{
        replay::Replayed,
        writer::{Settings, Start, Wal},
    },
    world::World,
};
use append::Cargo;
use arrow::buffer::BooleanBuffer;
use health::Part;
use object_store::ObjectStore;
use replay::Marks;
use state::{Outside, State};
use std::{
    io,
    path::Path,
    sync::{Arc, atomic::Ordering},
};
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
    state: Arc<State>,
    wal: Wal<Cargo>,
    /// Held as long as the store lives.
    _lock: Box<dyn Send + Sync>,
}

impl Store {
    /// Locks the data folder, loads the catalog, replays the write-ahead log and is then ready. Spawns the log's
    /// writer on the current tokio runtime; [`Store::close`] ends it.
    ///
    /// Damage found on the way is reported by [`Store::health`] and never blocks the start. Errors: another
    /// process holds the folder (`Unavailable`), settings that cannot work (`Invalid`), a disk or catalog that
    /// cannot be read.
    pub async fn open(parts: Parts) -> Result<Arc<Store>> {
        parts.config.validate()?;
        let lock = lock(&parts).await?;
        let state = Arc::new(State::new(outside(parts).await));
        let loaded = load::load(&state).await?;
        let (world, staging) = (state.world.clone(), state.staging_directory());
        state
            .world
            .blocking(move || upload::clear(&world, &staging))
            .await??;
        let marks = Marks::new(&loaded.flushed_through);
        let first_sequence = marks.highest().max(loaded.last_sequence);
        state.buffers.load(
            loaded
                .segments
                .into_iter()
                .map(|meta| state.live(meta))
                .collect(),
        );
        retire::resume(&state, loaded.retired);
        for tombstone in loaded.tombstones {
            state.tombstones.lock().put(tombstone, state.monotonic());
        }
        replay::load_digests(&state, loaded.digests);
        let replayed = replay::replay(&state, marks).await?;
        let epoch = begin_epoch(&state, &replayed).await?;
        let next_sequence = 1 + first_sequence.max(last_sequence(&replayed));
        // Answers of before the restart name sequences that are in segments: they are in the view.
        let now = state.monotonic();
        state.buffers.insert(Vec::new(), next_sequence - 1, now);
        let start = Start {
            epoch,
            next_sequence,
            files: replayed.files,
        };
        let settings = Settings::new(state.wal_directory(), state.config.wal_file_bytes);
        let durable = {
            let state = state.clone();
            move |batch| append::durable(&state, batch)
        };
        let (wal, writer) = Wal::new(state.world.clone(), settings, start, durable);
        state.wal_bytes.store(wal.bytes(), Ordering::Relaxed);
        tokio::spawn(writer.run());
        drain::trim(&state, &wal).await;
        Ok(Arc::new(Store {
            state,
            wal,
            _lock: lock,
        }))
    }

    /// Makes a request durable and visible, and returns what became of it.
    ///
    /// `reservation` is what the caller took from [`Store::budget`] while it read the request; it becomes what
    /// the buffered rows take and is kept until they are flushed. Once a request is in the queue of the log it
    /// runs to its end even when the caller stops waiting. `Unavailable` and `Limited` are retryable; after any
    /// error nothing of the request is stored.
    pub async fn append(&self, append: Append, reservation: Reservation) -> Result<Outcome> {
        append::append(&self.state, &self.wal, append, reservation).await
    }

    /// Everything of one tenant and signal that is acknowledged now, each row once. Cheap; never waits for disk.
    pub fn snapshot(&self, tenant: &TenantId, signal: Signal) -> Snapshot {
        let key = (tenant.clone(), signal);
        // Before the segments: one that is done by then has none that had rows of it.
        let tombstones = self.state.tombstones.lock().active(&key);
        let snapshot = self.state.buffers.snapshot(&key, self.state.now());
        Snapshot {
            tombstones,
            ..snapshot
        }
    }

    /// Deletes what meets `predicate` of all requests up to now: it is in no later snapshot, and the background makes sure
    /// that no byte of it is left. It is durable when this returns; nothing but the returned hash and the counts is kept of
    /// the predicate in the end. `by` says who asked for it, in the ledger entry and in events.
    ///
    /// `Invalid` says what is wrong with the predicate;
    /// `Limited` when too much is deleted at once; after `Unavailable` [`Store::tombstones`] says whether it was accepted.
    pub async fn delete(
        &self,
        tenant: &TenantId,
        signal: Signal,
        predicate: Predicate,
        by: &str,
    ) -> Result<Tombstone> {
        delete::delete(&self.state, (tenant.clone(), signal), predicate, by).await
    }

    /// The deletions of a tenant, the oldest first: those that are not done, and what is known of those that are.
    pub fn tombstones(&self, tenant: &TenantId) -> Vec<Tombstone> {
        self.state.tombstones.lock().of_tenant(tenant)
    }

    /// The rows of `table` in a segment of `snapshot` that are in the view, one bit a row in the order of its file; `None`
    /// where all are, as always when nothing is being deleted. Reads what it takes once, and remembers it.
    pub async fn kept(
        &self,
        snapshot: &Snapshot,
        segment: &LiveSegment,
        table: Table,
    ) -> Result<Option<BooleanBuffer>> {
        kept::kept(&self.state, &snapshot.tombstones, segment, table).await
    }

    /// Takes every deletion as far as it comes now, as [`Store::run`] does by and by; returns how many are not done. They wait
    /// for queries that may be reading what they delete, or for a merge.
    pub async fn erase(&self) -> Result<usize> {
        erase::pass(&self.state, &self.wal).await
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
        SegmentReader::new(segment, table, self.state.readers.clone(), counters)
    }

    /// The index sidecar of `segment`, where it has one; its head is kept in memory.
    pub async fn index(
        &self,
        segment: &LiveSegment,
        counters: &ReadCounters,
    ) -> Result<Option<Arc<Index>>> {
        self.state.readers.index(segment, counters).await
    }

    /// Reads the footers of the newest segments, so that the first queries find them in memory; returns how many.
    pub async fn read_footers(&self) -> usize {
        warm::read_footers(self).await
    }

    /// Takes the object of `table` in a segment out of later snapshots, which name it as missing with `reason`: a
    /// reader found that it is damaged or gone.
    pub fn report_damage(&self, segment: SegmentId, table: Table, reason: &str) {
        self.state.report_damage(segment, table, reason);
    }

    /// Notes that the index sidecar of a segment is damaged or gone. No row is missing: the segment is read without.
    pub fn report_index_damage(&self, segment: SegmentId, reason: &str) {
        self.state.report_index_damage(segment, reason);
    }

    /// Flushes by size, age and memory pressure until `shutdown`, then waits for what runs, as long as
    /// [`Store::close`] may take. Run it once.
    pub async fn run(&self, shutdown: CancellationToken) {
        flush::run(&self.state, &self.wal, shutdown).await;
    }

    /// Flushes everything that is buffered now, and returns when it is committed. The first error, after all
    /// was tried; the rows of what failed stay readable and are tried again in the background.
    pub async fn flush_all(&self) -> Result<()> {
        drain::flush_all(&self.state, &self.wal, "explicit").await
    }

    /// Merges segments until nothing is left to merge, as [`Store::run`] does by and by; returns how many merges that
    /// took. The first error ends it: nothing is lost by then, and the background tries again.
    pub async fn compact_all(&self) -> Result<usize> {
        compact::all(&self.state).await
    }

    /// Notes that queries ask for these attributes of a tenant's signal: compaction gives them columns of their own
    /// where fewer rows have them than else.
    pub fn note_asked(&self, tenant: &TenantId, signal: Signal, keys: &[&str]) {
        let key = (tenant.clone(), signal);
        self.state.compacting.lock().note_asked(&key, keys);
    }

    /// Takes no more requests, flushes what is buffered and closes the write-ahead log. End [`Store::run`] first.
    ///
    /// An error says that something could not be flushed within `close_seconds`: it stays in the log and is replayed
    /// at the next start.
    pub async fn close(&self) -> Result<()> {
        self.state.closing.store(true, Ordering::Relaxed);
        let limit = self.state.until_closed();
        let last = async {
            // Requests that are in the queue become visible first, and the file they are in can go.
            self.wal.close().await;
            let flushed = drain::flush_all(&self.state, &self.wal, "shutdown").await;
            if flushed.is_ok() {
                backup::last(&self.state).await;
            }
            if let Some(blocks) = self.state.readers.blocks() {
                blocks.close().await;
            }
            flushed
        };
        tokio::select! {
            biased;
            flushed = last => flushed,
            () = self.state.world.clock.sleep(limit) => Err(Error::Unavailable {
                what: "the bucket",
                detail: format!(
                    "{} tables were not flushed in the {} s that a shutdown has: their rows are in the write-ahead \
                     log and are replayed at the next start",
                    self.state.buffers.uncommitted().len(),
                    self.state.config.close_seconds
                ),
            }),
        }
    }

    /// Copies the catalog into the bucket now, and removes all older copies: after what nothing may remember.
    ///
    /// An error says that there may be older ones still.
    pub async fn backup_only_now(&self) -> Result<()> {
        backup::only_now(&self.state).await
    }

    /// The one budget of bytes for requests in flight and buffers.
    pub fn budget(&self) -> &Budget {
        &self.state.budget
    }

    /// The most memory that the cache of a remote bucket takes, beside the budget.
    pub fn cache_limit_bytes(&self) -> u64 {
        let blocks = self.state.readers.blocks();
        blocks.map_or(0, |blocks| blocks.limit_bytes())
    }

    /// The most memory that requests, buffers, the cache of a remote bucket and a merge take together.
    pub fn memory_limit_bytes(&self) -> u64 {
        let config = &self.state.config;
        let merge_bytes = match config.compaction_target_bytes {
            0 => 0,
            _ => config.compaction_memory_bytes,
        };
        config.memory_bytes + self.cache_limit_bytes() + merge_bytes
    }

    /// The tenants that have rows here, sorted.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.state.buffers.tenants()
    }

    /// The commit sequence: every request that was acknowledged with it or a lower one is in later snapshots.
    pub fn sequence(&self) -> u64 {
        self.state.buffers.sequence()
    }

    /// Returns when the commit sequence is `sequence` or a higher one, which may be never.
    pub async fn reached(&self, sequence: u64) {
        self.state.buffers.reached(sequence).await;
    }

    /// What is wrong now, if anything.
    pub fn health(&self) -> Health {
        let unwritable = self.wal.fault().map(Problem::of_wal);
        let blocked = unwritable.is_some() || self.state.problems.has(Part::Disk);
        let closing = self.state.closing.load(Ordering::Relaxed);
        let mut problems = self.state.problems.list();
        problems.extend(unwritable);
        problems.sort_by_key(|problem| problem.since);
        Health {
            accepting: !closing && !blocked,
            problems,
            orphans: self.state.reconciling.lock().last,
        }
    }

    /// What is stored, by tenant and signal.
    pub fn report(&self) -> StorageReport {
        report::online(&self.state)
    }

    /// Holds the bucket against the catalog now, which lists all of it: see [`Health::orphans`]. Objects that are missing
    /// are reported as [`Store::report_damage`] does.
    pub async fn reconcile(&self) -> Result<Orphans> {
        reconcile::look(&self.state).await
    }

    /// All documents of a kind that a tenant has; see [`Store::change_documents`].
    pub async fn documents(&self, tenant: &TenantId, of: Documents) -> Result<ByName> {
        let read = documents::read(&*self.state.bucket, tenant, of).await;
        read.map(|(_, documents)| documents)
    }

    /// Lets `change` change the documents of a kind, and returns what it returns when that is durable. It may be called more
    /// than once. The change is also told in an event; one that changes nothing is not.
    ///
    /// Errors are those of `change`, and: too many bytes (`Limited`), the bucket is out of reach (`Unavailable`), the newest
    /// object is damaged (`Corrupt`).
    pub async fn change_documents<T>(
        &self,
        tenant: &TenantId,
        of: Documents,
        change: impl FnMut(&mut ByName) -> Result<(T, Change)>,
    ) -> Result<T> {
        documents::change(&self.state, tenant, of, change).await
    }

    /// The days that rows of a tenant's signal are kept; `None` for ever.
    pub fn retention_days(&self, tenant: &TenantId, signal: Signal) -> Option<u32> {
        self.state.config.retention_days(tenant, signal)
    }

    /// Clock, randomness, disk and blocking work.
    pub fn world(&self) -> &World {
        &self.state.world
    }
}

async fn lock(parts: &Parts) -> Result<Box<dyn Send + Sync>> {
    let (world, folder) = (parts.world.clone(), parts.config.data_dir.clone());
    parts
        .world
        .blocking(move || lock_folder(&world, &folder))
        .await?
}

fn lock_folder(world: &World, folder: &Path) -> Result<Box<dyn Send + Sync>> {
    let failed = |source| Error::Disk {
        doing: "locking the data folder",
        path: folder.into(),
        source,
    };
    world.disk.create_directories(folder).map_err(failed)?;
    match world.disk.lock(&folder.join("lock")) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Error::Unavailable {
            what: "the data folder",
            detail: format!("another process uses {}", folder.display()),
        }),
        other => other.map_err(failed),
    }
}

async fn outside(parts: Parts) -> Outside {
    let Parts {
        world,
        config,
        catalog,
        bucket,
        decode,
        telemetry,
    } = parts;
    let (bucket, blocks) = cached::bucket(&world, &config, &telemetry, bucket).await;
    let local = LocalStore::new(world.clone(), state::staging_directory(&config));
    let staging = Arc::new(staged::StagedStore::new(Arc::new(local), bucket.clone()));
    Outside {
        world,
        config,
        catalog,
        bucket,
        staging,
        decode,
        telemetry,
        blocks,
    }
}

/// An epoch above that of every file of the log: a catalog that was made anew may have forgotten some.
async fn begin_epoch(state: &State, replayed: &Replayed) -> Result<u64> {
    loop {
        let epoch = state.catalog.begin_epoch().await?;
        if epoch > replayed.last_epoch {
            return Ok(epoch);
        }
    }
}

/// The highest sequence that the log ever gave, as far as it is still to be seen.
fn last_sequence(replayed: &Replayed) -> u64 {
    let lost = replayed
        .damage
        .iter()
        .filter_map(|damage| damage.lost.as_ref());
    lost.map(|lost| lost.sequence)
        .max()
        .unwrap_or(0)
        .max(replayed.last_sequence)
}

#[cfg(test)]
mod tests;
