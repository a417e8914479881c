//! Holds conditions against the rows of a batch, whether it is of a buffered request or of a segment's file.

use super::{
    field::{self, Kind},
    predicate::{Condition, Field, Predicate},
};
use crate::{
    attributes::{convert, decode},
    error::{Error, Result},
    segment::{Promoted, ValueKind},
    signal::{Signal, Table},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    buffer::BooleanBuffer,
    compute::cast,
    datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType},
};
use std::{borrow::Cow, collections::HashSet};

/// A predicate that is held against the rows of one object, or of buffered requests.
pub(super) struct Matcher {
    predicate: Predicate,
    tests: Vec<Test>,
    /// Rows have a time of their own: those of `series` do not.
    timed: bool,
}

/// One condition.
enum Test {
    Text(String, HashSet<String>),
    Integer(String, HashSet<i64>),
    Id(String, HashSet<Vec<u8>>),
    Attribute {
        key: String,
        values: HashSet<String>,
        promoted: Vec<Promoted>,
    },
    Resource(String, HashSet<String>),
}

impl Matcher {
    /// `promoted` are the promoted columns of the object that the rows are in.
    pub(super) fn new(predicate: &Predicate, signal: Signal, promoted: &[Promoted]) -> Matcher {
        let conditions = predicate.conditions.iter();
        Matcher {
            tests: conditions
                .map(|condition| Test::new(condition, signal, promoted))
                .collect(),
            timed: field::main_table(signal) != Table::Series,
            predicate: predicate.clone(),
        }
    }

    /// The columns that [`Matcher::matches`] looks at, as far as the rows have them.
    pub(super) fn columns(&self) -> Vec<String> {
        let mut columns = Vec::new();
        for test in &self.tests {
            match test {
                Test::Text(name, _) | Test::Integer(name, _) | Test::Id(name, _) => {
                    columns.push(name.clone());
                }
                Test::Attribute { promoted, .. } => {
                    columns.push("attributes".to_string());
                    columns.extend(promoted.iter().map(|promoted| promoted.column.clone()));
                }
                Test::Resource(..) => columns.push("resource_attributes".to_string()),
            }
        }
        if self.timed && self.predicate.has_range() {
            columns.push("timestamp".to_string());
        }
        columns
    }

    /// The rows that meet everything.
    pub(super) fn matches(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let mut met = BooleanBuffer::new_set(batch.num_rows());
        if self.timed && self.predicate.has_range() {
            met = self.in_range(batch)?;
        }
        for test in &self.tests {
            if met.count_set_bits() == 0 {
                break;
            }
            met = &met & &test.met(batch)?;
        }
        Ok(met)
    }

    fn in_range(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let times = batch
            .column_by_name("timestamp")
            .and_then(|times| times.as_primitive_opt::<TimestampNanosecondType>())
            .ok_or_else(|| Error::Internal("rows to delete have no timestamps".to_string()))?;
        let covers = |row: usize| self.predicate.covers_time(times.value(row));
        Ok(BooleanBuffer::collect_bool(times.len(), covers))
    }
}

impl Test {
    fn new(condition: &Condition, signal: Signal, promoted: &[Promoted]) -> Test {
        let texts = || condition.values.iter().cloned().collect();
        let name = match &condition.field {
            Field::Attribute(key) => {
                let of_key = promoted.iter().filter(|promoted| promoted.key == *key);
                return Test::Attribute {
                    key: key.clone(),
                    values: texts(),
                    promoted: of_key.cloned().collect(),
                };
            }
            Field::Resource(key) => return Test::Resource(key.clone(), texts()),
            Field::Column(name) => name.clone(),
        };
        match field::kind(signal, &name) {
            Some(Kind::Integer) => {
                let integers = condition.values.iter().filter_map(|v| v.parse().ok());
                Test::Integer(name, integers.collect())
            }
            Some(Kind::Id(_)) => {
                let ids = condition.values.iter().filter_map(|v| hex::decode(v).ok());
                Test::Id(name, ids.collect())
            }
            Some(Kind::Text) | None => Test::Text(name, texts()),
        }
    }

