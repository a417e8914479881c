//! Writes segments anew without the rows that are deleted, one by one, through the code of a merge.
//!
//! A rebuild of the catalog has to find something in the place of each segment of a flush. So one that loses all its rows goes
//! into a segment of the same flush; where there is none that keeps a row, nobody asks for it.

use crate::{
    catalog::Commit,
    deletion::Tombstone,
    error::{Error, Result},
    id::SegmentId,
    segment::{
        LiveSegment,
        merge::{Merge, Sifted},
    },
    signal::Table,
    store::{
        append::Cargo,
        buffer::Key,
        compact,
        delete::count,
        drain,
        kept::{self, Who},
        retire,
        state::{State, subject},
    },
    wal::writer::Wal,
};
use arrow::buffer::BooleanBuffer;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What deletions take from one segment.
struct Loss {
    sifted: Sifted,
    /// Each deletion with what it takes.
    tombstones: Vec<Tombstone>,
    /// Rows of all tables that stay.
    rows: u64,
}

/// Writes every segment of `key` anew that has rows which `tombstone` deletes. What is buffered is flushed before, and has
/// none.
pub(super) async fn all(
    state: &State,
    wal: &Wal<Cargo>,
    tombstone: &Tombstone,
    key: &Key,
) -> Result<()> {
    let open = state.buffers.uncommitted();
    let waits = |open: &crate::store::buffer::Open| {
        open.key == *key && open.first_uncommitted <= tombstone.sequence
    };
    if open.iter().any(waits) {
        drain::flush(state, wal, key.clone(), "deletion").await?;
    }
    while let Some(segment) = next(state, tombstone, key)? {
        let loss = loss(state, &segment).await?;
        if loss.sifted.is_empty() {
            continue;
        }
        match loss.rows {
            0 => vanish(state, key, segment, loss).await?,
            _ => write(state, key, vec![segment], loss).await?,
        }
    }
    Ok(())
}

/// The next segment that may have rows of the tombstone.
fn next(state: &State, tombstone: &Tombstone, key: &Key) -> Result<Option<Arc<LiveSegment>>> {
    let tombstones = state.tombstones.lock();
    let live = state.buffers.live(key);
    let mut pending = live
        .iter()
        .filter(|segment| tombstones.is_pending(tombstone, &segment.meta));
    let whole: BTreeSet<SegmentId> = state
        .buffers
        .whole(key)
        .iter()
        .map(|segment| segment.meta.id)
        .collect();
    let Some(first) = pending.clone().next() else {
        return Ok(None);
    };
    match pending.find(|segment| whole.contains(&segment.meta.id)) {
        Some(segment) => Ok(Some(segment.clone())),
        None => Err(Error::Corrupt {
            what: format!("segment {}", first.meta.id),
            detail: "rows cannot be deleted from what cannot be read: remove its objects, or wait until it expires"
                .to_string(),
        }),
    }
}

/// What all active deletions take from a segment; those that take nothing know that it is clean afterwards.
async fn loss(state: &State, segment: &LiveSegment) -> Result<Loss> {
    let pending = state.tombstones.lock().pending(&segment.meta);
    let mut gone: BTreeMap<Table, BooleanBuffer> = BTreeMap::new();
    let mut tombstones = Vec::new();
    for tombstone in pending {
        let removed = kept::removed(state, &tombstone, segment, Who::Background).await?;
        if removed.is_empty() {
            // Also where it is remembered otherwise that nothing was found.
            state
                .tombstones
                .lock()
                .set_clean(tombstone.id, segment.meta.id);
            continue;
        }
        let mut counts = BTreeMap::new();
        for (table, mask) in removed.iter() {
            let before = gone.get(table).map_or(0, BooleanBuffer::count_set_bits);
            let all = match gone.remove(table) {
                Some(gone) => &gone | mask,
                None => mask.clone(),
            };
            counts.insert(*table, (all.count_set_bits() - before) as u64);
            gone.insert(*table, all);
        }
        let mut tombstone = Tombstone::clone(&tombstone);
        tombstone.deleted = counts;
        tombstones.push(tombstone);
    }
    let rows: u64 = segment.meta.objects.iter().map(|object| object.rows).sum();
    let lost: usize = gone.values().map(BooleanBuffer::count_set_bits).sum();
    let sifted = gone.into_iter();
    Ok(Loss {
        sifted: sifted
            .map(|(table, gone)| ((segment.meta.id, table), !&gone))
            .collect(),
        tombstones,
        rows: rows - lost as u64,
    })
}

