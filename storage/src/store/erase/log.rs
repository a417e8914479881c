//! Has the files of the write-ahead log go that hold requests which a deletion concerns.

use crate::{
    deletion::Tombstone,
    error::Result,
    signal::Signal,
    store::{append::Cargo, buffer::Key, drain, state::State},
    wal::{replay::FileSummary, writer::Wal},
};

/// Flushes whatever keeps such files, and removes them; whether all are gone.
pub(super) async fn release(
    state: &State,
    wal: &Wal<Cargo>,
    tombstone: &Tombstone,
) -> Result<bool> {
    let mut held = wal.files();
    held.retain(|file| holds(file, tombstone));
    if held.is_empty() {
        return Ok(true);
    }
    if held.iter().any(|file| file.open) {
        wal.rotate();
    }
    let lasts = held.iter().flat_map(|file| file.last.values());
    let through = lasts.max().copied().unwrap_or(0);
    let open = state.buffers.uncommitted().into_iter();
    let keys: Vec<Key> = open
        .filter(|open| open.first_uncommitted <= through)
        .map(|open| open.key)
        .collect();
    for key in keys {
        drain::flush(state, wal, key, "deletion").await?;
    }
    drain::trim(state, wal).await;
    Ok(!wal.files().iter().any(|file| holds(file, tombstone)))
}

/// Whether a file may hold a request that the deletion concerns. Letters come of the requests of every signal.
fn holds(file: &FileSummary, tombstone: &Tombstone) -> bool {
    // What stands in such a file beside the frames that are known, nobody can tell.
    let is_unclear = file.abandoned || file.damaged;
    let concerns = file.last.keys().any(|(tenant, signal)| {
        let signals = tombstone.signal == Signal::DeadLetters || tombstone.signal == *signal;
        *tenant == tombstone.tenant && signals
    });
    let reaches = file
        .first
        .map_or(is_unclear, |first| first <= tombstone.sequence);
    reaches && (concerns || is_unclear)
}
