//! What can be read of every tenant's signal: buffered requests, frozen and staged flushes, live segments.
//!
//! All of it changes under one lock, in single steps, so that a snapshot holds every acknowledged row once at
//! any instant. Nothing here waits for disk or network.

use super::flushed::Flushed;
pub(super) use super::flushed::Key;
use crate::{
    budget::Reservation,
    catalog::Digest,
    id::{SegmentId, TenantId},
    signal::Table,
    snapshot::{BufferedRequest, LiveSegment, Missing, MissingPart, Snapshot},
    time::Nanos,
};
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// A request in the buffer with what goes along with it until it is flushed.
pub(super) struct Pending {
    pub(super) request: Arc<BufferedRequest>,
    /// The memory of the rows, given back with them.
    pub(super) _reservation: Reservation,
    /// What the flush has to commit, so that retries are known when the frame is gone.
    pub(super) digest: Option<Digest>,
}

/// The requests of one flush. Its memory is given back when the last clone goes.
pub(super) struct Frozen {
    pub(super) number: u64,
    /// In order of sequence; never empty.
    pub(super) requests: Vec<Pending>,
    /// Monotonic time of the freeze.
    pub(super) since: Duration,
    pub(super) reason: &'static str,
}

/// A flush whose segments are durable on the local disk.
pub(super) struct Staged {
    pub(super) number: u64,
    pub(super) segments: Vec<Arc<LiveSegment>>,
    pub(super) digests: Vec<Digest>,
    /// The lowest and the highest sequence in it.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bytes: u64,
    pub(super) since: Duration,
    pub(super) reason: &'static str,
}

/// How much of one tenant's signal is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) key: Key,
    pub(super) bytes: u64,
    /// Monotonic time of the oldest request.
    pub(super) since: Duration,
    /// The lowest sequence that is not committed, staged and frozen ones included.
    pub(super) first_uncommitted: u64,
    /// Bytes of an earlier flush that waits to be staged.
    pub(super) frozen_bytes: u64,
    /// Whether an earlier flush of it waits to be committed.
    pub(super) staged: bool,
}

/// Everything that can be read; shared by appends, flushes and queries.
#[derive(Default)]
pub(super) struct Buffers {
    inner: RwLock<Inner>,
    /// The commit sequence, for those who wait for it.
    visible: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    tables: BTreeMap<Key, TableState>,
    /// Every request with this sequence or a lower one is in `tables`.
    sequence: u64,
    flushes: u64,
    /// What replay could not give back, and of whose table; of everybody's, as far as is known, where `None`.
    lost: Vec<(Option<Key>, Missing)>,
}

#[derive(Default)]
struct TableState {
    /// In order of sequence.
    open: Vec<Pending>,
    open_bytes: u64,
    open_since: Duration,
    /// In order of sequence; committed in this order.
    flushes: VecDeque<Stage>,
    /// Sorted by `time.max`, newest first.
    live: Vec<Arc<LiveSegment>>,
    /// Objects of live and staged segments that cannot be read.
    missing: Vec<Missing>,
}

enum Stage {
    Frozen(Arc<Frozen>),
    Staged(Arc<Staged>),
}

impl Frozen {
    /// The rows, oldest first.
    pub(super) fn rows(&self) -> Vec<Arc<BufferedRequest>> {
        self.requests
            .iter()
            .map(|pending| pending.request.clone())
            .collect()
    }

    /// The lowest and the highest sequence.
    pub(super) fn range(&self) -> (u64, u64) {
        let first = self.requests.first().expect("a flush has requests");
        let last = self.requests.last().expect("a flush has requests");
        (first.request.sequence, last.request.sequence)
    }
}

impl Stage {
    fn first(&self) -> u64 {
        match self {
            Stage::Frozen(frozen) => frozen.range().0,
            Stage::Staged(staged) => staged.first,
        }
    }

    fn memory_bytes(&self) -> u64 {
        match self {
            Stage::Frozen(frozen) => frozen.requests.iter().map(|p| p.request.memory_bytes).sum(),
            Stage::Staged(_) => 0,
        }
    }

