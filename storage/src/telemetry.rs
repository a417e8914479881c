//! Every metric of this crate.

mod backup;
mod bucket;
mod compaction;

pub use backup::Backup;
pub use bucket::{BucketTelemetry, ObjectLabels, TierLabels};
pub use compaction::Compaction;

use crate::{append::Reason, id::TenantId, signal::Signal};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// The metrics of storage; a clone counts into the same ones.
#[derive(Clone)]
pub struct Telemetry {
    records: Family<RecordLabels, Counter>,
    /// Requests appended, those deduplicated included.
    pub requests: Family<TableLabels, Counter>,
    /// Bytes of request payloads appended.
    pub payload_bytes: Family<TableLabels, Counter>,
    /// From the call of `append` to its answer.
    pub append_seconds: Histogram,
    /// From the freeze of a buffer to its commit.
    pub flush_seconds: Histogram,
    /// Flushes by outcome: `committed`, `failed`.
    pub flushes: Family<FlushLabels, Counter>,
    /// Bytes of segment objects committed.
    pub segment_bytes: Family<TableLabels, Counter>,
    /// Rows of segments committed.
    pub segment_rows: Family<TableLabels, Counter>,
    /// Bytes that requests in flight and buffers take.
    pub memory_bytes: Gauge,
    /// Bytes of the files of the write-ahead log.
    pub wal_bytes: Gauge,
    /// Bytes of staged files that wait for their upload and commit.
    pub staged_bytes: Gauge,
    /// Digests held for retry dedupe.
    pub digests: Gauge,
    /// Digests dropped before the end of the retry window, because there were too many.
    pub digests_evicted: Counter,
    /// Frames seen at replay by outcome: `replayed`, `flushed`, `duplicate`, `quarantined`, `damaged`.
    pub replayed_frames: Family<OutcomeLabels, Counter>,
    /// Dead letters evicted from the bounded table.
    pub dead_letters_evicted_records: Family<TenantLabels, Counter>,
    /// Rows of segments that were kept long enough, with the reason `retention`; they stay counted as stored.
    pub expired_rows: Family<ExpiredLabels, Counter>,
    /// Bytes of these.
    pub expired_bytes: Family<ExpiredLabels, Counter>,
    /// Rows deleted by predicate, of all tables; they stay counted as stored.
    pub deleted_rows: Family<TableLabels, Counter>,
    /// Deletions that are not done.
    pub tombstones: Gauge,
    /// Segments that are no longer live and whose objects wait for their deletion.
    pub retired_segments: Gauge,
    /// Bytes of these.
    pub retired_bytes: Gauge,
    /// Objects in the bucket that nobody needs, when it was last looked at.
    pub orphan_objects: Gauge,
    /// Bytes of these.
    pub orphan_bytes: Gauge,
    /// Segments that are known to be damaged or gone.
    pub segments_missing: Gauge,
    /// Merges of segments.
    pub compaction: Compaction,
    /// Text fields whose invalid UTF-8 was replaced.
    pub replaced_text: Family<TableLabels, Counter>,
    /// Keys that stood more than once in one map.
    pub duplicate_keys: Family<TableLabels, Counter>,
    /// Ids of wrong length or all zero that were left out.
    pub invalid_ids: Family<TableLabels, Counter>,
    /// Of a remote bucket and its cache.
    pub bucket: BucketTelemetry,
    /// Backups of the catalog.
    pub backup: Backup,
}

/// What can become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RecordOutcome {
    Received,
    Stored,
    Deduplicated,
    Rejected,
    Quarantined,
    Replayed,
}

impl RecordOutcome {
    fn as_str(self) -> &'static str {
        match self {
            RecordOutcome::Received => "received",
            RecordOutcome::Stored => "stored",
            RecordOutcome::Deduplicated => "deduplicated",
            RecordOutcome::Rejected => "rejected",
            RecordOutcome::Quarantined => "quarantined",
            RecordOutcome::Replayed => "replayed",
        }
    }
}

/// Labels of the ledger of records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RecordLabels {
    tenant: String,
    signal: &'static str,
    outcome: &'static str,
    /// Empty but for `rejected`, `quarantined` and `replayed`.
    reason: &'static str,
}

/// Labels of what is counted by tenant and signal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TableLabels {
    tenant: String,
    signal: &'static str,
}

/// Labels of what is counted by tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TenantLabels {
    tenant: String,
}

