//! Tells by the catalog alone that a segment has no row that a tombstone deletes. A wrong yes costs a look at the segment; a no
//! is always right.

use super::{
    field::{self, Kind, main_table},
    letters::Letters,
    predicate::{Condition, Field, Predicate},
    tombstone::Tombstone,
};
use crate::{
    segment::{Bounds, ObjectMeta, SegmentMeta},
    signal::{Signal, Table},
    time::{Nanos, TimeRange},
};

/// Whether the segment may have rows that the tombstone deletes.
pub fn may_hold(tombstone: &Tombstone, meta: &SegmentMeta) -> bool {
    let Some(predicate) = tombstone.active() else {
        return false;
    };
    if !tombstone.concerns(&meta.tenant, meta.signal) || !tombstone.reaches(meta) {
        return false;
    }
    if meta.signal != tombstone.signal {
        return Letters::new(predicate, tombstone.signal).is_some();
    }
    may_hold_rows(predicate, meta) || may_hold_owned(tombstone, meta)
}

/// Whether rows of the main table may meet the predicate.
pub(super) fn may_hold_rows(predicate: &Predicate, meta: &SegmentMeta) -> bool {
    let range = TimeRange {
        min: predicate.from.unwrap_or(Nanos(i64::MIN)),
        max: predicate
            .before
            .map_or(Nanos(i64::MAX), |before| Nanos(before.0.saturating_sub(1))),
    };
    let table = main_table(meta.signal);
    let Some(object) = meta.objects.iter().find(|object| object.table == table) else {
        return false;
    };
    let may_meet = |condition: &Condition| may_meet(condition, meta.signal, object);
    meta.time.overlaps(range) && predicate.conditions.iter().all(may_meet)
}

/// Whether it may have events or links of spans that are deleted.
fn may_hold_owned(tombstone: &Tombstone, meta: &SegmentMeta) -> bool {
    let is_owned =
        |object: &ObjectMeta| matches!(object.table, Table::SpanEvents | Table::SpanLinks);
    let Some((first, last)) = tombstone.owners.sequences() else {
        return false;
    };
    meta.objects.iter().any(is_owned)
        && meta
            .wal
            .iter()
            .any(|range| range.first <= last && first <= range.last)
}

fn may_meet(condition: &Condition, signal: Signal, object: &ObjectMeta) -> bool {
    let name = match &condition.field {
        Field::Column(name) => name,
        Field::Attribute(key) => return may_have_key(key, object),
        // Maps have no bounds.
        Field::Resource(_) => return true,
    };
    let Some(stats) = object.columns.iter().find(|stats| stats.column == *name) else {
        return true;
    };
    let Some(bounds) = &stats.bounds else {
        return false;
    };
    let kind = field::kind(signal, name);
    condition.values.iter().any(|value| match (bounds, kind) {
        (Bounds::Text(low, high), Some(Kind::Text)) => {
            // Long bounds are cut: what begins like the upper one may lie within.
            low.as_str() <= value.as_str()
                && (value.as_str() <= high.as_str() || value.starts_with(high.as_str()))
        }
        (Bounds::Int(low, high), Some(Kind::Integer)) => value
            .parse::<i64>()
            .is_ok_and(|value| *low <= value && value <= *high),
        (Bounds::Bytes(low, high), Some(Kind::Id(_))) => {
            hex::decode(value).is_ok_and(|value| *low <= value && value <= *high)
        }
        _ => true,
    })
}

/// Whether rows may have the attribute, in a column or in the overflow.
fn may_have_key(key: &str, object: &ObjectMeta) -> bool {
    // The list has keys as they stand in JSON.
    let is_escaped = key
        .chars()
        .any(|c| matches!(c, '"' | '\\') || c.is_control());
    let is_listed = |keys: &Vec<String>| keys.iter().any(|listed| listed == key);
    is_escaped
        || object.promoted.iter().any(|promoted| promoted.key == key)
        || object.overflow_keys.as_ref().is_none_or(is_listed)
}
