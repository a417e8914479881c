//! Makes deletions so, in the background: afterwards no byte of their rows is left that this server wrote.
//!
//! 1. What is buffered of the tenant's signal is flushed, and each segment that has rows to delete is written anew without
//!    them (`rewrite`), as a merge is.
//! 2. The files of the log that hold requests up to the sequence go: others are flushed for that (`log`).
//! 3. Objects of segments that are no longer live go when no query can be reading them, as always: ten minutes. What a
//!    crash left in the bucket goes too (`strays`), and what could not be removed from the staging folder (`staged`); the cache
//!    on disk begins anew.
//! 4. The tombstone forgets what it deleted, in the bucket and in the catalog, the catalog is scrubbed, and the tombstone is done.
//!
//! Each step can be repeated. What it waits for longer than [`DEADLINE`] is a problem in health.

mod log;
mod rewrite;
mod staged;
mod strays;

use super::{
    append::Cargo,
    backup,
    buffer::Key,
    compact::Running,
    delete::keys,
    deletion_events::{DELETION_COMPLETED, event},
    health::Part,
    retire,
    state::{State, subject},
    tombstone_files,
};
use crate::{
    catalog::{Commit, Event},
    deletion::{Owners, Tombstone},
    error::{Error, Result},
    id::TombstoneId,
    wal::writer::Wal,
};
use std::{io, time::Duration};

/// A deletion that is not done after this is reported. It takes seconds to minutes, and the grace of retired segments.
const DEADLINE: Duration = Duration::from_secs(3_600);

/// Whether there is something for [`pass`] to do.
pub(super) fn is_due(state: &State) -> bool {
    state.tombstones.lock().is_due(state.monotonic())
}

/// Takes every deletion as far as it comes; returns how many are not done.
pub(super) async fn pass(state: &State, wal: &Wal<Cargo>) -> Result<usize> {
    // A merge that runs would bring back what is taken out.
    let Some(_running) = Running::begin(state) else {
        return Ok(state.tombstones.lock().unfinished(state.monotonic()).len());
    };
    let unfinished = state.tombstones.lock().unfinished(state.monotonic());
    let (mut left, mut failed) = (0, None);
    for (id, age) in unfinished {
        let outcome = erase(state, wal, id).await;
        let name = id.to_string();
        let waits_for = match outcome {
            Ok(None) => {
                state.problems.clear(Part::Deletion, &name);
                continue;
            }
            Ok(Some(waits_for)) => waits_for.to_string(),
            Err(error) => {
                tracing::warn!(%id, %error, "a deletion comes no further for now");
                let detail = error.to_string();
                failed = Some(error);
                detail
            }
        };
        left += 1;
        if age > DEADLINE {
            let detail = format!("not done after {} s: {waits_for}", age.as_secs());
            state.raise(Part::Deletion, &name, detail);
        }
    }
    state.telemetry.tombstones.set(left as i64);
    let mut tombstones = state.tombstones.lock();
    match failed {
        Some(error) => {
            tombstones.failed(state.monotonic());
            Err(error)
        }
        None => {
            tombstones.succeeded(state.monotonic());
            Ok(left)
        }
    }
}

/// Takes one deletion as far as it comes; returns what it waits for, if it is not done.
async fn erase(state: &State, wal: &Wal<Cargo>, id: TombstoneId) -> Result<Option<&'static str>> {
    let Some(mut tombstone) = current(state, id) else {
        return Ok(None);
    };
    if tombstone.active().is_some() {
        let keys = keys(&(tombstone.tenant.clone(), tombstone.signal));
        for key in &keys {
            rewrite::all(state, wal, &tombstone, key).await?;
        }
        if !log::release(state, wal, &tombstone).await? {
            return Ok(Some("requests of it are in the write-ahead log"));
        }
        if retire::is_due(state) {
            retire::delete(state).await;
        }
        let holds = |key: &Key| state.retired.lock().holds(key, tombstone.sequence);
        if keys.iter().any(holds) {
            return Ok(Some("queries may be reading segments that had rows of it"));
        }
        strays::remove_documents(state, &tombstone.tenant).await?;
        let mut left = set_aside(state).await?;
        for key in &keys {
            left.extend(strays::remove(state, &tombstone, key).await?);
            staged::remove(state, key).await?;
        }
        if let Some(blocks) = state.readers.blocks()
            && !blocks.renew().await?
        {
            return Ok(Some("the cache on disk is being opened"));
        }
        // Counts may have grown meanwhile.
        tombstone = current(state, id).unwrap_or(tombstone);
        tombstone.left = left;
        tombstone.predicate = None;
        tombstone.owners = Owners::default();
        tombstone_files::put(&*state.bucket, &tombstone).await?;
        put(state, &tombstone, Vec::new()).await?;
    }
    state.catalog.scrub().await?;
    backup::only_now(state).await?;
    tombstone.completed = Some(state.now());
    tombstone_files::put(&*state.bucket, &tombstone).await?;
    let completed = event(DELETION_COMPLETED, &tombstone, state.now());
    put(state, &tombstone, vec![completed]).await?;
    tracing::info!(
        id = %tombstone.id,
        table = subject(&(tombstone.tenant.clone(), tombstone.signal)),
        by = tombstone.requested_by,
        deleted = ?tombstone.deleted,
        left = ?tombstone.left,
        "a deletion is done"
    );
    Ok(None)
}

fn current(state: &State, id: TombstoneId) -> Option<Tombstone> {
    let tombstone = state.tombstones.lock().get(id)?;
    Some(Tombstone::clone(&tombstone))
}

/// Makes the tombstone durable as it is, and these events with it.
async fn put(state: &State, tombstone: &Tombstone, events: Vec<Event>) -> Result<()> {
    let commit = Commit {
        tombstones: vec![tombstone.clone()],
        // Answers may say what was wrong with a record.
        forget_digests_before: state.retries.oldest_received(),
        events,
        ..Commit::default()
    };
    state.catalog.commit(commit).await?;
    state
        .tombstones
        .lock()
        .put(tombstone.clone(), state.monotonic());
    Ok(())
}

/// Files that were set aside because they were damaged: nobody knows what is in them.
async fn set_aside(state: &State) -> Result<Vec<String>> {
    let (world, folder) = (state.world.clone(), state.config.data_dir.clone());
    let list = move || {
        let mut left = Vec::new();
        for (name, begins) in [("", "catalog.sqlite.damaged-"), ("wal/damaged", "")] {
            let path = folder.join(name);
            let names = match world.disk.list(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                names => names.map_err(|source| Error::Disk {
                    doing: "looking for files that were set aside in",
                    path: path.clone(),
                    source,
                })?,
            };
            let names = names.iter().filter(|file| file.starts_with(begins));
            left.extend(names.map(|file| path.join(file).display().to_string()));
        }
        Ok(left)
    };
    state.world.blocking(list).await?
}