/// The reason that rows expire for: they were kept long enough.
pub(crate) const RETENTION: &str = "retention";

/// Labels of what expired.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ExpiredLabels {
    tenant: String,
    signal: &'static str,
    reason: &'static str,
}

/// Labels of flushes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FlushLabels {
    signal: &'static str,
    outcome: &'static str,
    reason: &'static str,
}

/// Labels of what is counted by outcome alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    outcome: &'static str,
}

impl TableLabels {
    pub(crate) fn new(tenant: &TenantId, signal: Signal) -> TableLabels {
        TableLabels {
            tenant: tenant.to_string(),
            signal: signal.as_str(),
        }
    }
}

impl TenantLabels {
    pub(crate) fn new(tenant: &TenantId) -> TenantLabels {
        TenantLabels {
            tenant: tenant.to_string(),
        }
    }
}

impl ExpiredLabels {
    pub(crate) fn new(tenant: &TenantId, signal: Signal, reason: &'static str) -> ExpiredLabels {
        ExpiredLabels {
            tenant: tenant.to_string(),
            signal: signal.as_str(),
            reason,
        }
    }
}

impl FlushLabels {
    pub(crate) fn new(signal: Signal, outcome: &'static str, reason: &'static str) -> FlushLabels {
        FlushLabels {
            signal: signal.as_str(),
            outcome,
            reason,
        }
    }
}

impl OutcomeLabels {
    pub(crate) fn new(outcome: &'static str) -> OutcomeLabels {
        OutcomeLabels { outcome }
    }
}

/// Bounds of the histograms in seconds: from a fast fsync to a slow upload.
const SECONDS: [f64; 14] = [
    0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 4.0, 15.0, 60.0,
];

impl Telemetry {
    /// Metrics that nobody reads: for tests and offline commands.
    pub fn unregistered() -> Telemetry {
        Telemetry {
            records: Family::default(),
            requests: Family::default(),
            payload_bytes: Family::default(),
            append_seconds: Histogram::new(SECONDS),
            flush_seconds: Histogram::new(SECONDS),
            flushes: Family::default(),
            segment_bytes: Family::default(),
            segment_rows: Family::default(),
            memory_bytes: Gauge::default(),
            wal_bytes: Gauge::default(),
            staged_bytes: Gauge::default(),
            digests: Gauge::default(),
            digests_evicted: Counter::default(),
            replayed_frames: Family::default(),
            dead_letters_evicted_records: Family::default(),
            expired_rows: Family::default(),
            expired_bytes: Family::default(),
            deleted_rows: Family::default(),
            tombstones: Gauge::default(),
            retired_segments: Gauge::default(),
            retired_bytes: Gauge::default(),
            orphan_objects: Gauge::default(),
            orphan_bytes: Gauge::default(),
            segments_missing: Gauge::default(),
            compaction: Compaction::unregistered(),
            replaced_text: Family::default(),
            duplicate_keys: Family::default(),
            invalid_ids: Family::default(),
            bucket: BucketTelemetry::default(),
            backup: Backup::unregistered(),
        }
    }

    /// Metrics under the prefix `storage_` in `registry`.
    pub fn register(registry: &mut Registry) -> Telemetry {
        let telemetry = Telemetry::unregistered();
        let registry = registry.sub_registry_with_prefix("storage");
        telemetry.register_requests(registry);
        telemetry.register_background(registry);
        telemetry.bucket.register(registry);
        telemetry.register_removals(registry);
        telemetry
    }

    fn register_requests(&self, registry: &mut Registry) {
        registry.register(
            "records",
            "Records by outcome: received = stored + deduplicated + rejected + quarantined; replayed are dead letters \
             among those received, by the reason they had",
            self.records.clone(),
        );
        registry.register("requests", "Requests appended", self.requests.clone());
        registry.register(
            "payload_bytes",
            "Bytes of request payloads appended",
            self.payload_bytes.clone(),
        );
        registry.register(
            "append_seconds",
            "From the call of append to its answer",
            self.append_seconds.clone(),
        );
        registry.register(
            "digests",
            "Digests held for retry dedupe",
            self.digests.clone(),
        );
        registry.register(
            "digests_evicted",
            "Digests dropped before the end of the retry window",
            self.digests_evicted.clone(),
        );
        registry.register(
            "replaced_text",
            "Text fields whose invalid UTF-8 was replaced",
            self.replaced_text.clone(),
        );
        registry.register(
            "duplicate_keys",
            "Keys that stood more than once in one map",
            self.duplicate_keys.clone(),
        );
        registry.register(
            "invalid_ids",
            "Ids of wrong length or all zero that were left out",
            self.invalid_ids.clone(),
        );
    }

