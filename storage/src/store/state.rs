//! What appends, flushes and replay share: everything of a store but its write-ahead log.

use super::{
    backing::Backing,
    buffer::{Buffers, Key},
    clock::Passes,
    compacting::Compacting,
    health::{Part, Problems},
    looked::Reconciling,
    retired::Retired,
    retries::Retries,
    tombstones::Tombstones,
};
use crate::{
    append::Decode,
    budget::Budget,
    catalog::Catalog,
    config::Config,
    id::{OwnerId, SegmentId},
    objects::cache::BlockCache,
    segment::{
        SegmentMeta,
        read::{DamageHook, ReadCache},
    },
    signal::Table,
    snapshot::LiveSegment,
    telemetry::Telemetry,
    time::Nanos,
    world::World,
};
use object_store::ObjectStore;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Bytes of footers that readers keep: some thousand segments of 20 KB each.
pub(super) const FOOTER_CACHE_BYTES: u64 = 64 << 20;

/// What appends, flushes and replay share.
pub(super) struct State {
    pub(super) world: World,
    pub(super) config: Config,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) bucket: Arc<dyn ObjectStore>,
    /// Staged segments: the staging folder first, then the bucket, where the files go next.
    pub(super) staging: Arc<dyn ObjectStore>,
    pub(super) decode: Arc<dyn Decode>,
    pub(super) telemetry: Telemetry,
    pub(super) budget: Budget,
    pub(super) buffers: Arc<Buffers>,
    pub(super) retries: Arc<Retries>,
    pub(super) problems: Arc<Problems>,
    pub(super) readers: Arc<ReadCache>,
    /// Wakes the flush loop before its time.
    pub(super) wake: Notify,
    pub(super) closing: AtomicBool,
    pub(super) wal_bytes: AtomicU64,
    pub(super) staged_bytes: AtomicU64,
    /// Segments whose objects are to be deleted.
    pub(super) retired: Mutex<Retired>,
    /// Held while objects of retired segments are deleted.
    pub(super) deleting: tokio::sync::Mutex<()>,
    /// What is known of deletions.
    pub(super) tombstones: Mutex<Tombstones>,
    /// What is known of compactions.
    pub(super) compacting: Mutex<Compacting>,
    /// The passes over what expires.
    pub(super) passes: Mutex<Passes>,
    /// What is known of orphans.
    pub(super) reconciling: Mutex<Reconciling>,
    /// What is known of backups of the catalog.
    pub(super) backing: Mutex<Backing>,
    /// Whose the bucket has to be: set at the start.
    pub(super) owner: OnceLock<OwnerId>,
    /// Whether the bucket has said that it is ours.
    pub(super) claimed: AtomicBool,
    /// Read by those who make folders for staged files, written by those who remove empty ones.
    pub(super) staging_folders: tokio::sync::RwLock<()>,
    /// Folders of the staging folder that lost a file and may be empty.
    pub(super) emptied: Mutex<BTreeSet<PathBuf>>,
    /// One change of small documents at a time.
    pub(super) documents: tokio::sync::Mutex<()>,
    /// The monotonic time at which a shutdown stops waiting, once one has begun.
    close_by: OnceLock<Duration>,
    lanes: Mutex<BTreeMap<Key, Arc<Lanes>>>,
    damaged: Damaged,
}

/// One at a time of each, for every tenant's signal.
#[derive(Default)]
pub(super) struct Lanes {
    pub(super) stage: tokio::sync::Mutex<()>,
    pub(super) commit: tokio::sync::Mutex<()>,
}

/// What a store is made of, apart from what [`State::new`] makes itself.
pub(super) struct Outside {
    pub(super) world: World,
    pub(super) config: Config,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) bucket: Arc<dyn ObjectStore>,
    pub(super) staging: Arc<dyn ObjectStore>,
    pub(super) decode: Arc<dyn Decode>,
    pub(super) telemetry: Telemetry,
    /// What committed segments are read through, where the bucket is far away.
    pub(super) blocks: Option<Arc<BlockCache>>,
}