    /// The rows that meet it; none where the file is older than the column.
    fn met(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let rows = batch.num_rows();
        let none = || Ok(BooleanBuffer::new_unset(rows));
        let column = |name: &str| batch.column_by_name(name);
        match self {
            Test::Text(name, values) => match column(name) {
                Some(texts) => text_mask(texts, |text| values.contains(text)),
                None => none(),
            },
            Test::Integer(name, values) => match column(name) {
                Some(integers) => integer_mask(integers, values),
                None => none(),
            },
            Test::Id(name, values) => match column(name) {
                Some(ids) => {
                    let ids = ids.as_fixed_size_binary();
                    let is_met = |row| ids.is_valid(row) && values.contains(ids.value(row));
                    Ok(BooleanBuffer::collect_bool(rows, is_met))
                }
                None => none(),
            },
            Test::Resource(key, values) => match column("resource_attributes") {
                Some(maps) => map_mask(maps, key, values),
                None => none(),
            },
            Test::Attribute {
                key,
                values,
                promoted,
            } => {
                let mut met = match column("attributes") {
                    Some(maps) => map_mask(maps, key, values)?,
                    None => BooleanBuffer::new_unset(rows),
                };
                for promoted in promoted {
                    if let Some(array) = column(&promoted.column) {
                        met = &met | &promoted_mask(promoted.kind, array, values)?;
                    }
                }
                Ok(met)
            }
        }
    }
}

/// The rows of a column of text, of any form, whose value passes; NULL does not.
pub(super) fn text_mask(
    array: &ArrayRef,
    mut passes: impl FnMut(&str) -> bool,
) -> Result<BooleanBuffer> {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let is_met = |row| texts.is_valid(row) && passes(texts.value(row));
            Ok(BooleanBuffer::collect_bool(rows, is_met))
        }
        DataType::Utf8View => {
            let texts = array.as_string_view();
            let is_met = |row| texts.is_valid(row) && passes(texts.value(row));
            Ok(BooleanBuffer::collect_bool(rows, is_met))
        }
        DataType::Dictionary(key, _) if **key == DataType::Int32 => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let values = text_mask(dictionary.values(), passes)?;
            let keys = dictionary.keys();
            let is_met = |row| keys.is_valid(row) && values.value(keys.value(row) as usize);
            Ok(BooleanBuffer::collect_bool(rows, is_met))
        }
        _ => text_mask(&cast(array, &DataType::Utf8).map_err(arrow)?, passes),
    }
}

/// The rows of a column of maps that have `key` with one of `values`. Maps of neighbours are often the same.
fn map_mask(maps: &ArrayRef, key: &str, values: &HashSet<String>) -> Result<BooleanBuffer> {
    let mut last: Option<(String, bool)> = None;
    text_mask(maps, |map| {
        if let Some((same, met)) = &last
            && same == map
        {
            return *met;
        }
        let text = decode::find(map, key).and_then(convert::json_text);
        let met = text.is_some_and(|text| values.contains(text.as_ref()));
        last = Some((map.to_string(), met));
        met
    })
}

fn integer_mask(array: &ArrayRef, values: &HashSet<i64>) -> Result<BooleanBuffer> {
    let integers = cast(array, &DataType::Int64).map_err(arrow)?;
    let integers = integers.as_primitive::<Int64Type>();
    let is_met = |row| integers.is_valid(row) && values.contains(&integers.value(row));
    Ok(BooleanBuffer::collect_bool(integers.len(), is_met))
}

/// The rows of a promoted column whose value as text is one of `values`.
fn promoted_mask(
    kind: ValueKind,
    array: &ArrayRef,
    values: &HashSet<String>,
) -> Result<BooleanBuffer> {
    let is_one = |text: Cow<'_, str>| values.contains(text.as_ref());
    let rows = array.len();
    let mask = |text: &dyn Fn(usize) -> String| {
        let is_met = |row| array.is_valid(row) && is_one(Cow::Owned(text(row)));
        BooleanBuffer::collect_bool(rows, is_met)
    };
    Ok(match kind {
        ValueKind::Text => return text_mask(array, |text| is_one(Cow::Borrowed(text))),
        ValueKind::Int => {
            let integers = array.as_primitive::<Int64Type>();
            mask(&|row| convert::int_text(integers.value(row)))
        }
        ValueKind::Double => {
            let doubles = array.as_primitive::<Float64Type>();
            mask(&|row| convert::double_text(doubles.value(row)))
        }
        ValueKind::Bool => {
            let bools = array.as_boolean();
            mask(&|row| convert::bool_text(bools.value(row)).to_string())
        }
    })
}

fn arrow(source: arrow::error::ArrowError) -> Error {
    Error::Arrow {
        doing: "looking for rows to delete",
        source,
    }
}
