//! The background of a store: which flush runs when, retries with back-off, and all the chores beside.

use super::{
    append::{Cargo, under_pressure},
    backup,
    buffer::{Key, Open},
    compact,
    drain::{MAX_STAGING, commit_and_trim, sweep, trim},
    erase, expire,
    health::Part,
    policy::{self, Due, Load},
    reconcile, retire, stage,
    state::State,
};
use crate::wal::writer::Wal;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How often the loop looks, whether or not somebody wakes it.
const TICK: Duration = Duration::from_secs(1);

/// Flushes that are uploaded at the same time.
const MAX_COMMITTING: usize = 4;

/// Refused requests have buffers flushed this often: a sender of nothing but large ones must not make all segments small.
const ROOM_INTERVAL: Duration = Duration::from_secs(10);

/// The first wait after a failure; doubled at each more.
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);

/// The longest wait after failures.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);

/// The two kinds of work on a tenant's signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Stage,
    Commit,
}

type Job<'a> = BoxFuture<'a, (Step, Key, bool)>;

/// Work beside the flushes that none of them waits for; one of each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Chore {
    /// Removes files of the log and empty folders.
    Tidy,
    /// Deletes objects of retired segments.
    Delete,
    /// Makes deletions so.
    Erase,
    /// Merges segments.
    Compact,
    /// Retires segments whose rows have been kept long enough.
    Expire,
    /// Holds the bucket against the catalog.
    Reconcile,
    /// Copies the catalog into the bucket.
    Backup,
}

/// What a chore ends with.
type Doing<'a> = BoxFuture<'a, Chore>;

/// What the loop knows of the work that runs and of that which failed.
#[derive(Default)]
struct Progress {
    running: BTreeMap<(Step, Key), ()>,
    /// Failures in a row, and the monotonic time of the next attempt.
    failed: BTreeMap<(Step, Key), (u32, Duration)>,
    /// Monotonic time from which a refused request may have buffers flushed again.
    room_made_until: Duration,
}

/// Flushes by size, age and pressure until `shutdown`, then waits for what runs, as long as a shutdown may take.
pub(super) async fn run(state: &State, wal: &Wal<Cargo>, shutdown: CancellationToken) {
    let mut progress = Progress::default();
    let mut jobs: FuturesUnordered<Job<'_>> = FuturesUnordered::new();
    let mut chores: FuturesUnordered<Doing<'_>> = FuturesUnordered::new();
    let mut doing: BTreeSet<Chore> = BTreeSet::new();
    // A time of its own: wakes come as often as requests while memory is short, and must not put it off.
    let mut next_tick = state.monotonic();
    loop {
        if state.monotonic() >= next_tick {
            tick(state);
            chores.extend(next_chores(state, wal, &mut doing));
            next_tick = state.monotonic() + TICK;
        }
        for job in next_jobs(state, wal, &mut progress) {
            jobs.push(job);
        }
        let until_tick = next_tick.saturating_sub(state.monotonic());
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            () = state.world.clock.sleep(until_tick) => {}
            Some((step, key, ok)) = jobs.next(), if !jobs.is_empty() => {
                progress.done(step, key, ok, state.monotonic());
            }
            Some(chore) = chores.next(), if !chores.is_empty() => {
                doing.remove(&chore);
            }
            () = state.wake.notified() => {}
        }
    }
    // Chores are dropped where they are: the next start goes on with them. So are flushes that take too long.
    let limit = state.until_closed();
    tokio::select! {
        biased;
        () = async { while jobs.next().await.is_some() {} } => {}
        () = state.world.clock.sleep(limit) => {
            tracing::warn!(flushes = jobs.len(), "given up at the shutdown, their rows are in the log");
        }
    }
}

/// The chores to begin now.
fn next_chores<'a>(
    state: &'a State,
    wal: &'a Wal<Cargo>,
    doing: &mut BTreeSet<Chore>,
) -> Vec<Doing<'a>> {
    let mut begun: Vec<Doing<'a>> = Vec::new();
    if doing.insert(Chore::Tidy) {
        let tidy = async move {
            trim(state, wal).await;
            sweep(state).await;
            Chore::Tidy
        };
        begun.push(tidy.boxed());
    }
    if retire::is_due(state) && doing.insert(Chore::Delete) {
        let delete = async move {
            retire::delete(state).await;
            Chore::Delete
        };
        begun.push(delete.boxed());
    }
    if erase::is_due(state) && doing.insert(Chore::Erase) {
        let erase = async move {
            // It was said in the log, and is tried again.
            let _ = erase::pass(state, wal).await;
            Chore::Erase
        };
        begun.push(erase.boxed());
    }
    if compact::is_due(state) && doing.insert(Chore::Compact) {
        let compact = async move {
            compact::pass(state).await;
            Chore::Compact
        };
        begun.push(compact.boxed());
    }
    if expire::is_due(state) && doing.insert(Chore::Expire) {
        let expire = async move {
            expire::pass(state).await;
            Chore::Expire
        };
        begun.push(expire.boxed());
    }
    if reconcile::is_due(state) && doing.insert(Chore::Reconcile) {
        let reconcile = async move {
            reconcile::daily(state).await;
            Chore::Reconcile
        };
        begun.push(reconcile.boxed());
    }
    if backup::is_due(state) && doing.insert(Chore::Backup) {
        let backup = async move {
            backup::pass(state).await;
            Chore::Backup
        };
        begun.push(backup.boxed());
    }
    begun
}

