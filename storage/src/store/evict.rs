//! The bound of `dead_letters`: over a tenant's bytes the oldest segments go, counted; their objects are deleted when
//! no query can be reading them any more.

use super::{stage::segment_bytes, state::State};
use crate::{
    catalog::Commit,
    error::Result,
    id::{SegmentId, TenantId},
    signal::Signal,
    snapshot::LiveSegment,
    telemetry::TenantLabels,
};
use object_store::{ObjectStoreExt, path::Path};
use std::{sync::Arc, time::Duration};

/// How long the objects of an evicted segment stay: longer than any query runs.
const GRACE: Duration = Duration::from_secs(600);

/// Evicts the oldest dead letters of `tenant` that are over its bytes.
pub(super) async fn evict(state: &State, tenant: &TenantId) -> Result<()> {
    let key = (tenant.clone(), Signal::DeadLetters);
    let lanes = state.lanes(&key);
    let _lane = lanes.commit.lock().await;
    let evicted = over(state.buffers.live(&key), state.config.dead_letter_bytes);
    if evicted.is_empty() {
        return Ok(());
    }
    let ids: Vec<SegmentId> = evicted.iter().map(|segment| segment.meta.id).collect();
    let commit = Commit {
        replace: ids.clone(),
        ..Commit::default()
    };
    state.catalog.commit(commit).await?;
    state.buffers.remove(&key, &ids);
    let rows = evicted.iter().map(|segment| segment.meta.rows).sum();
    let labels = TenantLabels::new(tenant);
    state
        .telemetry
        .dead_letters_evicted_records
        .get_or_create(&labels)
        .inc_by(rows);
    let due = state.monotonic() + GRACE;
    let mut doomed = state.doomed.lock();
    for segment in &evicted {
        let objects = segment.meta.objects.iter().map(|object| &object.file);
        let files = objects.chain(&segment.meta.index);
        doomed.extend(files.filter_map(|file| Some((due, Path::parse(&file.path).ok()?))));
    }
    Ok(())
}

/// The oldest of `segments` (newest first) that do not fit into `limit_bytes`. The newest one always stays.
fn over(segments: Vec<Arc<LiveSegment>>, limit_bytes: u64) -> Vec<Arc<LiveSegment>> {
    let mut held = 0;
    let mut position = 0;
    let fits = |segment: &Arc<LiveSegment>| {
        held += segment_bytes(segment);
        position += 1;
        held <= limit_bytes || position == 1
    };
    segments.into_iter().skip_while(fits).collect()
}

/// Deletes objects whose grace is over. What cannot be deleted now is an orphan that `verify` lists.
pub(super) async fn delete_doomed(state: &State) {
    let now = state.monotonic();
    loop {
        let path = {
            let mut doomed = state.doomed.lock();
            match doomed.front() {
                Some((due, _)) if *due <= now => doomed.pop_front().map(|(_, path)| path),
                _ => None,
            }
        };
        let Some(path) = path else {
            return;
        };
        if let Err(error) = state.bucket.delete(&path).await {
            tracing::warn!(%path, %error, "an evicted object cannot be deleted");
        }
    }
}
