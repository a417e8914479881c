//! The attribute keys of a table: from what the catalog lists of each segment, and from rows in the buffer.

use super::AttributeAnswer;
use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, Int32Type},
};
use cairn_storage::{
    attributes::{convert::Value, decode},
    id::TenantId,
    segment::{ObjectMeta, ValueKind},
    signal::{Signal, Table},
    snapshot::{BufferedRequest, Snapshot},
    store::Store,
};
use std::collections::{BTreeMap, BTreeSet};

/// The column that segments list the keys of.
const ATTRIBUTES: &str = "attributes";

/// Columns that hold maps.
const MAPS: [&str; 3] = [ATTRIBUTES, "resource_attributes", "scope_attributes"];

/// Buffered rows that are looked at, newest first: enough to see what a sender sends now.
const BUFFERED_ROWS: u64 = 20_000;

/// Keys in one answer.
const KEYS: usize = 10_000;

/// The keys of a table, as they are found.
#[derive(Debug, Default)]
pub(super) struct Keys {
    found: Found,
    /// Whether there are or may be more.
    more: bool,
}

#[derive(Debug, Default)]
struct Seen {
    types: BTreeSet<&'static str>,
    segments: u64,
    segment_rows: u64,
    buffered_rows: u64,
}

type Found = BTreeMap<(&'static str, String), Seen>;

/// The stored table whose maps `name` shows: labels of metrics are those of their series.
pub(super) fn stored_table(name: &str) -> Option<Table> {
    let tables = Signal::ALL.into_iter().flat_map(Signal::tables);
    let same = tables.copied().find(|table| table.as_str() == name);
    same.or((name == "metrics").then_some(Table::Series))
}

impl Keys {
    /// The keys of the table that statements call `name`, as catalog and buffer know them.
    pub(super) fn of(store: &Store, tenant: &TenantId, name: &str) -> Keys {
        match stored_table(name) {
            Some(table) => Keys::from(&store.snapshot(tenant, table.signal()), table),
            None => Keys::default(),
        }
    }

    fn from(snapshot: &Snapshot, table: Table) -> Keys {
        let mut keys = Keys::default();
        for segment in &snapshot.segments {
            let mut objects = segment.meta.objects.iter();
            if let Some(object) = objects.find(|object| object.table == table) {
                keys.more |= object.overflow_keys.is_none();
                from_segment(object, &mut keys.found);
            }
        }
        let mut rows = 0;
        for request in snapshot.buffered.iter().rev() {
            if rows >= BUFFERED_ROWS {
                keys.more = true;
                break;
            }
            rows += from_buffer(request, table, &mut keys.found);
        }
        keys
    }

    /// Adds the keys of `maps`, rows that are already counted or not worth counting.
    pub(super) fn add(&mut self, column: &'static str, maps: &ArrayRef) {
        let Ok(maps) = cast(maps, &DataType::Utf8) else {
            return;
        };
        for map in maps.as_string::<i32>().iter().flatten() {
            note(column, map, 0, &mut self.found);
        }
    }

    /// Says that some could not be looked for.
    pub(super) fn miss(&mut self) {
        self.more = true;
    }

    /// Whether there are or may be more keys than [`Keys::answer`] gives.
    pub(super) fn is_partial(&self) -> bool {
        self.more || self.found.len() > KEYS
    }

    /// The keys, sorted by column and key.
    pub(super) fn answer(self) -> Vec<AttributeAnswer> {
        let answer = |((column, key), seen): ((&str, String), Seen)| AttributeAnswer {
            column: column.to_string(),
            key,
            types: seen.types.into_iter().map(str::to_string).collect(),
            segments: seen.segments,
            segment_rows: seen.segment_rows,
            buffered_rows: seen.buffered_rows,
        };
        self.found.into_iter().take(KEYS).map(answer).collect()
    }
}

fn from_segment(object: &ObjectMeta, found: &mut Found) {
    let mut here: BTreeMap<&str, (BTreeSet<&'static str>, u64)> = BTreeMap::new();
    for promoted in &object.promoted {
        let (types, rows) = here.entry(&promoted.key).or_default();
        types.insert(kind_name(Some(promoted.kind)));
        // A row has a value in one of a key's columns at most, so that the sum counts no row twice.
        *rows += rows_with(object, &promoted.column);
    }
    for key in object.overflow_keys.iter().flatten() {
        // Of what type the values outside columns are, a segment does not say.
        here.entry(key).or_default();
    }
    for (key, (types, rows)) in here {
        let seen = found.entry((ATTRIBUTES, key.to_string())).or_default();
        seen.types.extend(types);
        seen.segments += 1;
        seen.segment_rows += rows;
    }
}

/// Rows that have a value in `column`.
fn rows_with(object: &ObjectMeta, column: &str) -> u64 {
    let stats = object.columns.iter().find(|stats| stats.column == column);
    stats.map_or(0, |stats| object.rows.saturating_sub(stats.nulls))
}

/// Returns how many rows it looked at.
fn from_buffer(request: &BufferedRequest, table: Table, found: &mut Found) -> u64 {
    let Some(batch) = request.batch(table) else {
        return 0;
    };
    for column in MAPS {
        if let Some(maps) = batch.column_by_name(column) {
            from_maps(column, maps, found);
        }
    }
    batch.num_rows() as u64
}

fn from_maps(column: &'static str, maps: &ArrayRef, found: &mut Found) {
    match maps.data_type() {
        DataType::Utf8 => {
            maps.as_string::<i32>()
                .iter()
                .flatten()
                .for_each(|map| note(column, map, 1, found));
        }
        // Rows share maps: each is read once.
        DataType::Dictionary(..) => {
            let Some(maps) = maps.as_dictionary_opt::<Int32Type>() else {
                return;
            };
            let values = maps.values().as_string::<i32>();
            let mut rows = vec![0_u64; values.len()];
            for key in maps.keys().iter().flatten() {
                if let Some(count) = usize::try_from(key).ok().and_then(|key| rows.get_mut(key)) {
                    *count += 1;
                }
            }
            for (value, rows) in values.iter().zip(rows) {
                if let Some(map) = value.filter(|_| rows > 0) {
                    note(column, map, rows, found);
                }
            }
        }
        _ => {}
    }
}

fn note(column: &'static str, map: &str, rows: u64, found: &mut Found) {
    for entry in decode::entries(map) {
        let seen = found.entry((column, entry.key().into_owned())).or_default();
        let value = Value::parse(entry.value);
        seen.types
            .insert(kind_name(value.and_then(|value| value.kind())));
        seen.buffered_rows += rows;
    }
}

fn kind_name(kind: Option<ValueKind>) -> &'static str {
    match kind {
        Some(ValueKind::Text) => "text",
        Some(ValueKind::Int) => "int",
        Some(ValueKind::Double) => "double",
        Some(ValueKind::Bool) => "bool",
        None => "other",
    }
}

#[cfg(test)]
mod tests;