    fn number(&self) -> u64 {
        match self {
            Stage::Frozen(frozen) => frozen.number,
            Stage::Staged(staged) => staged.number,
        }
    }
}

impl Buffers {
    /// Makes requests visible in one step, and `sequence` with them. They are in order of sequence, above all
    /// that came before. Returns the largest number of open bytes among the tables that got any.
    pub(super) fn insert(
        &self,
        requests: Vec<(Key, Pending)>,
        sequence: u64,
        now: Duration,
    ) -> u64 {
        let mut inner = self.inner.write();
        inner.sequence = inner.sequence.max(sequence);
        let mut largest = 0;
        for (key, pending) in requests {
            let table = inner.tables.entry(key).or_default();
            if table.open.is_empty() {
                table.open_since = now;
            }
            debug_assert!(
                table
                    .open
                    .last()
                    .is_none_or(|p| p.request.sequence < pending.request.sequence)
            );
            table.open_bytes += pending.request.memory_bytes;
            table.open.push(pending);
            largest = largest.max(table.open_bytes);
        }
        let sequence = inner.sequence;
        drop(inner);
        self.visible.send_if_modified(|visible| {
            let rises = sequence > *visible;
            *visible = sequence.max(*visible);
            rises
        });
        largest
    }

    /// The view of one tenant's signal.
    pub(super) fn snapshot(&self, key: &Key, taken: Nanos) -> Snapshot {
        let inner = self.inner.read();
        let mut snapshot = Snapshot {
            tenant: key.0.clone(),
            signal: key.1,
            segments: Vec::new(),
            buffered: Vec::new(),
            sequence: inner.sequence,
            taken,
            missing: Vec::new(),
            tombstones: Vec::new(),
        };
        if let Some(table) = inner.tables.get(key) {
            table.fill(&mut snapshot);
        }
        let concerns = |of: &Option<Key>| of.as_ref().is_none_or(|of| of == key);
        let lost = inner.lost.iter().filter(|(of, _)| concerns(of));
        snapshot
            .missing
            .extend(lost.map(|(_, missing)| missing.clone()));
        snapshot
    }

    /// The commit sequence.
    pub(super) fn sequence(&self) -> u64 {
        self.inner.read().sequence
    }

    /// Returns when the commit sequence is `sequence` or a higher one.
    pub(super) async fn reached(&self, sequence: u64) {
        let mut visible = self.visible.subscribe();
        let reached = visible.wait_for(|visible| *visible >= sequence).await;
        reached.expect("the sender lives as long as the buffers");
    }

    /// The tenants that have anything here, sorted.
    pub(super) fn tenants(&self) -> Vec<TenantId> {
        let inner = self.inner.read();
        let mut tenants: Vec<TenantId> = inner.tables.keys().map(|key| key.0.clone()).collect();
        tenants.dedup();
        tenants
    }

