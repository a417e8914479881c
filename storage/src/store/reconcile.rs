//! The look at the bucket of a store that runs: once a day, and when somebody asks.

use super::{
    looked::Orphans,
    orphans::{self, Listed},
    state::State,
};
use crate::{
    error::Result, id::SegmentId, segment::SegmentMeta, signal::Table, snapshot::LiveSegment,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(86_400);

/// From the start to the first look, and from a failed look to the next.
const FIRST_WAIT: Duration = Duration::from_secs(900);

/// What the reason of a missing object says.
const MISSING: &str = "it is not in the bucket";

/// Whether it is time for the [`daily`] look.
pub(super) fn is_due(state: &State) -> bool {
    let now = state.monotonic();
    let mut reconciling = state.reconciling.lock();
    *reconciling.next.get_or_insert(now + FIRST_WAIT) <= now
}

/// Looks, and says in the log what did not work.
pub(super) async fn daily(state: &State) {
    if let Err(error) = look(state).await {
        tracing::warn!(%error, "the bucket was not held against the catalog");
        let next = state.monotonic() + FIRST_WAIT;
        state.reconciling.lock().next = Some(next);
    }
}

/// Holds the bucket against the catalog: counts orphans, and reports objects that are missing.
pub(super) async fn look(state: &State) -> Result<Orphans> {
    let segments = state.buffers.segments();
    let (staged, live): (Vec<_>, Vec<_>) = segments.iter().partition(|segment| segment.staged);
    let mut others: BTreeSet<SegmentId> = staged.iter().map(|segment| segment.meta.id).collect();
    others.extend(state.retired.lock().ids());
    let metas: Vec<&SegmentMeta> = live.iter().map(|segment| &segment.meta).collect();
    let listed = orphans::list(&*state.bucket, &metas, &others, state.now(), |_| {}).await?;
    let Listed {
        mut orphans,
        unseen,
    } = listed;
    for (id, path) in unseen {
        if !is_live(state, id) || !orphans::is_missing(&*state.bucket, &path).await? {
            continue;
        }
        // It may have been retired and deleted while the bucket was asked.
        if let Some(segment) = live_segment(state, id) {
            orphans.missing_objects += 1;
            report(state, &segment.meta, &path);
        }
    }
    state.telemetry.orphan_objects.set(orphans.objects as i64);
    state.telemetry.orphan_bytes.set(orphans.bytes as i64);
    if orphans.objects > 0 {
        tracing::info!(
            objects = orphans.objects,
            bytes = orphans.bytes,
            "orphans in the bucket"
        );
    }
    let mut reconciling = state.reconciling.lock();
    reconciling.next = Some(state.monotonic() + INTERVAL);
    reconciling.last = Some(orphans);
    Ok(orphans)
}

fn is_live(state: &State, id: SegmentId) -> bool {
    live_segment(state, id).is_some()
}

fn live_segment(state: &State, id: SegmentId) -> Option<Arc<LiveSegment>> {
    let segments = state.buffers.segments();
    segments.into_iter().find(|segment| segment.meta.id == id)
}

fn report(state: &State, meta: &SegmentMeta, path: &str) {
    let object = meta.objects.iter().find(|object| object.file.path == path);
    let table: Option<Table> = object.map(|object| object.table);
    match table {
        Some(table) => state.report_damage(meta.id, table, MISSING),
        None => state.report_index_damage(meta.id, MISSING),
    }
}
