//! Flushes on demand, and what follows a commit: eviction, removal of log files and of empty folders.

use super::{append::Cargo, buffer::Key, commit, evict, stage, state::State, upload};
use crate::{error::Result, signal::Signal, wal::writer::Wal};
use futures::StreamExt;
use std::sync::atomic::Ordering;

/// Buffers that are encoded at the same time: each takes a processor.
pub(super) const MAX_STAGING: usize = 2;

/// Commits what is staged of `key`, and removes what that makes needless.
pub(super) async fn commit_and_trim(state: &State, wal: &Wal<Cargo>, key: &Key) -> Result<()> {
    if commit::commit(state, key).await? > 0 {
        state.compacting.lock().changed(key);
    }
    if key.1 == Signal::DeadLetters {
        evict::evict(state, &key.0).await?;
    }
    trim(state, wal).await;
    Ok(())
}

/// Removes the files of the log whose every frame is in committed segments.
pub(super) async fn trim(state: &State, wal: &Wal<Cargo>) {
    let flushed = state.buffers.flushed();
    let retired = wal
        .retire(|tenant, signal| flushed.through(tenant, signal))
        .await;
    state.wal_bytes.store(wal.bytes(), Ordering::Relaxed);
    if let Err(error) = retired {
        tracing::warn!(%error, "files of the write-ahead log cannot be removed");
    }
}

/// Removes the folders that staged files have left.
pub(super) async fn sweep(state: &State) {
    if let Err(error) = upload::sweep(state).await {
        // The next start clears the whole folder.
        tracing::warn!(%error, "empty folders of staged files stay");
    }
}

/// Flushes everything that is buffered now; the first error, after all was tried.
pub(super) async fn flush_all(state: &State, wal: &Wal<Cargo>, reason: &'static str) -> Result<()> {
    let keys: Vec<Key> = state
        .buffers
        .uncommitted()
        .into_iter()
        .map(|open| open.key)
        .collect();
    let flushes = keys.into_iter().map(|key| flush(state, wal, key, reason));
    let outcomes: Vec<Result<()>> = futures::stream::iter(flushes)
        .buffer_unordered(MAX_STAGING)
        .collect()
        .await;
    trim(state, wal).await;
    sweep(state).await;
    outcomes.into_iter().collect()
}

/// Flushes what is buffered of `key` now, and returns when it is committed.
pub(super) async fn flush(
    state: &State,
    wal: &Wal<Cargo>,
    key: Key,
    reason: &'static str,
) -> Result<()> {
    // Earlier flushes of it may be frozen still; what is open now comes after them.
    for _ in 0..=state.buffers.frozen(&key) {
        stage::stage(state, &key, reason).await?;
    }
    commit_and_trim(state, wal, &key).await
}