impl State {
    pub(super) fn new(outside: Outside) -> State {
        let Outside {
            world,
            config,
            catalog,
            bucket,
            staging,
            decode,
            telemetry,
            blocks,
        } = outside;
        let buffers = Arc::new(Buffers::default());
        let problems = Arc::new(Problems::default());
        let damaged = Damaged {
            buffers: buffers.clone(),
            problems: problems.clone(),
            telemetry: telemetry.clone(),
            world: world.clone(),
        };
        let hook: DamageHook = {
            let damaged = damaged.clone();
            Arc::new(move |damage| {
                let reason = format!("{}: {}", damage.what, damage.detail);
                damaged.report(damage.segment, damage.table, &reason);
            })
        };
        let window = Duration::from_secs(config.retry_window_seconds);
        State {
            budget: Budget::new(config.memory_bytes),
            retries: Arc::new(Retries::new(window)),
            readers: Arc::new(ReadCache::new(FOOTER_CACHE_BYTES, hook).with_blocks(blocks)),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
            wal_bytes: AtomicU64::new(0),
            staged_bytes: AtomicU64::new(0),
            retired: Mutex::default(),
            deleting: tokio::sync::Mutex::default(),
            tombstones: Mutex::default(),
            compacting: Mutex::default(),
            passes: Mutex::default(),
            reconciling: Mutex::default(),
            backing: Mutex::default(),
            owner: OnceLock::new(),
            claimed: AtomicBool::new(false),
            staging_folders: tokio::sync::RwLock::default(),
            emptied: Mutex::default(),
            documents: tokio::sync::Mutex::default(),
            close_by: OnceLock::new(),
            lanes: Mutex::default(),
            damaged,
            world,
            config,
            catalog,
            bucket,
            staging,
            decode,
            telemetry,
            buffers,
            problems,
        }
    }

    pub(super) fn now(&self) -> Nanos {
        self.world.clock.now()
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.world.clock.monotonic()
    }

    /// How long a shutdown goes on waiting; the first call begins it.
    pub(super) fn until_closed(&self) -> Duration {
        let now = self.monotonic();
        let limit = Duration::from_secs(self.config.close_seconds);
        let close_by = *self.close_by.get_or_init(|| now + limit);
        close_by.saturating_sub(now)
    }

    /// The folder of the write-ahead log.
    pub(super) fn wal_directory(&self) -> PathBuf {
        self.config.data_dir.join("wal")
    }

    /// The folder under which staged files have the paths that they get in the bucket.
    pub(super) fn staging_directory(&self) -> PathBuf {
        staging_directory(&self.config)
    }

    /// The folder of the bucket where it is local: staged files go there by rename.
    pub(super) fn local_bucket(&self) -> Option<PathBuf> {
        (self.config.bucket == "local").then(|| self.config.data_dir.join("bucket"))
    }

    /// Bytes that the log and staged files take.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.wal_bytes.load(Ordering::Relaxed) + self.staged_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn lanes(&self, key: &Key) -> Arc<Lanes> {
        self.lanes.lock().entry(key.clone()).or_default().clone()
    }

    /// A committed segment as it is read.
    pub(super) fn live(&self, meta: SegmentMeta) -> Arc<LiveSegment> {
        Arc::new(LiveSegment {
            meta,
            store: self.bucket.clone(),
            staged: false,
        })
    }

    /// See [`super::Store::report_damage`].
    pub(super) fn report_damage(&self, segment: SegmentId, table: Table, reason: &str) {
        self.damaged.report(segment, table, reason);
    }

    /// See [`super::Store::report_index_damage`].
    pub(super) fn report_index_damage(&self, segment: SegmentId, reason: &str) {
        let subject = index_subject(segment);
        if self.problems.has_subject(Part::Segment, &subject) {
            return;
        }
        tracing::error!(%segment, reason, "an index cannot be read: its segment is read without");
        self.raise(Part::Segment, &subject, reason.to_string());
    }

    pub(super) fn raise(&self, part: Part, subject: &str, detail: String) {
        self.problems.raise(part, subject, detail, self.now());
    }
}

/// What a report of damage reaches.
#[derive(Clone)]
struct Damaged {
    buffers: Arc<Buffers>,
    problems: Arc<Problems>,
    telemetry: Telemetry,
    world: World,
}

impl Damaged {
    fn report(&self, segment: SegmentId, table: Table, reason: &str) {
        if self.buffers.report_damage(segment, table, reason) {
            tracing::error!(%segment, %table, reason, "an object of a segment cannot be read");
            let now = self.world.clock.now();
            let subject = format!("{segment}.{table}");
            self.problems
                .raise(Part::Segment, &subject, reason.to_string(), now);
            self.telemetry
                .segments_missing
                .set(self.buffers.missing() as i64);
        }
    }
}

/// See [`State::staging_directory`].
pub(super) fn staging_directory(config: &Config) -> PathBuf {
    config.data_dir.join("staging")
}

/// A damaged index as health names it.
pub(super) fn index_subject(segment: SegmentId) -> String {
    format!("index of {segment}")
}

/// A tenant's signal as health and the log name it.
pub(super) fn subject((tenant, signal): &Key) -> String {
    format!("{tenant}/{signal}")
}