/// What is done once a second whatever happens; waits for nothing.
fn tick(state: &State) {
    if state.disk_bytes() < state.config.disk_bytes {
        state.problems.clear(Part::Disk, "quota");
    }
    let telemetry = &state.telemetry;
    telemetry.memory_bytes.set(state.budget.used_bytes() as i64);
    telemetry
        .wal_bytes
        .set(state.wal_bytes.load(Ordering::Relaxed) as i64);
    telemetry
        .staged_bytes
        .set(state.staged_bytes.load(Ordering::Relaxed) as i64);
    if let Some(blocks) = state.readers.blocks() {
        let bytes = blocks.memory_bytes();
        telemetry.bucket.cache_memory_bytes.set(bytes as i64);
    }
    let (segments, bytes) = state.retired.lock().totals();
    telemetry.retired_segments.set(segments as i64);
    telemetry.retired_bytes.set(bytes as i64);
    let (digests, evicted) = state.retries.counts();
    telemetry.digests.set(digests as i64);
    let counted = telemetry.digests_evicted.get();
    telemetry
        .digests_evicted
        .inc_by(evicted.saturating_sub(counted));
}

/// The work to begin now, within the limits on what runs at the same time.
fn next_jobs<'a>(state: &'a State, wal: &'a Wal<Cargo>, progress: &mut Progress) -> Vec<Job<'a>> {
    let open = state.buffers.uncommitted();
    let now = state.monotonic();
    let mut jobs: Vec<Job<'a>> = Vec::new();
    let refused_bytes = progress.refused_bytes(state, now);
    for (key, reason) in due(state, wal, &open, refused_bytes) {
        if progress.begin(Step::Stage, &key, now, MAX_STAGING) {
            let job = async move {
                let ok = stage::stage(state, &key, reason).await.is_ok();
                (Step::Stage, key, ok)
            };
            jobs.push(job.boxed());
        }
    }
    for Open { key, .. } in open.into_iter().filter(|open| open.staged) {
        if progress.begin(Step::Commit, &key, now, MAX_COMMITTING) {
            let job = async move {
                let ok = commit_and_trim(state, wal, &key).await.is_ok();
                (Step::Commit, key, ok)
            };
            jobs.push(job.boxed());
        }
    }
    jobs
}

fn due(state: &State, wal: &Wal<Cargo>, open: &[Open], refused_bytes: u64) -> Vec<Due> {
    let files = wal.files();
    let oldest_file_ends = files
        .first()
        .and_then(|file| file.last.values().max().copied());
    let load = Load {
        pressure: under_pressure(state),
        refused_bytes,
        memory_bytes: state.budget.used_bytes(),
        wal_bytes: wal.bytes(),
        oldest_file_ends: oldest_file_ends.unwrap_or(0),
    };
    let mut due = policy::due(open, state.monotonic(), load, &state.config);
    let left = open.iter().filter(|open| open.frozen_bytes > 0);
    due.extend(left.map(|open| (open.key.clone(), "retry")));
    due
}

impl Progress {
    /// What requests were refused for lack of memory, as far as it is time to make room for them.
    fn refused_bytes(&mut self, state: &State, now: Duration) -> u64 {
        if now < self.room_made_until {
            return 0;
        }
        let refused_bytes = state.budget.take_refused();
        if refused_bytes > 0 {
            self.room_made_until = now + ROOM_INTERVAL;
        }
        refused_bytes
    }

    /// Whether this work may begin; notes that it runs.
    fn begin(&mut self, step: Step, key: &Key, now: Duration, limit: usize) -> bool {
        let entry = (step, key.clone());
        let running = self
            .running
            .keys()
            .filter(|(running, _)| *running == step)
            .count();
        let waiting = self.failed.get(&entry).is_some_and(|(_, at)| *at > now);
        if running >= limit || waiting || self.running.contains_key(&entry) {
            return false;
        }
        self.running.insert(entry, ());
        true
    }

    fn done(&mut self, step: Step, key: Key, ok: bool, now: Duration) {
        let entry = (step, key);
        self.running.remove(&entry);
        if ok {
            self.failed.remove(&entry);
            return;
        }
        let failures = self
            .failed
            .get(&entry)
            .map_or(1, |(failures, _)| failures + 1);
        let wait = FIRST_BACK_OFF
            .saturating_mul(1 << failures.min(10))
            .min(LONGEST_BACK_OFF);
        self.failed.insert(entry, (failures, now + wait));
    }
}