    /// Every tenant's signal that is known, sorted.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.inner.read().tables.keys().cloned().collect()
    }

    /// All segments of everybody, live or staged, in no order that means something.
    pub(super) fn segments(&self) -> Vec<Arc<LiveSegment>> {
        let inner = self.inner.read();
        let segments = inner.tables.values().flat_map(|table| {
            let staged = table.flushes.iter().filter_map(|stage| match stage {
                Stage::Staged(staged) => Some(&staged.segments),
                Stage::Frozen(_) => None,
            });
            table.live.iter().chain(staged.flatten())
        });
        segments.cloned().collect()
    }

    /// Every table that has rows which are not committed.
    pub(super) fn uncommitted(&self) -> Vec<Open> {
        let inner = self.inner.read();
        inner
            .tables
            .iter()
            .filter_map(|(key, table)| table.open(key))
            .collect()
    }

    /// Up to where everything is committed.
    pub(super) fn flushed(&self) -> Flushed {
        let inner = self.inner.read();
        let first = |(key, table): (&Key, &TableState)| {
            table
                .open(key)
                .map(|open| (key.clone(), open.first_uncommitted))
        };
        Flushed::new(inner.sequence, inner.tables.iter().filter_map(first))
    }

    /// Up to where everything of the tenant but `key` itself is committed.
    pub(super) fn committed_beside(&self, key: &Key) -> u64 {
        let inner = self.inner.read();
        let others = inner
            .tables
            .iter()
            .filter(|(other, _)| other.0 == key.0 && other.1 != key.1);
        let first = others
            .filter_map(|(other, table)| table.open(other))
            .map(|open| open.first_uncommitted)
            .min();
        first.map_or(inner.sequence, |first| first - 1)
    }

    /// Freezes what is open of `key`, unless an earlier flush of it is frozen already: that one comes first. `None`
    /// when there is nothing to stage.
    pub(super) fn freeze(
        &self,
        key: &Key,
        now: Duration,
        reason: &'static str,
    ) -> Option<Arc<Frozen>> {
        let mut inner = self.inner.write();
        let table = inner.tables.get(key)?;
        let frozen = table.flushes.iter().find_map(|stage| match stage {
            Stage::Frozen(frozen) => Some(frozen.clone()),
            Stage::Staged(_) => None,
        });
        frozen.or_else(|| inner.freeze(key, now, reason))
    }

    /// Freezes what is open of `key` whatever is frozen already; for who stages several flushes at a time.
    pub(super) fn freeze_open(
        &self,
        key: &Key,
        now: Duration,
        reason: &'static str,
    ) -> Option<Arc<Frozen>> {
        self.inner.write().freeze(key, now, reason)
    }

    /// Flushes of `key` that wait to be staged.
    pub(super) fn frozen(&self, key: &Key) -> usize {
        let inner = self.inner.read();
        let flushes = inner.tables.get(key).map(|table| &table.flushes);
        flushes.map_or(0, |flushes| {
            let frozen = flushes.iter().filter(|s| matches!(s, Stage::Frozen(_)));
            frozen.count()
        })
    }

    /// Replaces a frozen flush by its staged segments: the same rows, read from the disk from now on.
    pub(super) fn stage(&self, key: &Key, staged: Staged) {
        let mut inner = self.inner.write();
        let table = inner.tables.get_mut(key).expect("it was frozen here");
        let position = table
            .flushes
            .iter()
            .position(|stage| stage.number() == staged.number);
        let position = position.expect("a frozen flush stays until it is staged");
        table.flushes[position] = Stage::Staged(Arc::new(staged));
    }

    /// The requests of `key` that are in no segment, the oldest first.
    pub(super) fn unstaged(&self, key: &Key) -> Vec<Arc<BufferedRequest>> {
        let inner = self.inner.read();
        let Some(table) = inner.tables.get(key) else {
            return Vec::new();
        };
        let frozen = table.flushes.iter().filter_map(|stage| match stage {
            Stage::Frozen(frozen) => Some(frozen.rows()),
            Stage::Staged(_) => None,
        });
        let open = table.open.iter().map(|pending| pending.request.clone());
        frozen.flatten().chain(open).collect()
    }

    /// Puts these requests, which lost rows, in the place of those of the same sequences. The caller has the stage lane of
    /// `key`, so that none of them is being staged.
    pub(super) fn swap(&self, key: &Key, requests: Vec<Arc<BufferedRequest>>) {
        let mut requests: BTreeMap<u64, Arc<BufferedRequest>> = requests
            .into_iter()
            .map(|request| (request.sequence, request))
            .collect();
        let mut inner = self.inner.write();
        let Some(table) = inner.tables.get_mut(key) else {
            return;
        };
        let frozen = table.flushes.iter_mut().filter_map(|stage| match stage {
            Stage::Frozen(frozen) => {
                let frozen = Arc::get_mut(frozen).expect("only who stages it has another");
                Some(&mut frozen.requests)
            }
            Stage::Staged(_) => None,
        });
        for pending in frozen.flatten().chain(&mut table.open) {
            if let Some(request) = requests.remove(&pending.request.sequence) {
                pending.request = request;
            }
        }
    }

    /// The oldest flush of `key`, where it is staged.
    pub(super) fn next_staged(&self, key: &Key) -> Option<Arc<Staged>> {
        match self.inner.read().tables.get(key)?.flushes.front()? {
            Stage::Staged(staged) => Some(staged.clone()),
            Stage::Frozen(_) => None,
        }
    }

    /// Replaces the oldest flush of `key` by its committed segments.
    pub(super) fn commit(&self, key: &Key, number: u64, segments: Vec<Arc<LiveSegment>>) {
        let mut inner = self.inner.write();
        let table = inner.tables.get_mut(key).expect("it was staged here");
        let front = table.flushes.pop_front().map(|stage| stage.number());
        assert_eq!(
            front,
            Some(number),
            "flushes are committed in the order of their freeze"
        );
        table.live.extend(segments);
        sort(&mut table.live);
    }

    /// Adds committed segments, at the start.
    pub(super) fn load(&self, segments: Vec<Arc<LiveSegment>>) {
        let mut inner = self.inner.write();
        for segment in segments {
            let key = (segment.meta.tenant.clone(), segment.meta.signal);
            inner.tables.entry(key).or_default().live.push(segment);
        }
        for table in inner.tables.values_mut() {
            sort(&mut table.live);
        }
    }

    /// Takes live segments out.
    pub(super) fn remove(&self, key: &Key, segments: &[SegmentId]) {
        if let Some(table) = self.inner.write().tables.get_mut(key) {
            table
                .live
                .retain(|segment| !segments.contains(&segment.meta.id));
            // What is evicted is not missed any more.
            table.missing.retain(|missing| match &missing.part {
                MissingPart::Object { segment, .. } => !segments.contains(segment),
                MissingPart::Log { .. } => true,
            });
        }
    }

    /// Replaces live segments by one that holds the same rows, in one step; `false`, and nothing happens, unless all of
    /// them are live.
    pub(super) fn replace(&self, key: &Key, segments: &[SegmentId], by: Arc<LiveSegment>) -> bool {
        let mut inner = self.inner.write();
        let Some(table) = inner.tables.get_mut(key) else {
            return false;
        };
        let is_input = |segment: &Arc<LiveSegment>| segments.contains(&segment.meta.id);
        if table.live.iter().filter(|s| is_input(s)).count() != segments.len() {
            return false;
        }
        table.live.retain(|segment| !is_input(segment));
        table.live.push(by);
        sort(&mut table.live);
        true
    }

    /// The live segments of `key` of which nothing is missing, newest first.
    pub(super) fn whole(&self, key: &Key) -> Vec<Arc<LiveSegment>> {
        let inner = self.inner.read();
        let Some(table) = inner.tables.get(key) else {
            return Vec::new();
        };
        let is_damaged = |segment: &Arc<LiveSegment>| {
            let missing = table.missing.iter();
            missing.map(|m| &m.part).any(|part| {
                matches!(part, MissingPart::Object { segment: id, .. } if *id == segment.meta.id)
            })
        };
        let live = table.live.iter().filter(|segment| !is_damaged(segment));
        live.cloned().collect()
    }

    /// Notes that an object of a live or staged segment cannot be read; `false` if it is none, or known already.
    pub(super) fn report_damage(&self, id: SegmentId, damaged: Table, reason: &str) -> bool {
        let mut inner = self.inner.write();
        inner
            .tables
            .values_mut()
            .any(|table| table.report_damage(id, damaged, reason))
    }

    /// Notes that acknowledged requests of `key` are lost; of anybody, where that is not known.
    pub(super) fn report_loss(&self, key: Option<Key>, missing: Missing) {
        self.inner.write().lost.push((key, missing));
    }

    /// Objects of segments that are known to be damaged or gone.
    pub(super) fn missing(&self) -> usize {
        self.inner
            .read()
            .tables
            .values()
            .map(|table| table.missing.len())
            .sum()
    }

    /// The live segments of `key`, newest first.
    pub(super) fn live(&self, key: &Key) -> Vec<Arc<LiveSegment>> {
        self.inner
            .read()
            .tables
            .get(key)
            .map(|table| table.live.clone())
            .unwrap_or_default()
    }
}

