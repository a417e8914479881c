//! The bound of `dead_letters`: over a tenant's bytes the oldest flushes go, counted.
//!
//! In three steps, each of which can be repeated: the catalog marks the segments as retired, their objects are deleted
//! when no query can be reading them any more, and then the catalog forgets them. What a process does not get to, the
//! next one finds in the catalog; what a lost catalog does not say any more, a rebuild derives from the bound again.

use super::{bound, claim, health::Part, state::State};
use crate::{
    catalog::Commit,
    error::{Error, Kind, Result},
    id::{SegmentId, TenantId},
    segment::SegmentMeta,
    signal::Signal,
    telemetry::TenantLabels,
};
use object_store::{ObjectStoreExt, path::Path};
use std::{collections::BTreeSet, time::Duration};

/// How long the objects of an evicted segment stay: longer than any query runs.
pub(super) const GRACE: Duration = Duration::from_secs(600);

/// A deletion that takes longer is given up and tried again.
const DELETE_TIMEOUT: Duration = Duration::from_secs(60);

/// Evicts the oldest dead letters of `tenant` that are over its bytes.
pub(super) async fn evict(state: &State, tenant: &TenantId) -> Result<()> {
    let key = (tenant.clone(), Signal::DeadLetters);
    let lanes = state.lanes(&key);
    let _lane = lanes.commit.lock().await;
    let live = state.buffers.live(&key);
    let metas = live.iter().map(|segment| &segment.meta);
    let ids = bound::over(metas.clone(), state.config.dead_letter_bytes);
    if ids.is_empty() {
        return Ok(());
    }
    retire(state, &ids).await?;
    state.buffers.remove(&key, &ids);
    let evicted: Vec<&SegmentMeta> = ids
        .iter()
        .filter_map(|id| metas.clone().find(|meta| meta.id == *id))
        .collect();
    let rows = evicted.iter().map(|meta| meta.rows).sum();
    let labels = TenantLabels::new(tenant);
    state
        .telemetry
        .dead_letters_evicted_records
        .get_or_create(&labels)
        .inc_by(rows);
    let due = state.monotonic() + GRACE;
    let mut retired = state.retired.lock();
    for meta in evicted {
        retired.push(due, meta.clone());
    }
    Ok(())
}

/// Marks segments as retired, as far as an earlier attempt whose answer was lost has not.
async fn retire(state: &State, ids: &[SegmentId]) -> Result<()> {
    let commit = |ids: &[SegmentId]| {
        state.catalog.commit(Commit {
            replace: ids.to_vec(),
            ..Commit::default()
        })
    };
    let conflict = match commit(ids).await {
        Err(error) if error.kind() == Kind::Conflict => error,
        other => return other,
    };
    let loaded = state.catalog.load().await?;
    let retired: BTreeSet<SegmentId> = loaded.retired.iter().map(|meta| meta.id).collect();
    let rest: Vec<SegmentId> = ids
        .iter()
        .copied()
        .filter(|id| !retired.contains(id))
        .collect();
    match rest.len() {
        0 => Ok(()),
        all if all == ids.len() => Err(conflict),
        _ => commit(&rest).await,
    }
}

/// Takes in what a process before this one retired and did not delete: no query of it runs any more.
pub(super) fn resume(state: &State, mut segments: Vec<SegmentMeta>) {
    segments.sort_by_key(|meta| (meta.last_sequence(), meta.level, meta.id));
    let mut retired = state.retired.lock();
    for meta in segments {
        retired.push(Duration::ZERO, meta);
    }
}

/// Whether there is something for [`delete`] to do.
pub(super) fn is_due(state: &State) -> bool {
    state.retired.lock().next(state.monotonic()).is_some()
}

/// Deletes the objects of retired segments whose grace is over, until none is left or one fails.
pub(super) async fn delete(state: &State) {
    loop {
        let next = state.retired.lock().next(state.monotonic());
        let Some(segment) = next else {
            return;
        };
        let deleted = tokio::select! {
            biased;
            deleted = delete_one(state, &segment) => deleted,
            () = state.world.clock.sleep(DELETE_TIMEOUT) => Err(Error::Unavailable {
                what: "the bucket",
                detail: format!("a deletion took more than {} s", DELETE_TIMEOUT.as_secs()),
            }),
        };
        match deleted {
            Ok(()) => {
                state.retired.lock().deleted();
                state.problems.clear(Part::Bucket, SUBJECT);
            }
            Err(error) => {
                tracing::warn!(segment = %segment.id, %error, "an evicted segment cannot be deleted");
                let detail = format!("segment {} cannot be deleted: {error}", segment.id);
                state.raise(Part::Bucket, SUBJECT, detail);
                state.retired.lock().failed(state.monotonic());
            }
        }
    }
}

/// What a failed deletion concerns, in health.
const SUBJECT: &str = "deletion";

async fn delete_one(state: &State, segment: &SegmentMeta) -> Result<()> {
    claim::confirm(state).await?;
    for file in segment.files() {
        let path = Path::parse(&file.path).map_err(|e| Error::Internal(e.to_string()))?;
        match state.bucket.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => {
                return Err(Error::Objects {
                    doing: "deleting an evicted object",
                    source,
                });
            }
        }
    }
    state.readers.forget_segment(segment);
    let forget = Commit {
        forget: vec![segment.id],
        ..Commit::default()
    };
    state.catalog.commit(forget).await
}
