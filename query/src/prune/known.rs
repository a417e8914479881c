//! What is known of a column or an attribute in a segment or a buffered request without reading it.

use crate::attributes::evaluate::Wanted;
use arrow::datatypes::{DataType, TimeUnit};
use cairn_storage::{
    attributes::convert,
    segment::{Bounds, ColumnStats, ObjectMeta, Promoted, ValueKind, layout::TIME_MS},
    snapshot::BufferedRequest,
};
use datafusion::common::ScalarValue;

/// Something that is read whole or not at all.
pub(crate) trait Container {
    /// Its rows.
    fn rows(&self) -> u64;
    /// What is known of `subject` in it.
    fn known(&self, subject: &Subject<'_>) -> Known;
}

/// What a filter speaks of.
pub(crate) enum Subject<'a> {
    /// A column of the table.
    Column {
        name: &'a str,
        data_type: &'a DataType,
    },
    /// An entry of the map column `attributes`.
    Attribute { key: &'a str, wanted: Wanted },
}

/// Bounds (of the subject's type) and the number of NULLs, each where it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    pub(crate) min: Option<ScalarValue>,
    pub(crate) max: Option<ScalarValue>,
    pub(crate) nulls: Option<u64>,
}

impl Known {
    fn all_null(rows: u64) -> Known {
        Known {
            nulls: Some(rows),
            ..Known::default()
        }
    }
}

impl Container for &ObjectMeta {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn known(&self, subject: &Subject<'_>) -> Known {
        match subject {
            Subject::Column { name, data_type } => match stats(self, name) {
                Some(stats) => of_column(self, stats, |bounds| of_type(bounds, data_type)),
                None if *name == "timestamp" => of_millis(self, data_type),
                None => Known::default(),
            },
            Subject::Attribute { key, wanted } => of_attribute(self, key, *wanted),
        }
    }
}

impl Container for &BufferedRequest {
    fn rows(&self) -> u64 {
        // Never compared with anything: the number of NULLs is not known.
        u64::MAX
    }

    fn known(&self, subject: &Subject<'_>) -> Known {
        match subject {
            Subject::Column {
                name: "timestamp",
                data_type,
            } => {
                let bounds = Bounds::Int(self.time.min.0, self.time.max.0);
                let (min, max) = of_type(&bounds, data_type).unzip();
                Known {
                    min,
                    max,
                    nulls: Some(0),
                }
            }
            _ => Known::default(),
        }
    }
}

fn stats<'a>(object: &'a ObjectMeta, column: &str) -> Option<&'a ColumnStats> {
    object.columns.iter().find(|stats| stats.column == column)
}

fn of_column(
    object: &ObjectMeta,
    stats: &ColumnStats,
    bounds: impl Fn(&Bounds) -> Option<(ScalarValue, ScalarValue)>,
) -> Known {
    let (min, max) = stats.bounds.as_ref().and_then(bounds).unzip();
    // Without bounds every value may be NULL, or one may be NaN; only the count of NULLs tells.
    Known {
        min,
        max,
        nulls: Some(stats.nulls.min(object.rows)),
    }
}

/// What is known of the instants of points, which lie in the file as milliseconds and a rest.
fn of_millis(object: &ObjectMeta, data_type: &DataType) -> Known {
    let Some(millis) = stats(object, TIME_MS) else {
        return Known::default();
    };
    of_column(object, millis, |bounds| match bounds {
        Bounds::Int(min, max) => {
            let last = max.saturating_mul(1_000_000).saturating_add(999_999);
            of_type(&Bounds::Int(min.saturating_mul(1_000_000), last), data_type)
        }
        _ => None,
    })
}

