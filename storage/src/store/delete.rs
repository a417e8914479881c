//! Accepts a deletion: from then on its rows are in no view, and the background (`erase`) makes that so everywhere.
//!
//! 1. Of spans, the row ids of all that meet the predicate are looked for: their events and links go by them.
//! 2. Nothing of the tenant's signal is staged meanwhile, so that a segment that is written later has no row of it.
//! 3. A document goes to the bucket, then one commit to the catalog: it is accepted.
//! 4. Buffered rows are taken out of memory. Those in segments are left out of what is read (`kept`).
//!
//! It runs to its end whether or not somebody waits for it.

use super::{
    buffer::Key,
    claim,
    deletion_events::{DELETION_ACCEPTED, event},
    kept,
    state::{State, subject},
    tombstone_files,
};
use crate::{
    buffered::BufferedRequest,
    catalog::Commit,
    deletion::{Owners, Predicate, Tombstone, find, owners::MAX_OWNERS, purge::purge},
    error::{Error, Result},
    id::{TenantId, TombstoneId},
    signal::{Signal, Table},
    time::Nanos,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use ulid::Ulid;

/// Deletions of one tenant that are not done: each is held against every row that is read.
const MAX_ACTIVE: usize = 64;

/// Between two attempts to learn whether the catalog has it.
const COMMIT_WAIT: Duration = Duration::from_millis(200);

/// See [`super::Store::delete`].
pub(super) async fn delete(
    state: &Arc<State>,
    key: Key,
    predicate: Predicate,
    by: &str,
) -> Result<Tombstone> {
    let predicate = predicate.normal(key.1)?;
    let (state, by) = (state.clone(), by.to_string());
    let accepting = tokio::spawn(async move { accept(&state, key, predicate, by).await });
    accepting
        .await
        .map_err(|e| Error::Internal(format!("accepting a deletion: {e}")))?
}

async fn accept(state: &State, key: Key, predicate: Predicate, by: String) -> Result<Tombstone> {
    check_room(state, &key.0)?;
    claim::confirm(state).await?;
    let spans = match key.1 {
        Signal::Spans => Some(find_spans(state, &key, &predicate).await?),
        _ => None,
    };
    let keys = keys(&key);
    let lanes = keys.iter().map(|key| state.lanes(key)).collect::<Vec<_>>();
    let mut staging = Vec::new();
    for lane in &lanes {
        staging.push(lane.stage.lock().await);
    }
    let (sequence, owners) = spans.unwrap_or((state.buffers.sequence(), Owners::default()));
    let mut tombstone = Tombstone {
        id: new_id(state),
        tenant: key.0.clone(),
        signal: key.1,
        sequence,
        accepted: state.now(),
        requested_by: by,
        completed: None,
        predicate_sha256: predicate.sha256(),
        predicate: Some(predicate),
        owners,
        deleted: BTreeMap::new(),
        left: Vec::new(),
    };
    let purged = purged(state, &keys, &mut tombstone).await?;
    state.tombstones.lock().begin(tombstone.id);
    let durable = make_durable(state, &tombstone).await;
    let mut tombstones = state.tombstones.lock();
    tombstones.end(tombstone.id);
    durable?;
    tombstones.put(tombstone.clone(), state.monotonic());
    drop(tombstones);
    for (key, requests) in purged {
        state.buffers.swap(&key, requests);
    }
    drop(staging);
    count(state, &tombstone.tenant, &tombstone.deleted);
    tracing::info!(
        id = %tombstone.id,
        table = subject(&key),
        sequence,
        by = tombstone.requested_by,
        predicate_sha256 = tombstone.predicate_sha256,
        "a deletion is accepted"
    );
    state.wake.notify_one();
    Ok(tombstone)
}

/// The tenant's signals that a deletion of `key` concerns, always in this order.
pub(super) fn keys(key: &Key) -> Vec<Key> {
    let mut keys = vec![key.clone()];
    if key.1 != Signal::DeadLetters {
        keys.push((key.0.clone(), Signal::DeadLetters));
    }
    keys
}

/// Counts rows that were deleted.
pub(super) fn count(state: &State, tenant: &TenantId, deleted: &BTreeMap<Table, u64>) {
    for (table, rows) in deleted {
        let labels = crate::telemetry::TableLabels::new(tenant, table.signal());
        state
            .telemetry
            .deleted_rows
            .get_or_create(&labels)
            .inc_by(*rows);
    }
}

fn check_room(state: &State, tenant: &TenantId) -> Result<()> {
    if state.closing.load(Ordering::Relaxed) {
        return Err(Error::Unavailable {
            what: "the store",
            detail: "it is closing".to_string(),
        });
    }
    let all = state.tombstones.lock().of_tenant(tenant);
    let active = all.iter().filter(|t| t.completed.is_none()).count();
    if active >= MAX_ACTIVE {
        return Err(Error::Limited {
            what: "deletions",
            detail: format!("{active} of this tenant are not done: try again when some are"),
        });
    }
    Ok(())
}

/// The spans that meet the predicate, and up to which request.
async fn find_spans(state: &State, key: &Key, predicate: &Predicate) -> Result<(u64, Owners)> {
    let snapshot = state.buffers.snapshot(key, state.now());
    let mut found = Vec::new();
    for request in &snapshot.buffered {
        if let Some(batch) = request.batch(Table::Spans) {
            let seat = (request.epoch, request.sequence);
            found.extend(find::spans_in_batch(predicate, batch, seat)?);
        }
    }
    for segment in &snapshot.segments {
        let (sequence, reading) = (snapshot.sequence, kept::reading(state));
        let (predicate, segment) = (predicate.clone(), segment.clone());
        let work =
            async move { find::spans_in_segment(&predicate, sequence, &segment, &reading).await };
        found.extend(state.world.aside(work).await??);
        if found.len() > MAX_OWNERS {
            return Err(Error::Limited {
                what: "the spans of one deletion",
                detail: format!(
                    "it would delete more than {MAX_OWNERS}: narrow its range of time and delete in several steps"
                ),
            });
        }
    }
    Ok((snapshot.sequence, Owners::new(found)))
}

/// The buffered requests that lose rows, as they are without them; counts those.
async fn purged(
    state: &State,
    keys: &[Key],
    tombstone: &mut Tombstone,
) -> Result<Vec<(Key, Vec<Arc<BufferedRequest>>)>> {
    let mut purged = Vec::new();
    for key in keys {
        let buffered = state.buffers.unstaged(key);
        let (signal, of) = (key.1, tombstone.clone());
        let work = move || {
            let requests = buffered.iter().map(|request| purge(&of, signal, request));
            requests.collect::<Result<Vec<_>>>()
        };
        let mut requests = Vec::new();
        for (request, counts) in state.world.blocking(work).await??.into_iter().flatten() {
            tombstone.count(&counts);
            requests.push(Arc::new(request));
        }
        purged.push((key.clone(), requests));
    }
    Ok(purged)
}

/// The document, then the commit.
async fn make_durable(state: &State, tombstone: &Tombstone) -> Result<()> {
    let written = tombstone_files::put(&*state.bucket, tombstone).await;
    if written.is_err() {
        // Its reply may have been lost.
        take_back(state, tombstone).await;
    }
    written?;
    commit(state, tombstone).await
}

/// Removes the document of what was not accepted. Where that fails, the end of the tenant's next deletion removes it.
async fn take_back(state: &State, tombstone: &Tombstone) {
    if let Err(error) = tombstone_files::remove(&*state.bucket, tombstone).await {
        tracing::warn!(id = %tombstone.id, %error, "the document of a refused deletion stays for now: a rebuild would take it for accepted");
    }
}

/// Commits, and goes on until it is known whether it happened: rows must not be in some views and not in others.
async fn commit(state: &State, tombstone: &Tombstone) -> Result<()> {
    loop {
        let commit = Commit {
            tombstones: vec![tombstone.clone()],
            events: vec![event(DELETION_ACCEPTED, tombstone, tombstone.accepted)],
            ..Commit::default()
        };
        let Err(error) = state.catalog.commit(commit).await else {
            return Ok(());
        };
        match state.catalog.load().await {
            Ok(loaded) if loaded.tombstones.iter().any(|t| t.id == tombstone.id) => return Ok(()),
            Ok(_) => {
                take_back(state, tombstone).await;
                return Err(error);
            }
            Err(_) if state.closing.load(Ordering::Relaxed) => return Err(error),
            Err(_) => state.world.clock.sleep(COMMIT_WAIT).await,
        }
    }
}

fn new_id(state: &State) -> TombstoneId {
    let Nanos(nanos) = state.now();
    let random = &state.world.random;
    let random = u128::from(random.next()) << 64 | u128::from(random.next());
    TombstoneId(Ulid::from_parts(nanos.max(0) as u64 / 1_000_000, random))
}
