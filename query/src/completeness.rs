//! What an answer is based on: segments considered, pruned, read and missing, bytes, buffered rows, freshness.

use cairn_storage::{
    id::SegmentId,
    segment::read::ReadCounters,
    signal::Table,
    snapshot::{self, MissingPart, Snapshot},
    time::Nanos,
};
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What the scans of one session did so far. Shared by all its tables; counts only go up.
#[derive(Debug, Default)]
pub struct ScanReport {
    considered: AtomicU64,
    pruned: AtomicU64,
    counters: Arc<ReadCounters>,
    buffered_rows: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The lowest of the sequences of the snapshots that were taken: all of them hold what came up to it.
    sequence: Option<u64>,
    /// The oldest of the instants at which snapshots were taken.
    taken: Option<Nanos>,
    missing: Vec<snapshot::Missing>,
    opened: HashSet<(SegmentId, Table)>,
}

/// What an answer is based on.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Completeness {
    /// Every request with this commit sequence or a lower one is in the answer.
    pub sequence: u64,
    /// When the rows were looked at, in nanoseconds since the Unix epoch.
    pub taken: i64,
    /// Segments of the tables that were asked for, each table and scan counted.
    pub segments_considered: u64,
    /// Of these, those that statistics ruled out before any file was opened.
    pub segments_pruned: u64,
    /// Of these, those whose object was opened, each object once.
    pub segments_read: u64,
    /// Bytes read from segments, footers included, what a cache already held excluded.
    pub bytes_read: u64,
    /// Bytes of blocks that the cache of a remote bucket had, or that another reader's request brought.
    pub bytes_cached: u64,
    /// Requests to the store that these bytes took.
    pub requests: u64,
    /// Rows that were looked at in buffers.
    pub buffered_rows: u64,
    /// What should have been read and could not: the answer lacks its rows.
    pub missing: Vec<Missing>,
}

/// Rows that an answer lacks, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Missing {
    /// The segment they were in, and the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<&'static str>,
    /// The place in the write-ahead log, where they were not in a segment yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    pub reason: String,
}

impl Missing {
    fn of(missing: &snapshot::Missing) -> Missing {
        let mut said = Missing {
            reason: missing.reason.clone(),
            ..Missing::default()
        };
        match &missing.part {
            MissingPart::Object { segment, table } => {
                said.segment = Some(segment.to_string());
                said.table = Some(table.as_str());
            }
            MissingPart::Log { place } => said.log = Some(place.clone()),
        }
        said
    }
}

impl ScanReport {
    /// Notes the snapshot that a table is about to be read from.
    pub fn snapshot_taken(&self, snapshot: &Snapshot) {
        let mut seen = self.seen.lock();
        let sequence = seen
            .sequence
            .map_or(snapshot.sequence, |s| s.min(snapshot.sequence));
        seen.sequence = Some(sequence);
        let taken = seen.taken.map_or(snapshot.taken, |t| t.min(snapshot.taken));
        seen.taken = Some(taken);
    }

    /// Notes what `snapshot` lacks of `table`, which is about to be read.
    pub fn table_read(&self, snapshot: &Snapshot, table: Table) {
        let mut seen = self.seen.lock();
        for missing in snapshot.missing.iter().filter(|m| m.concerns(table)) {
            if !seen.missing.contains(missing) {
                seen.missing.push(missing.clone());
            }
        }
    }

    /// Notes how many segments a scan considered and how many of them statistics ruled out.
    pub fn segments_planned(&self, considered: u64, pruned: u64) {
        self.considered.fetch_add(considered, Ordering::Relaxed);
        self.pruned.fetch_add(pruned, Ordering::Relaxed);
    }

    /// Notes that the object of `table` in a segment was opened; again is as good as once.
    pub fn object_opened(&self, segment: SegmentId, table: Table) {
        self.seen.lock().opened.insert((segment, table));
    }

    /// Where readers count what they fetch.
    pub fn counters(&self) -> &Arc<ReadCounters> {
        &self.counters
    }

    /// Notes rows that were looked at in a buffer.
    pub fn buffered_rows_seen(&self, rows: u64) {
        self.buffered_rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// What the answer is based on, as far as the scans have come.
    pub fn completeness(&self) -> Completeness {
        let seen = self.seen.lock();
        Completeness {
            sequence: seen.sequence.unwrap_or(0),
            taken: seen.taken.unwrap_or_default().0,
            segments_considered: self.considered.load(Ordering::Relaxed),
            segments_pruned: self.pruned.load(Ordering::Relaxed),
            segments_read: seen.opened.len() as u64,
            bytes_read: self.counters.bytes.load(Ordering::Relaxed),
            bytes_cached: self.counters.cached_bytes.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
            buffered_rows: self.buffered_rows.load(Ordering::Relaxed),
            missing: seen.missing.iter().map(Missing::of).collect(),
        }
    }
}