/// Writes `segments` as one without what they lose, and makes it live in their place.
async fn write(
    state: &State,
    key: &Key,
    segments: Vec<Arc<LiveSegment>>,
    loss: Loss,
) -> Result<()> {
    let asked = state.compacting.lock().asked.get(key).cloned();
    let reading = kept::reading(state);
    let asked = asked.unwrap_or_default();
    let merge = Merge::without(&segments, &loss.sifted, &reading, &asked).await?;
    let tombstones = counted(state, &loss);
    let merged = compact::replace(state, key, merge, &tombstones).await?;
    done(state, &loss, tombstones);
    let mut known = state.tombstones.lock();
    for tombstone in &loss.tombstones {
        known.set_clean(tombstone.id, merged.id);
    }
    for segment in &segments {
        known.forget_segment(segment.meta.id);
    }
    tracing::debug!(
        table = subject(key),
        segments = segments.len(),
        rows = merged.rows,
        "written without deleted rows"
    );
    Ok(())
}

/// Lets a segment go that loses all its rows.
async fn vanish(state: &State, key: &Key, segment: Arc<LiveSegment>, mut loss: Loss) -> Result<()> {
    let mut names: BTreeSet<SegmentId> = segment.meta.replaces.iter().copied().collect();
    names.insert(segment.meta.id);
    for other in state.buffers.whole(key) {
        let is_of_flush = other.meta.level == 0
            && other.meta.id != segment.meta.id
            && other.meta.siblings.iter().any(|id| names.contains(id));
        if !is_of_flush {
            continue;
        }
        let more = self::loss(state, &other).await?;
        if more.rows > 0 {
            loss.add(more);
            let mut segments = vec![segment, other];
            segments.sort_by_key(|segment| segment.meta.id);
            return write(state, key, segments, loss).await;
        }
    }
    let lanes = state.lanes(key);
    let lane = lanes.commit.lock().await;
    retire::retire(state, key, vec![segment.meta.clone()], None).await?;
    drop(lane);
    let tombstones = counted(state, &loss);
    let commit = Commit {
        tombstones: tombstones.clone(),
        ..Commit::default()
    };
    state.catalog.commit(commit).await?;
    done(state, &loss, tombstones);
    state.tombstones.lock().forget_segment(segment.meta.id);
    Ok(())
}

/// The tombstones as they are when this is done too.
fn counted(state: &State, loss: &Loss) -> Vec<Tombstone> {
    let known = state.tombstones.lock();
    let add = |more: &Tombstone| {
        let mut tombstone = Tombstone::clone(&*known.get(more.id)?);
        tombstone.count(&more.deleted);
        Some(tombstone)
    };
    loss.tombstones.iter().filter_map(add).collect()
}

fn done(state: &State, loss: &Loss, tombstones: Vec<Tombstone>) {
    let now = state.monotonic();
    for tombstone in tombstones {
        state.tombstones.lock().put(tombstone, now);
    }
    for tombstone in &loss.tombstones {
        count(state, &tombstone.tenant, &tombstone.deleted);
    }
}

impl Loss {
    /// Adds what is taken from another segment.
    fn add(&mut self, more: Loss) {
        self.sifted.extend(more.sifted);
        self.rows += more.rows;
        for tombstone in more.tombstones {
            let known = self.tombstones.iter_mut().find(|t| t.id == tombstone.id);
            match known {
                Some(known) => known.count(&tombstone.deleted),
                None => self.tombstones.push(tombstone),
            }
        }
    }
}
