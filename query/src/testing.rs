//! For tests: random attribute maps, and the object that a segment could make of them.

use crate::columns::FILE_NUMBER;
use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use cairn_storage::{
    attributes::{convert::Value, encode},
    id::{SegmentId, TenantId},
    segment::{
        Bounds, ColumnStats, FileMeta, ObjectMeta, Promoted, SEGMENT_FORMAT_VERSION, SegmentMeta,
        ValueKind,
    },
    signal::{Signal, Table},
    snapshot::LiveSegment,
    time::{Nanos, TimeRange},
};
use object_store::memory::InMemory;
use proptest::prelude::*;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A value of an attribute; nested ones are given as their JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Null,
    Bool(bool),
    Int(i64),
    Double(u64),
    Text(String),
    Bytes,
    Nested,
}

/// The attributes of a row.
pub(crate) type Row = BTreeMap<String, Item>;

impl Item {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Item::Null => Value::Null,
            Item::Bool(value) => Value::Bool(*value),
            Item::Int(value) => Value::Int(*value),
            Item::Double(bits) => Value::Double(f64::from_bits(*bits)),
            Item::Text(text) => Value::Text(Cow::Borrowed(text)),
            Item::Bytes => Value::Bytes("AAEC"),
            Item::Nested => Value::Nested("[1,{\"a\":\"b\"},null]"),
        }
    }
}

/// Few keys, so that they meet again in many rows with values of other types.
pub(crate) const KEYS: [&str; 6] = ["a", "b", "a.b", "$double", "k\"\u{e9}\n", ""];

fn item() -> impl Strategy<Value = Item> {
    let double = prop_oneof![
        any::<u64>(),
        any::<f64>().prop_map(f64::to_bits),
        (-3i64..3).prop_map(|n| (n as f64).to_bits()),
        Just((-0.0f64).to_bits()),
        Just(f64::NAN.to_bits()),
        Just(f64::INFINITY.to_bits()),
    ];
    let int = prop_oneof![
        any::<i64>(),
        -3i64..3,
        Just((1i64 << 53) + 1),
        Just(i64::MAX)
    ];
    let text = prop_oneof![
        "[0-9+.eE-]{0,5}",
        "[a-c]{0,3}",
        Just("007".to_string()),
        Just("9007199254740993".to_string()),
        Just("true".to_string()),
        Just("NaN".to_string()),
        any::<String>(),
    ];
    prop_oneof![
        1 => Just(Item::Null),
        1 => any::<bool>().prop_map(Item::Bool),
        4 => int.prop_map(Item::Int),
        3 => double.prop_map(Item::Double),
        4 => text.prop_map(Item::Text),
        1 => Just(Item::Bytes),
        1 => Just(Item::Nested),
    ]
}

/// Rows with attributes.
pub(crate) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = prop::collection::btree_map(prop::sample::select(KEYS.to_vec()), item(), 0..5);
    let row = row.prop_map(|row| row.into_iter().map(|(k, v)| (k.to_string(), v)).collect());
    prop::collection::vec(row, 1..12)
}

/// Which keys and types get columns, and whether the keys of the overflow are listed.
pub(crate) fn choice() -> impl Strategy<Value = (BTreeSet<(String, ValueKind)>, bool)> {
    use ValueKind::{Bool, Double, Int, Text};
    let kind = prop::sample::select(vec![Text, Int, Double, Bool]);
    let pair = (
        prop::sample::select(KEYS.to_vec()).prop_map(str::to_string),
        kind,
    );
    (prop::collection::btree_set(pair, 0..8), any::<bool>())
}

/// The canonical JSON of a row.
pub(crate) fn json<'a>(row: impl IntoIterator<Item = (&'a String, &'a Item)>) -> String {
    let mut entries: Vec<_> = row
        .into_iter()
        .map(|(k, v)| (k.as_str(), v.clone()))
        .collect();
    let mut out = Vec::new();
    encode::object(&mut out, &mut entries, |out, item| item.value().write(out));
    String::from_utf8(out).expect("canonical JSON is UTF-8")
}

/// Rows as the table has them: the column `attributes` alone.
pub(crate) fn table(rows: &[Row]) -> RecordBatch {
    let maps: StringViewArray = rows.iter().map(|row| Some(json(row))).collect();
    RecordBatch::try_new(table_schema(), vec![Arc::new(maps)]).expect("one column")
}

/// The columns of [`table`].
pub(crate) fn table_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "attributes",
        DataType::Utf8View,
        false,
    )]))
}

/// Rows as a segment could have them, and what the catalog would know of it.
pub(crate) struct Promotion {
    pub(crate) batch: RecordBatch,
    pub(crate) segment: Arc<LiveSegment>,
}

