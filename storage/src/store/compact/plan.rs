//! Which segments are merged next: the newest hour first, few bytes rewritten for many segments less.
//!
//! * While an hour is going on, segments of about the same size are merged when there are enough of them.
//! * When it is over, what is left of it becomes one, unless little would be added to much.
//! * When the day is over, what is still small becomes one of the day.
//!
//! Every merge at least halves the number of its inputs' size class or ends an hour or a day, so a row is rewritten a
//! few times in its life: at most once for each factor of four in size, and twice more.

use crate::{
    id::SegmentId,
    segment::{SegmentMeta, path::Window},
    time::{HOUR_NANOS, Nanos},
};
use std::collections::BTreeMap;

/// Segments that one merge takes at most.
const MAX_INPUTS: usize = 64;

/// The smallest size class ends here; each of the next is four times as large.
const SMALLEST_CLASS_BYTES: u64 = 64 << 10;

/// After the end of an hour so much is waited for rows that are late, and for the last flush.
const HOUR_SETTLES_NANOS: i64 = HOUR_NANOS / 6;

/// And after the end of a day.
const DAY_SETTLES_NANOS: i64 = 2 * HOUR_NANOS;

const DAY_NANOS: i64 = 24 * HOUR_NANOS;

/// A merge without need adds at least a part of this size to its largest input.
const WORTHWHILE_PART: u64 = 4;

/// What the settings say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) target_bytes: u64,
    pub(super) segments: usize,
}

/// The segments of one tenant's signal to merge now, in the order of arrival, if there are any.
pub(super) fn plan(segments: &[&SegmentMeta], now: Nanos, rules: Rules) -> Option<Vec<SegmentId>> {
    let mut hours: BTreeMap<Nanos, Vec<&SegmentMeta>> = BTreeMap::new();
    let mut days: BTreeMap<Nanos, Vec<&SegmentMeta>> = BTreeMap::new();
    let mut late = Vec::new();
    let small = segments
        .iter()
        .filter(|meta| meta.bytes() < rules.target_bytes / 2);
    for meta in small {
        match Window::of(meta.time) {
            Window::Hour(start) => {
                hours.entry(start).or_default().push(meta);
                days.entry(day_of(start)).or_default().push(meta);
            }
            Window::Day(start) => days.entry(start).or_default().push(meta),
            Window::Late => late.push(*meta),
        }
    }
    let of_hours = hours.iter().rev().find_map(|(start, metas)| {
        let is_over = start.0.saturating_add(HOUR_NANOS + HOUR_SETTLES_NANOS) <= now.0;
        alike(metas, rules).or_else(|| is_over.then(|| rest(metas, rules))?)
    });
    let of_days = || {
        days.iter().rev().find_map(|(start, metas)| {
            let is_over = start.0.saturating_add(DAY_NANOS + DAY_SETTLES_NANOS) <= now.0;
            let mut smaller = metas.clone();
            smaller.retain(|meta| meta.bytes() < rules.target_bytes / 4);
            is_over.then(|| rest(&smaller, rules))?
        })
    };
    let mut chosen = of_hours.or_else(of_days).or_else(|| alike(&late, rules))?;
    chosen.sort_by_key(|meta| (meta.last_sequence(), meta.id));
    Some(chosen.iter().map(|meta| meta.id).collect())
}

fn day_of(time: Nanos) -> Nanos {
    Nanos(time.0.div_euclid(DAY_NANOS).saturating_mul(DAY_NANOS))
}

/// Enough segments of one size class, those that arrived first.
fn alike<'a>(metas: &[&'a SegmentMeta], rules: Rules) -> Option<Vec<&'a SegmentMeta>> {
    let mut classes: BTreeMap<u32, Vec<&SegmentMeta>> = BTreeMap::new();
    for meta in metas {
        let class = (meta.bytes() / SMALLEST_CLASS_BYTES).max(1).ilog(4);
        classes.entry(class).or_default().push(meta);
    }
    classes.into_values().find_map(|mut class| {
        class.sort_by_key(|meta| (meta.last_sequence(), meta.id));
        let chosen = within(class.into_iter(), rules);
        (chosen.len() >= rules.segments).then_some(chosen)
    })
}

/// As many of the smallest segments as make one, where that is worth rewriting the largest of them.
fn rest<'a>(metas: &[&'a SegmentMeta], rules: Rules) -> Option<Vec<&'a SegmentMeta>> {
    let mut metas = metas.to_vec();
    metas.sort_by_key(|meta| (meta.bytes(), meta.id));
    let mut chosen = within(metas.into_iter(), rules);
    while let Some((largest, others)) = chosen.split_last() {
        let added: u64 = others.iter().map(|meta| meta.bytes()).sum();
        if others.len() + 1 >= rules.segments || added * WORTHWHILE_PART >= largest.bytes() {
            break;
        }
        chosen.pop();
    }
    (chosen.len() >= 2).then_some(chosen)
}

/// The first of `metas` that make one segment together.
fn within<'a>(metas: impl Iterator<Item = &'a SegmentMeta>, rules: Rules) -> Vec<&'a SegmentMeta> {
    let mut bytes = 0;
    let fits = |meta: &&SegmentMeta| {
        bytes += meta.bytes();
        bytes <= rules.target_bytes
    };
    metas.take(MAX_INPUTS).take_while(fits).collect()
}

#[cfg(test)]
mod tests;
