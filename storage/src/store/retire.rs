//! Out of the set of live segments, for good: by the bound of the dead letters (`evict`) and by retention (`expire`).
//!
//! In three steps, each of which can be repeated: the catalog marks the segments as retired and they leave the
//! snapshots, their objects are deleted when no query can be reading them any more, and then the catalog forgets them.
//! What a process does not get to, the next one finds in the catalog; what a lost catalog does not say any more, a
//! rebuild derives from the bound again, or the next pass of `expire` from the times.

use super::{
    buffer::Key,
    claim,
    commit::event,
    health::Part,
    state::{State, index_subject, subject},
};
use crate::{
    catalog::Commit,
    error::{Error, Kind, Result},
    id::SegmentId,
    segment::SegmentMeta,
};
use futures::StreamExt;
use object_store::{ObjectStoreExt, path::Path};
use std::{collections::BTreeSet, time::Duration};

/// How long the objects of a retired segment stay: longer than any query runs.
pub(super) const GRACE: Duration = Duration::from_secs(600);

/// A deletion that takes longer is given up and tried again.
const DELETE_TIMEOUT: Duration = Duration::from_secs(60);

/// Tenants' signals whose objects are deleted at the same time.
const MAX_DELETING: usize = 4;

/// Retires live segments of `key`, with an integration event of this kind for each. The caller has the commit lane of
/// `key`, so that nobody replaces them meanwhile.
pub(super) async fn retire(
    state: &State,
    key: &Key,
    mut segments: Vec<SegmentMeta>,
    event_kind: Option<&str>,
) -> Result<()> {
    sort(&mut segments);
    commit(state, &segments, event_kind).await?;
    let ids: Vec<SegmentId> = segments.iter().map(|meta| meta.id).collect();
    state.buffers.remove(key, &ids);
    // What is not there any more cannot be damaged.
    for meta in &segments {
        for object in &meta.objects {
            let damaged = format!("{}.{}", meta.id, object.table);
            state.problems.clear(Part::Segment, &damaged);
        }
        state.problems.clear(Part::Segment, &index_subject(meta.id));
    }
    let missing = state.buffers.missing() as i64;
    state.telemetry.segments_missing.set(missing);
    let due = state.monotonic() + GRACE;
    let mut retired = state.retired.lock();
    for meta in segments {
        retired.push(due, meta);
    }
    Ok(())
}

/// Marks segments as retired, as far as an earlier attempt whose answer was lost has not.
async fn commit(state: &State, segments: &[SegmentMeta], event_kind: Option<&str>) -> Result<()> {
    let commit = |segments: &[&SegmentMeta]| {
        let events = segments.iter().filter_map(|meta| {
            let kind = event_kind?;
            Some(event(kind, meta, state.now()))
        });
        state.catalog.commit(Commit {
            replace: segments.iter().map(|meta| meta.id).collect(),
            events: events.collect(),
            ..Commit::default()
        })
    };
    let all: Vec<&SegmentMeta> = segments.iter().collect();
    let conflict = match commit(&all).await {
        Err(error) if error.kind() == Kind::Conflict => error,
        other => return other,
    };
    let loaded = state.catalog.load().await?;
    let live: BTreeSet<SegmentId> = loaded.segments.iter().map(|meta| meta.id).collect();
    let mut rest = all.clone();
    rest.retain(|meta| live.contains(&meta.id));
    match rest.len() {
        0 => Ok(()),
        some if some == all.len() => Err(conflict),
        _ => commit(&rest).await,
    }
}

/// In the order of their deletion: the oldest first, and what a compaction replaced before what it made.
fn sort(segments: &mut [SegmentMeta]) {
    segments.sort_by_key(|meta| (meta.last_sequence(), meta.level, meta.id));
}

/// Takes in what a process before this one retired and did not delete: no query of it runs any more.
pub(super) fn resume(state: &State, mut segments: Vec<SegmentMeta>) {
    sort(&mut segments);
    let mut retired = state.retired.lock();
    for meta in segments {
        retired.push(Duration::ZERO, meta);
    }
}

/// Whether there is something for [`delete`] to do.
pub(super) fn is_due(state: &State) -> bool {
    !state.retired.lock().due(state.monotonic()).is_empty()
}

/// Deletes the objects of retired segments whose grace is over: of each tenant's signal until none is left or one fails.
pub(super) async fn delete(state: &State) {
    let _deleting = state.deleting.lock().await;
    let keys = state.retired.lock().due(state.monotonic());
    let deletions = futures::stream::iter(keys);
    deletions
        .for_each_concurrent(
            MAX_DELETING,
            |key| async move { delete_of(state, &key).await },
        )
        .await;
}

async fn delete_of(state: &State, key: &Key) {
    let problem = format!("deletion of {}", subject(key));
    loop {
        let next = state.retired.lock().next(key, state.monotonic());
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
                state.retired.lock().deleted(key);
                state.problems.clear(Part::Bucket, &problem);
            }
            Err(error) => {
                tracing::warn!(segment = %segment.id, %error, "a retired segment cannot be deleted");
                let detail = format!("segment {} cannot be deleted: {error}", segment.id);
                state.raise(Part::Bucket, &problem, detail);
                state.retired.lock().failed(key, state.monotonic());
                return;
            }
        }
    }
}

async fn delete_one(state: &State, segment: &SegmentMeta) -> Result<()> {
    claim::confirm(state).await?;
    for file in segment.files() {
        let path = Path::parse(&file.path).map_err(|e| Error::Internal(e.to_string()))?;
        match state.bucket.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => {
                return Err(Error::Objects {
                    doing: "deleting an object of a retired segment",
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
