//! Which rows of a segment stay, while deletions that concern it are not done.

use super::state::State;
use crate::{
    deletion::{
        Tombstone,
        find::{self, Removed},
    },
    error::Result,
    segment::{LiveSegment, merge::Reading, read::ReadCounters},
    signal::Table,
};
use arrow::buffer::BooleanBuffer;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What segments are read with in the background.
pub(super) fn reading(state: &State) -> Reading {
    Reading {
        cache: state.readers.clone(),
        counters: Arc::new(ReadCounters::default()),
        memory_bytes: state.config.compaction_memory_bytes,
        runtime: Some(Handle::current()),
    }
}

/// Who looks for rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// A query, on a thread of its own choice.
    Query,
    /// The background, on a thread that stands back.
    Background,
}

/// The rows of `segment` that a tombstone deletes; nothing where none may. Remembered, so that a segment is looked through
/// once.
pub(super) async fn removed(
    state: &State,
    tombstone: &Arc<Tombstone>,
    segment: &LiveSegment,
    who: Who,
) -> Result<Arc<Removed>> {
    let id = segment.meta.id;
    {
        let tombstones = state.tombstones.lock();
        if !tombstones.is_pending(tombstone, &segment.meta) {
            return Ok(Arc::default());
        }
        if let Some(found) = tombstones.found(tombstone.id, id) {
            return Ok(found);
        }
    }
    let found = match who {
        Who::Query => find::in_segment(tombstone, segment, &reading(state)).await?,
        Who::Background => {
            let (tombstone, segment) = (tombstone.clone(), segment.clone());
            let reading = reading(state);
            let work = async move { find::in_segment(&tombstone, &segment, &reading).await };
            state.world.aside(work).await??
        }
    };
    let found = Arc::new(found);
    let mut tombstones = state.tombstones.lock();
    match found.is_empty() {
        true => tombstones.set_clean(tombstone.id, id),
        false => tombstones.note_found(tombstone.id, id, &found),
    }
    Ok(found)
}

/// The rows of `table` in `segment` that stay, one bit a row in the order of the file; `None` where all do.
pub(super) async fn kept(
    state: &State,
    tombstones: &[Arc<Tombstone>],
    segment: &LiveSegment,
    table: Table,
) -> Result<Option<BooleanBuffer>> {
    let mut gone: Option<BooleanBuffer> = None;
    for tombstone in tombstones {
        let removed = removed(state, tombstone, segment, Who::Query).await?;
        if let Some(mask) = removed.get(&table) {
            gone = Some(match gone {
                Some(gone) => &gone | mask,
                None => mask.clone(),
            });
        }
    }
    Ok(gone.map(|gone| !&gone))
}