/// Gives the keys and types of `chosen` columns of their own.
pub(crate) fn promote(
    rows: &[Row],
    chosen: &BTreeSet<(String, ValueKind)>,
    list_keys: bool,
) -> Promotion {
    let mut promoted: Vec<Promoted> = chosen.iter().map(|(k, kind)| column(k, *kind)).collect();
    promoted.sort_by(|a, b| a.column.cmp(&b.column));
    let has_column = |key: &str, item: &Item| {
        item.value()
            .kind()
            .is_some_and(|kind| chosen.contains(&(key.to_string(), kind)))
    };
    let mut overflow_keys = BTreeSet::new();
    let mut maps = Vec::new();
    for row in rows {
        let rest: Vec<_> = row.iter().filter(|(k, v)| !has_column(k, v)).collect();
        overflow_keys.extend(rest.iter().map(|(k, _)| k.to_string()));
        maps.push(json(rest));
    }
    let mut fields = vec![Field::new("attributes", DataType::Utf8View, false)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from_iter_values(maps))];
    let mut columns = Vec::new();
    for column in &promoted {
        let (array, stats) = values(rows, column);
        fields.push(Field::new(&column.column, array.data_type().clone(), true));
        arrays.push(array);
        columns.push(stats);
    }
    let metadata = [(FILE_NUMBER.to_string(), "0".to_string())].into();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let file = FileMeta {
        path: "x".to_string(),
        size_bytes: 1,
        checksum: 0,
    };
    let object = ObjectMeta {
        table: Table::Logs,
        file,
        footer_bytes: 1,
        rows: rows.len() as u64,
        columns,
        promoted,
        overflow_keys: list_keys.then(|| overflow_keys.into_iter().collect()),
    };
    let batch = RecordBatch::try_new(schema, arrays).expect("columns as their fields");
    Promotion {
        batch,
        segment: Arc::new(segment(object)),
    }
}

fn segment(object: ObjectMeta) -> LiveSegment {
    let meta = SegmentMeta {
        id: SegmentId(Default::default()),
        format_version: SEGMENT_FORMAT_VERSION,
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        level: 0,
        time: TimeRange {
            min: Nanos(0),
            max: Nanos(0),
        },
        rows: object.rows,
        objects: vec![object],
        index: None,
        wal: Vec::new(),
        replaces: Vec::new(),
        siblings: Vec::new(),
    };
    LiveSegment {
        meta,
        store: Arc::new(InMemory::new()),
        staged: false,
    }
}

fn column(key: &str, kind: ValueKind) -> Promoted {
    let suffix = match kind {
        ValueKind::Text => "",
        ValueKind::Int => ":int",
        ValueKind::Double => ":double",
        ValueKind::Bool => ":bool",
    };
    Promoted {
        key: key.to_string(),
        kind,
        column: format!("a.{key}{suffix}"),
    }
}

fn values(rows: &[Row], column: &Promoted) -> (ArrayRef, ColumnStats) {
    let of_row = |row: &Row| row.get(&column.key).cloned();
    let items: Vec<Option<Item>> = rows
        .iter()
        .map(of_row)
        .map(|item| item.filter(|item| item.value().kind() == Some(column.kind)))
        .collect();
    let nulls = items.iter().filter(|item| item.is_none()).count() as u64;
    let (array, bounds): (ArrayRef, _) = match column.kind {
        ValueKind::Text => {
            let text = |item: &Option<Item>| match item {
                Some(Item::Text(text)) => Some(text.clone()),
                _ => None,
            };
            let texts: Vec<_> = items.iter().map(text).collect();
            let bounds = ends(texts.iter().flatten().cloned()).map(|(a, b)| Bounds::Text(a, b));
            (Arc::new(StringViewArray::from_iter(texts)), bounds)
        }
        ValueKind::Int => {
            let int = |item: &Option<Item>| match item {
                Some(Item::Int(int)) => Some(*int),
                _ => None,
            };
            let ints: Vec<_> = items.iter().map(int).collect();
            let bounds = ends(ints.iter().flatten().copied()).map(|(a, b)| Bounds::Int(a, b));
            (Arc::new(Int64Array::from(ints)), bounds)
        }
        ValueKind::Double => {
            let double = |item: &Option<Item>| match item {
                Some(Item::Double(bits)) => Some(f64::from_bits(*bits)),
                _ => None,
            };
            let doubles: Vec<_> = items.iter().map(double).collect();
            (
                Arc::new(Float64Array::from(doubles.clone())),
                double_bounds(&doubles),
            )
        }
        ValueKind::Bool => {
            let bool = |item: &Option<Item>| match item {
                Some(Item::Bool(bool)) => Some(*bool),
                _ => None,
            };
            let bools: Vec<_> = items.iter().map(bool).collect();
            let bounds = ends(bools.iter().flatten().copied()).map(|(a, b)| Bounds::Bool(a, b));
            (Arc::new(BooleanArray::from(bools)), bounds)
        }
    };
    (
        array,
        ColumnStats {
            column: column.column.clone(),
            nulls,
            bounds,
        },
    )
}

fn ends<T: Ord + Clone>(values: impl Iterator<Item = T> + Clone) -> Option<(T, T)> {
    Some((values.clone().min()?, values.max()?))
}

/// As Parquet has them: none with a NaN, and zeros of either sign are both in.
fn double_bounds(values: &[Option<f64>]) -> Option<Bounds> {
    let values: Vec<f64> = values.iter().flatten().copied().collect();
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let min = if min == 0.0 { -0.0 } else { min };
    let max = if max == 0.0 { 0.0 } else { max };
    Some(Bounds::Double(min, max))
}
