//! Compaction: small segments of a tenant's signal become one, in the background, one merge at a time.
//!
//! 1. The merge is written into the staging folder, on a thread that stands back.
//! 2. The catalog is told of it (`announce`): from then on a start finds it among the retired and deletes it.
//! 3. Its files go to the bucket.
//! 4. One commit makes it live and its inputs retired; snapshots change in one step after that.
//!
//! So a crash leaves the inputs or the output. Inputs of a merge that was not finished wait until its objects are gone:
//! a catalog that is rebuilt from the bucket finds one segment at most that replaces another.

mod plan;

use super::{
    buffer::Key,
    claim,
    commit::{SEGMENT_COMMITTED, event},
    compacting::FIRST_BACK_OFF,
    health::Part,
    kept::reading,
    retire::GRACE,
    stage::{field_ids, keep_footers, segment_id},
    state::{State, subject},
    upload,
};
use crate::{
    catalog::Commit,
    deletion::Tombstone,
    error::{Error, Kind, Result},
    id::SegmentId,
    segment::{
        LiveSegment, SegmentMeta, WalRange,
        merge::{Merge, wal_ranges},
        write::{Identity, Target},
    },
    signal::Signal,
};
use plan::Rules;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// An upload is tried so often before the merge is given up.
const UPLOADS: u32 = 5;

/// The first and the longest wait before a commit whose outcome is not known is tried again.
const FIRST_COMMIT_WAIT: Duration = Duration::from_millis(50);
const LONGEST_COMMIT_WAIT: Duration = Duration::from_secs(1);

/// Zstd's level: a merged segment is written once or twice and read for weeks.
const COMPRESSION_LEVEL: i32 = 3;

/// Says that no merge is under way any more, also when it is dropped.
pub(super) struct Running<'a>(&'a State);