/// Bounds as values of a column's type; `None` where the two do not fit together.
pub(crate) fn of_type(bounds: &Bounds, data_type: &DataType) -> Option<(ScalarValue, ScalarValue)> {
    let pair = match (bounds, data_type) {
        (Bounds::Int(min, max), DataType::Int64) => (
            ScalarValue::Int64(Some(*min)),
            ScalarValue::Int64(Some(*max)),
        ),
        (Bounds::Int(min, max), DataType::Int32) => (
            ScalarValue::Int32(Some(i32::try_from(*min).ok()?)),
            ScalarValue::Int32(Some(i32::try_from(*max).ok()?)),
        ),
        (Bounds::Int(min, max), DataType::Timestamp(TimeUnit::Nanosecond, zone)) => (
            ScalarValue::TimestampNanosecond(Some(*min), zone.clone()),
            ScalarValue::TimestampNanosecond(Some(*max), zone.clone()),
        ),
        (Bounds::Double(min, max), DataType::Float64) => (
            ScalarValue::Float64(Some(*min)),
            ScalarValue::Float64(Some(*max)),
        ),
        (Bounds::Text(min, max), DataType::Utf8View) => (
            ScalarValue::Utf8View(Some(min.clone())),
            ScalarValue::Utf8View(Some(max.clone())),
        ),
        (Bounds::Bytes(min, max), DataType::FixedSizeBinary(length)) => {
            let whole = |bytes: &[u8]| bytes.len() == *length as usize;
            if !whole(min) || !whole(max) {
                return None;
            }
            (
                ScalarValue::FixedSizeBinary(*length, Some(min.clone())),
                ScalarValue::FixedSizeBinary(*length, Some(max.clone())),
            )
        }
        (Bounds::Bool(min, max), DataType::Boolean) => (
            ScalarValue::Boolean(Some(*min)),
            ScalarValue::Boolean(Some(*max)),
        ),
        _ => return None,
    };
    Some(pair)
}

fn of_attribute(object: &ObjectMeta, key: &str, wanted: Wanted) -> Known {
    let in_overflow = match &object.overflow_keys {
        Some(keys) => keys.binary_search_by(|k| k.as_str().cmp(key)).is_ok(),
        None => true,
    };
    let mut columns = object
        .promoted
        .iter()
        .filter(|promoted| promoted.key == key);
    match (columns.next(), columns.next(), in_overflow) {
        (None, _, false) => Known::all_null(object.rows),
        (Some(only), None, false) => of_promoted(object, only, wanted),
        _ => Known::default(),
    }
}

/// What is known where one promoted column holds every value of the key.
fn of_promoted(object: &ObjectMeta, promoted: &Promoted, wanted: Wanted) -> Known {
    let Some(stats) = stats(object, &promoted.column) else {
        return Known::default();
    };
    let known = of_column(object, stats, |bounds| converted(bounds, wanted));
    // A text that is no number is NULL as a number, and no statistics count those.
    let same_nulls = wanted == Wanted::Text
        || promoted.kind == ValueKind::Int
        || (promoted.kind, wanted) == (ValueKind::Double, Wanted::Double);
    Known {
        nulls: known.nulls.filter(|_| same_nulls),
        ..known
    }
}

/// Bounds of a promoted column as what is wanted of it, where the conversion keeps the order.
fn converted(bounds: &Bounds, wanted: Wanted) -> Option<(ScalarValue, ScalarValue)> {
    let text = |min: &str, max: &str| {
        let (min, max) = (min.to_string(), max.to_string());
        (
            ScalarValue::Utf8View(Some(min)),
            ScalarValue::Utf8View(Some(max)),
        )
    };
    let number = |min, max| {
        (
            ScalarValue::Float64(Some(min)),
            ScalarValue::Float64(Some(max)),
        )
    };
    Some(match (bounds, wanted) {
        (Bounds::Text(min, max), Wanted::Text) => text(min, max),
        // `false` comes before `true` in either type.
        (Bounds::Bool(min, max), Wanted::Text) => {
            text(convert::bool_text(*min), convert::bool_text(*max))
        }
        // Digits are not ordered as numbers are.
        (Bounds::Int(min, max), Wanted::Text) if min == max => {
            text(&convert::int_text(*min), &convert::int_text(*max))
        }
        (Bounds::Int(min, max), Wanted::Double) => {
            number(convert::int_number(*min), convert::int_number(*max))
        }
        (Bounds::Int(min, max), Wanted::Int) => (
            ScalarValue::Int64(Some(*min)),
            ScalarValue::Int64(Some(*max)),
        ),
        (Bounds::Double(min, max), Wanted::Double) => number(*min, *max),
        _ => return None,
    })
}