impl Inner {
    fn freeze(&mut self, key: &Key, now: Duration, reason: &'static str) -> Option<Arc<Frozen>> {
        let table = self.tables.get_mut(key)?;
        if table.open.is_empty() {
            return None;
        }
        table.open_bytes = 0;
        let frozen = Arc::new(Frozen {
            number: self.flushes,
            requests: std::mem::take(&mut table.open),
            since: now,
            reason,
        });
        table.flushes.push_back(Stage::Frozen(frozen.clone()));
        self.flushes += 1;
        Some(frozen)
    }
}

impl TableState {
    fn fill(&self, snapshot: &mut Snapshot) {
        snapshot.segments = self.readable(&self.live);
        for stage in &self.flushes {
            match stage {
                Stage::Frozen(frozen) => snapshot.buffered.extend(frozen.rows()),
                Stage::Staged(staged) => {
                    snapshot.segments.extend(self.readable(&staged.segments));
                }
            }
        }
        snapshot
            .buffered
            .extend(self.open.iter().map(|pending| pending.request.clone()));
        sort(&mut snapshot.segments);
        snapshot.missing.clone_from(&self.missing);
    }

    /// `segments` without the objects that cannot be read.
    fn readable(&self, segments: &[Arc<LiveSegment>]) -> Vec<Arc<LiveSegment>> {
        if self.missing.is_empty() {
            return segments.to_vec();
        }
        let reduced = |segment: &Arc<LiveSegment>| {
            let is_missing = |table| self.is_missing(segment.meta.id, table);
            if !segment.meta.objects.iter().any(|o| is_missing(o.table)) {
                return Some(segment.clone());
            }
            let mut reduced = LiveSegment::clone(segment);
            reduced.meta.objects.retain(|o| !is_missing(o.table));
            (!reduced.meta.objects.is_empty()).then(|| Arc::new(reduced))
        };
        segments.iter().filter_map(reduced).collect()
    }

