//! Staged segments into the bucket and the catalog: one transaction adds them, moves the flush mark, keeps the digests
//! and writes the integration events.

use super::{
    buffer::{Key, Staged},
    claim,
    health::Part,
    stage::{SHARD, segment_bytes},
    state::{State, subject},
    upload,
};
use crate::{
    catalog::{Commit, Event, FlushMark},
    error::{Error, Kind, Result},
    segment::SegmentMeta,
    signal::Signal,
    telemetry::{FlushLabels, TableLabels},
    time::Nanos,
};
use std::{collections::BTreeSet, sync::atomic::Ordering};

/// The event that says that a segment can be read from the bucket.
pub const SEGMENT_COMMITTED: &str = "cairn.segment.committed.v1";

/// Uploads and commits every staged flush of `key`, in order, until there is none or one fails: that one stays
/// readable where it is, and the next call tries again. Returns how many were committed.
pub(super) async fn commit(state: &State, key: &Key) -> Result<usize> {
    let lanes = state.lanes(key);
    let _lane = lanes.commit.lock().await;
    let mut committed = 0;
    while let Some(staged) = state.buffers.next_staged(key) {
        if let Err(error) = commit_one(state, key, &staged).await {
            tracing::warn!(table = subject(key), %error, "a commit failed, its rows stay staged");
            state.raise(Part::Upload, &subject(key), error.to_string());
            let labels = FlushLabels::new(key.1, "failed", staged.reason);
            state.telemetry.flushes.get_or_create(&labels).inc();
            return Err(error);
        }
        state.problems.clear(Part::Upload, &subject(key));
        committed += 1;
    }
    Ok(committed)
}

async fn commit_one(state: &State, key: &Key, staged: &Staged) -> Result<()> {
    claim::confirm(state).await?;
    let metas: Vec<SegmentMeta> = staged.segments.iter().map(|s| s.meta.clone()).collect();
    upload::upload(state, &metas).await?;
    let commit = Commit {
        events: metas
            .iter()
            .map(|meta| event(SEGMENT_COMMITTED, meta, state.now()))
            .collect(),
        add: metas.clone(),
        flushed_through: marks(state, key, staged),
        digests: staged.digests.clone(),
        forget_digests_before: state.retries.oldest_received(),
        ..Commit::default()
    };
    match state.catalog.commit(commit).await {
        Err(error) if error.kind() == Kind::Conflict => was_committed(state, &metas, error).await?,
        other => other?,
    }
    let live = metas.iter().map(|meta| state.live(meta.clone()));
    state.buffers.commit(key, staged.number, live.collect());
    state
        .staged_bytes
        .fetch_sub(staged.bytes, Ordering::Relaxed);
    if let Err(error) = upload::clean(state, &metas).await {
        // They take space until the next start; nothing else depends on them.
        tracing::warn!(%error, "staged files of a committed flush stay");
    }
    count(state, key, staged);
    Ok(())
}

/// Up to where a commit of `staged` flushes its own signal; and the tenant's dead letters, as far as nothing else of the
/// tenant waits: then a start knows that the frames up to there are done, without decoding them to look for letters.
fn marks(state: &State, key: &Key, staged: &Staged) -> Vec<FlushMark> {
    let mark = |signal, sequence| FlushMark {
        shard: SHARD,
        tenant: key.0.clone(),
        signal,
        sequence,
    };
    let mut marks = vec![mark(key.1, staged.last)];
    if key.1 != Signal::DeadLetters {
        let others = state.buffers.committed_beside(key);
        marks.push(mark(Signal::DeadLetters, staged.last.min(others)));
    }
    marks
}

/// Tells an earlier attempt whose answer was lost from a real conflict.
async fn was_committed(state: &State, metas: &[SegmentMeta], conflict: Error) -> Result<()> {
    let loaded = state.catalog.load().await?;
    let live: BTreeSet<_> = loaded.segments.iter().map(|meta| meta.id).collect();
    if metas.iter().all(|meta| live.contains(&meta.id)) {
        return Ok(());
    }
    Err(conflict)
}

/// An integration event of this kind about a segment.
pub(super) fn event(kind: &str, meta: &SegmentMeta, time: Nanos) -> Event {
    let bytes: u64 = meta
        .objects
        .iter()
        .map(|object| object.file.size_bytes)
        .sum();
    let body = serde_json::json!({
        "segment": meta.id,
        "signal": meta.signal,
        "level": meta.level,
        "rows": meta.rows,
        "bytes": bytes,
        "min_time": meta.time.min,
        "max_time": meta.time.max,
    });
    Event {
        kind: kind.to_string(),
        tenant: meta.tenant.clone(),
        time,
        body: body.to_string(),
    }
}

fn count(state: &State, key: &Key, staged: &Staged) {
    let telemetry = &state.telemetry;
    let labels = TableLabels::new(&key.0, key.1);
    let rows = staged
        .segments
        .iter()
        .map(|segment| segment.meta.rows)
        .sum();
    let bytes = staged
        .segments
        .iter()
        .map(|segment| segment_bytes(segment))
        .sum();
    telemetry.segment_rows.get_or_create(&labels).inc_by(rows);
    telemetry.segment_bytes.get_or_create(&labels).inc_by(bytes);
    let flush = FlushLabels::new(key.1, "committed", staged.reason);
    telemetry.flushes.get_or_create(&flush).inc();
    let took = state.monotonic().saturating_sub(staged.since);
    telemetry.flush_seconds.observe(took.as_secs_f64());
    tracing::debug!(
        table = subject(key),
        reason = staged.reason,
        segments = staged.segments.len(),
        rows,
        bytes,
        "flushed"
    );
}

#[cfg(test)]
mod tests;