impl<'a> Running<'a> {
    /// `None` while one is under way.
    pub(super) fn begin(state: &'a State) -> Option<Running<'a>> {
        let is_free = !std::mem::replace(&mut state.compacting.lock().running, true);
        is_free.then(|| Running(state))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.compacting.lock().running = false;
    }
}

/// Whether there may be something for [`pass`] to do.
pub(super) fn is_due(state: &State) -> bool {
    let is_on = state.config.compaction_target_bytes > 0;
    let mut compacting = state.compacting.lock();
    is_on && compacting.is_due(state.monotonic(), || state.buffers.keys())
}

/// Merges what there is to merge, and ends early when a merge fails.
pub(super) async fn pass(state: &State) {
    let Some(_running) = Running::begin(state) else {
        return;
    };
    loop {
        // Deletions have a time to keep.
        if state.tombstones.lock().is_due(state.monotonic()) {
            return;
        }
        let next = state.compacting.lock().next();
        let Some(key) = next else {
            return;
        };
        if look(state, &key).await.is_err() {
            return;
        }
    }
}

/// See [`super::Store::compact_all`].
pub(super) async fn all(state: &State) -> Result<usize> {
    let Some(_running) = Running::begin(state) else {
        return Err(Error::Unavailable {
            what: "compaction",
            detail: "a merge is under way: try again when it is done".to_string(),
        });
    };
    for key in state.buffers.keys() {
        state.compacting.lock().changed(&key);
    }
    let mut merges = 0;
    loop {
        let next = state.compacting.lock().next();
        let Some(key) = next else {
            return Ok(merges);
        };
        merges += usize::from(look(state, &key).await?);
    }
}

/// Merges segments of `key` once, if there is something to merge; then it is looked at again.
async fn look(state: &State, key: &Key) -> Result<bool> {
    let Some(inputs) = choose(state, key) else {
        return Ok(false);
    };
    let started = state.monotonic();
    let outcome = compact(state, key, &inputs).await;
    let mut compacting = state.compacting.lock();
    compacting.changed(key);
    match outcome {
        Ok(()) => {
            compacting.succeeded();
            state.problems.clear(Part::Compaction, &subject(key));
            let took = state.monotonic().saturating_sub(started);
            state
                .telemetry
                .compaction
                .seconds
                .observe(took.as_secs_f64());
            Ok(true)
        }
        Err(error) => {
            compacting.failed(state.monotonic());
            state.telemetry.compaction.failed(key.1);
            tracing::warn!(table = subject(key), %error, "a merge failed, its segments stay as they are");
            state.raise(Part::Compaction, &subject(key), error.to_string());
            Err(error)
        }
    }
}

/// The segments of `key` to merge now.
fn choose(state: &State, key: &Key) -> Option<Vec<Arc<LiveSegment>>> {
    // Dead letters are evicted by the flush, in the order of arrival: they stay apart.
    if key.1 == Signal::DeadLetters || state.disk_bytes() * 2 > state.config.disk_bytes {
        return None;
    }
    let mut live = state.buffers.whole(key);
    let unfinished = state.retired.lock().replaced(key);
    if let Some(too_large) = state.compacting.lock().too_large.get_mut(key) {
        too_large.retain(|id| live.iter().any(|segment| segment.meta.id == *id));
        live.retain(|segment| !too_large.contains(&segment.meta.id));
    }
    live.retain(|segment| !unfinished.contains(&segment.meta.id));
    // What has rows to be deleted is written anew first: they must not get among others.
    let tombstones = state.tombstones.lock();
    live.retain(|segment| tombstones.pending(&segment.meta).is_empty());
    drop(tombstones);
    let metas: Vec<&SegmentMeta> = live.iter().map(|segment| &segment.meta).collect();
    let rules = Rules {
        target_bytes: state.config.compaction_target_bytes,
        segments: state.config.compaction_segments,
    };
    let chosen = plan::plan(&metas, state.now(), rules)?;
    let inputs = chosen
        .iter()
        .filter_map(|id| live.iter().find(|segment| segment.meta.id == *id).cloned());
    Some(inputs.collect())
}

/// Merges `inputs`, as many of the first as fit into the memory, and makes the result live.
async fn compact(state: &State, key: &Key, inputs: &[Arc<LiveSegment>]) -> Result<()> {
    let reading = reading(state);
    let asked = state.compacting.lock().asked.get(key).cloned();
    let merge = Merge::prepare(inputs, &reading, &asked.unwrap_or_default()).await?;
    let Some(merge) = merge else {
        // The first two alone take more: the larger one of them stays as it is.
        let larger = inputs
            .iter()
            .take(2)
            .max_by_key(|segment| segment.meta.bytes());
        let mut compacting = state.compacting.lock();
        let too_large = compacting.too_large.entry(key.clone()).or_default();
        too_large.extend(larger.map(|segment| segment.meta.id));
        return Ok(());
    };
    let inputs = merge.inputs().to_vec();
    let merged = replace(state, key, merge, &[]).await?;
    let bytes = merged.bytes();
    let sizes: Vec<u64> = inputs.iter().map(|segment| segment.meta.bytes()).collect();
    state.telemetry.compaction.done(key.1, &sizes, bytes);
    tracing::debug!(
        table = subject(key),
        segments = inputs.len(),
        rows = merged.rows,
        before = sizes.iter().sum::<u64>(),
        after = bytes,
        "merged"
    );
    Ok(())
}

/// Writes the merged segment and makes it live in the place of its inputs, together with these tombstones.
pub(super) async fn replace(
    state: &State,
    key: &Key,
    merge: Merge,
    tombstones: &[Tombstone],
) -> Result<SegmentMeta> {
    let inputs = merge.inputs().to_vec();
    let merged = write(state, key, merge).await?;
    let bytes = merged.bytes();
    state.staged_bytes.fetch_add(bytes, Ordering::Relaxed);
    let outcome = finish(state, key, &inputs, &merged, tombstones).await;
    state.staged_bytes.fetch_sub(bytes, Ordering::Relaxed);
    if let Err(error) = upload::clean(state, [&merged]).await {
        // They take space until the next start; nothing else depends on them.
        tracing::warn!(%error, "staged files of a merge stay");
    }
    outcome.map(|()| merged)
}

/// Writes the merged segment into the staging folder.
async fn write(state: &State, key: &Key, merge: Merge) -> Result<SegmentMeta> {
    let id = segment_id(state);
    let metas = || merge.inputs().iter().map(|segment| &segment.meta);
    let level = metas().map(|meta| meta.level).max().unwrap_or(0) + 1;
    let identity = Identity {
        id,
        tenant: key.0.clone(),
        signal: key.1,
        level,
        wal: wal_ranges(metas(), &beside(state, key, merge.inputs())),
        replaces: replaces(state, key, merge.inputs()),
        siblings: vec![id],
    };
    let target = Target {
        world: state.world.clone(),
        root: state.staging_directory(),
        row_group_rows: state.config.row_group_rows,
        compression_level: COMPRESSION_LEVEL,
    };
    let field_ids = field_ids(state, merge.promoted()).await?;
    // Its folder must not be swept between its making and its first file.
    let folders = state.staging_folders.read().await;
    let written = merge.write(identity, target, field_ids);
    let written = state.world.aside(written).await??;
    drop(folders);
    keep_footers(state, &written.meta, written.footers);
    Ok(written.meta)
}

/// The stretches of the log that other live segments of `key` hold.
fn beside(state: &State, key: &Key, inputs: &[Arc<LiveSegment>]) -> Vec<WalRange> {
    let is_input = |id: SegmentId| inputs.iter().any(|input| input.meta.id == id);
    let live = state.buffers.live(key);
    let others = live.iter().filter(|segment| !is_input(segment.meta.id));
    others
        .flat_map(|segment| segment.meta.wal.iter().copied())
        .collect()
}

/// What a rebuild of the catalog has to know as replaced: the inputs, and what they replaced as far as it may still be
/// looked for: its objects are not deleted, or a segment of the same flush is live.
fn replaces(state: &State, key: &Key, inputs: &[Arc<LiveSegment>]) -> Vec<SegmentId> {
    let mut wanted: BTreeSet<SegmentId> = state.retired.lock().ids().collect();
    let live = state.buffers.live(key);
    let flushed = live.iter().filter(|segment| segment.meta.level == 0);
    wanted.extend(flushed.flat_map(|segment| segment.meta.siblings.iter().copied()));
    let replaced = inputs.iter().flat_map(|segment| &segment.meta.replaces);
    let still_wanted = replaced.copied().filter(|id| wanted.contains(id));
    let mut replaces: Vec<SegmentId> = still_wanted.collect();
    replaces.extend(inputs.iter().map(|segment| segment.meta.id));
    replaces.sort_unstable();
    replaces.dedup();
    replaces
}

/// Announces, uploads and commits a merged segment. When this fails nothing of it is live, and what there is of it is
/// deleted by and by.
async fn finish(
    state: &State,
    key: &Key,
    inputs: &[Arc<LiveSegment>],
    merged: &SegmentMeta,
    tombstones: &[Tombstone],
) -> Result<()> {
    claim::confirm(state).await?;
    let announced = async {
        state
            .catalog
            .commit(Commit {
                announce: vec![merged.clone()],
                ..Commit::default()
            })
            .await?;
        bring(state, merged).await?;
        let lanes = state.lanes(key);
        let _lane = lanes.commit.lock().await;
        make_live(state, key, inputs, merged, tombstones).await
    };
    let outcome = announced.await;
    if outcome.is_err() {
        // Also what may not have been announced: the catalog forgets what it does not know.
        state.retired.lock().push(state.monotonic(), merged.clone());
    }
    outcome
}

/// Uploads, a few times.
async fn bring(state: &State, merged: &SegmentMeta) -> Result<()> {
    let mut failures = 0;
    loop {
        let error = match upload::upload(state, [merged]).await {
            Err(error) if failures + 1 < UPLOADS => error,
            other => return other,
        };
        tracing::debug!(%error, "the upload of a merge is tried again");
        let wait = FIRST_BACK_OFF.saturating_mul(1 << failures);
        state.world.clock.sleep(wait).await;
        failures += 1;
    }
}

/// Makes the merged segment live instead of its inputs; `Conflict` when one of them is not live any more. Whoever calls
/// has the commit lane, so that nobody else retires them.
async fn make_live(
    state: &State,
    key: &Key,
    inputs: &[Arc<LiveSegment>],
    merged: &SegmentMeta,
    tombstones: &[Tombstone],
) -> Result<()> {
    let ids: Vec<SegmentId> = inputs.iter().map(|segment| segment.meta.id).collect();
    let live: BTreeSet<SegmentId> = (state.buffers.whole(key).iter())
        .map(|segment| segment.meta.id)
        .collect();
    if !ids.iter().all(|id| live.contains(id)) {
        return Err(Error::Conflict {
            what: "a merge",
            detail: "a segment was retired or found damaged while it was merged".to_string(),
        });
    }
    let commit = Commit {
        replace: ids.clone(),
        forget: vec![merged.id],
        add: vec![merged.clone()],
        events: vec![event(SEGMENT_COMMITTED, merged, state.now())],
        tombstones: tombstones.to_vec(),
        ..Commit::default()
    };
    commit_surely(state, commit, merged.id).await?;
    if !state.buffers.replace(key, &ids, state.live(merged.clone())) {
        let detail = "segments left the view while their merge was committed";
        return Err(Error::Internal(detail.to_string()));
    }
    let due = state.monotonic() + GRACE;
    let mut retired = state.retired.lock();
    for segment in inputs {
        retired.push(due, segment.meta.clone());
    }
    Ok(())
}

/// Commits, and goes on until it is known whether it happened: a reply may be lost, and what is live must not be
/// deleted.
async fn commit_surely(state: &State, commit: Commit, merged: SegmentId) -> Result<()> {
    // Short: flushes of this tenant's signal wait for their turn meanwhile.
    let mut wait = FIRST_COMMIT_WAIT;
    loop {
        let error = match state.catalog.commit(commit.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == Kind::Conflict => match state.catalog.load().await {
                Ok(loaded) if loaded.segments.iter().any(|meta| meta.id == merged) => return Ok(()),
                Ok(_) => return Err(error),
                Err(unknown) => unknown,
            },
            Err(error) => error,
        };
        tracing::warn!(%error, "the commit of a merge is tried again");
        state.world.clock.sleep(wait).await;
        wait = (wait * 2).min(LONGEST_COMMIT_WAIT);
    }
}