    fn register_background(&self, registry: &mut Registry) {
        registry.register(
            "flushes",
            "Flushes by outcome and reason",
            self.flushes.clone(),
        );
        registry.register(
            "flush_seconds",
            "From the freeze of a buffer to its commit",
            self.flush_seconds.clone(),
        );
        registry.register(
            "segment_bytes",
            "Bytes of segment objects committed",
            self.segment_bytes.clone(),
        );
        registry.register(
            "segment_rows",
            "Rows of segments committed",
            self.segment_rows.clone(),
        );
        registry.register(
            "memory_bytes",
            "Bytes that requests in flight and buffers take",
            self.memory_bytes.clone(),
        );
        registry.register(
            "wal_bytes",
            "Bytes of the files of the write-ahead log",
            self.wal_bytes.clone(),
        );
        registry.register(
            "staged_bytes",
            "Bytes of staged files that wait for upload and commit",
            self.staged_bytes.clone(),
        );
        registry.register(
            "replayed_frames",
            "Frames seen at replay by outcome",
            self.replayed_frames.clone(),
        );
    }

    fn register_removals(&self, registry: &mut Registry) {
        registry.register(
            "expired_rows",
            "Rows of segments that were kept long enough; they stay counted as stored",
            self.expired_rows.clone(),
        );
        registry.register(
            "expired_bytes",
            "Bytes of segments that were kept long enough",
            self.expired_bytes.clone(),
        );
        registry.register(
            "deleted_rows",
            "Rows deleted by predicate; they stay counted as stored",
            self.deleted_rows.clone(),
        );
        registry.register(
            "tombstones",
            "Deletions by predicate that are not done",
            self.tombstones.clone(),
        );
        registry.register(
            "retired_segments",
            "Segments that are no longer live and whose objects wait for their deletion",
            self.retired_segments.clone(),
        );
        registry.register(
            "retired_bytes",
            "Bytes of segments whose objects wait for their deletion",
            self.retired_bytes.clone(),
        );
        registry.register(
            "orphan_objects",
            "Objects in the bucket that nobody needs, when it was last looked at",
            self.orphan_objects.clone(),
        );
        registry.register(
            "orphan_bytes",
            "Bytes of objects in the bucket that nobody needs",
            self.orphan_bytes.clone(),
        );
        registry.register(
            "dead_letters_evicted_records",
            "Dead letters evicted from the bounded table",
            self.dead_letters_evicted_records.clone(),
        );
        registry.register(
            "segments_missing",
            "Segments that are known to be damaged or gone",
            self.segments_missing.clone(),
        );
        self.compaction.register(registry);
        self.backup.register(registry);
    }

    /// Counts `count` records of one outcome; `reason` for those rejected, quarantined or replayed.
    pub(crate) fn count_records(
        &self,
        (tenant, signal): (&TenantId, Signal),
        outcome: RecordOutcome,
        reason: Option<Reason>,
        count: u64,
    ) {
        let labels = RecordLabels {
            tenant: tenant.to_string(),
            signal: signal.as_str(),
            outcome: outcome.as_str(),
            reason: reason.map(Reason::as_str).unwrap_or_default(),
        };
        self.records.get_or_create(&labels).inc_by(count);
    }

    /// Dead letters of `tenant` evicted so far.
    pub fn dead_letters_evicted(&self, tenant: &TenantId) -> u64 {
        let evicted = self
            .dead_letters_evicted_records
            .get(&TenantLabels::new(tenant));
        evicted.map(|counter| counter.get()).unwrap_or_default()
    }

    /// Records counted with these labels so far.
    pub fn records(
        &self,
        tenant: &TenantId,
        signal: Signal,
        outcome: &'static str,
        reason: &'static str,
    ) -> u64 {
        let labels = RecordLabels {
            tenant: tenant.to_string(),
            signal: signal.as_str(),
            outcome,
            reason,
        };
        self.records
            .get(&labels)
            .map(|counter| counter.get())
            .unwrap_or_default()
    }
}