    fn is_missing(&self, segment: SegmentId, table: Table) -> bool {
        let part = MissingPart::Object { segment, table };
        self.missing.iter().any(|missing| missing.part == part)
    }

    fn open(&self, key: &Key) -> Option<Open> {
        let first_open = self.open.first().map(|pending| pending.request.sequence);
        let first_uncommitted = self.flushes.front().map(Stage::first).or(first_open)?;
        Some(Open {
            key: key.clone(),
            bytes: self.open_bytes,
            since: self.open_since,
            first_uncommitted,
            frozen_bytes: self.flushes.iter().map(Stage::memory_bytes).sum(),
            staged: matches!(self.flushes.front(), Some(Stage::Staged(_))),
        })
    }

    fn report_damage(&mut self, segment: SegmentId, table: Table, reason: &str) -> bool {
        let is_it = |s: &Arc<LiveSegment>| s.meta.id == segment;
        let staged = self.flushes.iter().any(|stage| match stage {
            Stage::Staged(staged) => staged.segments.iter().any(is_it),
            Stage::Frozen(_) => false,
        });
        let is_here = staged || self.live.iter().any(is_it);
        if !is_here || self.is_missing(segment, table) {
            return false;
        }
        self.missing.push(Missing {
            part: MissingPart::Object { segment, table },
            reason: reason.to_string(),
        });
        true
    }
}

/// Newest first; segments that end at the same instant by id, so that the order is always the same.
fn sort(segments: &mut [Arc<LiveSegment>]) {
    segments.sort_by_key(|s| std::cmp::Reverse((s.meta.time.max, s.meta.id)));
}
