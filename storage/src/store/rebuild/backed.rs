//! What a backup of the catalog adds to what footers say.

use crate::{
    catalog::{CatalogState, Contents, Event},
    id::SegmentId,
    segment::SegmentMeta,
    signal::Table,
    store::commit::{SEGMENT_COMMITTED, event},
    time::Nanos,
};
use std::collections::BTreeSet;

/// The segments that a backup knows as retired and that never become live again. Not those that were announced then:
/// they may have taken the place of their inputs since.
pub(super) fn retired_for_good(state: &CatalogState) -> impl Iterator<Item = SegmentId> {
    let live: BTreeSet<SegmentId> = state.segments.iter().map(|meta| meta.id).collect();
    state.retired.iter().filter_map(move |meta| {
        let is_announced = meta.level > 0
            && !meta.replaces.is_empty()
            && meta.replaces.iter().all(|id| live.contains(id));
        (!is_announced).then_some(meta.id)
    })
}

/// Adds what a backup knows to what is kept of a catalog, which is newer.
pub(super) fn add_to(kept: &mut CatalogState, backup: &Contents) {
    let state = &backup.state;
    kept.last_sequence = kept.last_sequence.max(state.last_sequence);
    kept.flushed_through
        .extend(state.flushed_through.iter().cloned());
    let digests = kept.digests.iter();
    let here: BTreeSet<(u64, u128)> = digests
        .map(|digest| (digest.sequence, digest.digest))
        .collect();
    let others = state.digests.iter();
    let others = others.filter(|digest| !here.contains(&(digest.sequence, digest.digest)));
    kept.digests.extend(others.cloned());
}

/// The field ids that footers have, and those of a backup that go with them.
pub(super) fn field_ids(
    mut found: Vec<(Table, String, i32)>,
    of_backup: Vec<(Table, String, i32)>,
) -> Vec<(Table, String, i32)> {
    let names: BTreeSet<(Table, String)> = found
        .iter()
        .map(|(table, column, _)| (*table, column.clone()))
        .collect();
    let ids: BTreeSet<(Table, i32)> = found.iter().map(|(table, _, id)| (*table, *id)).collect();
    found.extend(of_backup.into_iter().filter(|(table, column, id)| {
        !names.contains(&(*table, column.clone())) && !ids.contains(&(*table, *id))
    }));
    found
}

/// The events of live segments of which a backup does not know.
pub(super) fn untold(live: &[SegmentMeta], told: &[SegmentMeta], now: Nanos) -> Vec<Event> {
    let told: BTreeSet<SegmentId> = told.iter().map(|meta| meta.id).collect();
    let untold = live.iter().filter(|meta| !told.contains(&meta.id));
    untold
        .map(|meta| event(SEGMENT_COMMITTED, meta, now))
        .collect()
}

#[cfg(test)]
mod tests;
