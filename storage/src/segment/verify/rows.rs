//! Checks on the rows of an object: count, order, bounds, times, maps, and that the index finds every id.

use crate::{
    attributes::decode,
    error::{Error, Result},
    segment::{
        Bounds, ColumnStats, ObjectMeta, SegmentMeta,
        index::{
            Answer, Blocks, Head,
            build::indexed_columns,
            collect::{Tokens, text_columns},
        },
        layout,
    },
    time::TimeRange,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch},
    compute::{self, SortOptions},
    datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType},
    row::{OwnedRow, RowConverter, SortField},
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Takes the batches of an object, in the order of the file.
pub(super) struct RowChecks<'a> {
    object: &'a ObjectMeta,
    time: TimeRange,
    index: Option<Head>,
    /// Tokens of the rows, and the sidecar that has to have them.
    text: Option<(Tokens, Bytes)>,
    sort_columns: Vec<&'static str>,
    converter: RowConverter,
    last: Option<OwnedRow>,
    rows: u64,
    nulls: BTreeMap<&'a str, u64>,
    /// One finding of a kind is enough.
    found: BTreeMap<String, String>,
}

impl<'a> RowChecks<'a> {
    pub(super) fn new(
        segment: &SegmentMeta,
        object: &'a ObjectMeta,
        index: Option<&Bytes>,
    ) -> Result<RowChecks<'a>> {
        let schema = layout::fixed_schema(object.table);
        let order = layout::sort_order(object.table);
        let field = |(name, descending): &(&str, bool)| {
            let options = SortOptions {
                descending: *descending,
                nulls_first: *descending,
            };
            let field = schema.field_with_name(name).map_err(arrow)?;
            Ok(SortField::new_with_options(
                field.data_type().clone(),
                options,
            ))
        };
        let fields = order.iter().map(field).collect::<Result<Vec<_>>>()?;
        let head = index.map(|bytes| Head::parse(&object.file.path, bytes.clone()));
        // What is wrong with the sidecar is found where it is checked itself.
        let head = head.transpose().unwrap_or(None);
        let text = match (&head, index) {
            (Some(head), Some(bytes)) if is_comparable(head, object) => {
                Some((Tokens::new(object.table), bytes.clone()))
            }
            _ => None,
        };
        Ok(RowChecks {
            object,
            time: segment.time,
            index: head,
            text,
            sort_columns: order.iter().map(|(name, _)| *name).collect(),
            converter: RowConverter::new(fields).map_err(arrow)?,
            last: None,
            rows: 0,
            nulls: BTreeMap::new(),
            found: BTreeMap::new(),
        })
    }

    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        self.check_order(batch)?;
        for stats in &self.object.columns {
            self.check_bounds(stats, column(batch, &stats.column)?);
        }
        if layout::has_attributes(self.object.table) {
            self.check_maps(batch)?;
        }
        for name in indexed_columns(self.object.table) {
            self.check_index(name, column(batch, name)?)?;
        }
        if let Some((tokens, _)) = &mut self.text {
            for name in text_columns(self.object.table) {
                tokens.add(name, column(batch, name)?)?;
            }
        }
        if let Some(times) = batch.column_by_name("timestamp") {
            let times = times.as_primitive::<TimestampNanosecondType>();
            let (min, max) = (compute::min(times), compute::max(times));
            let outside = min < Some(self.time.min.0) || max > Some(self.time.max.0);
            self.note(outside, "time", || {
                "a timestamp is outside of the segment's range".into()
            });
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Everything that was found.
    pub(super) fn finish(mut self) -> Vec<String> {
        let (rows, expected) = (self.rows, self.object.rows);
        self.note(rows != expected, "rows", || {
            format!("it has {rows} rows and should have {expected}")
        });
        for stats in &self.object.columns {
            let nulls = self.nulls.get(stats.column.as_str()).copied().unwrap_or(0);
            self.note(
                nulls != stats.nulls,
                &format!("nulls {}", stats.column),
                || {
                    format!(
                        "column {} has {nulls} nulls and should have {}",
                        stats.column, stats.nulls
                    )
                },
            );
        }
        let lost = self.loses_text();
        self.note(lost, "text", || {
            "the index does not find every token of its text".to_string()
        });
        self.found.into_values().collect()
    }

    /// Whether the sidecar lacks a token of the rows, or is damaged.
    fn loses_text(&mut self) -> bool {
        let (Some(head), Some((tokens, bytes))) = (&self.index, &mut self.text) else {
            return false;
        };
        let what = self.object.file.path.as_str();
        let text = head.text(self.object.table);
        text.is_some_and(|text| !text.holds(what, bytes, tokens).unwrap_or(false))
    }

    fn note(&mut self, wrong: bool, kind: &str, detail: impl FnOnce() -> String) {
        if wrong {
            self.found.entry(kind.to_string()).or_insert_with(detail);
        }
    }

    fn check_order(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<ArrayRef> = self
            .sort_columns
            .iter()
            .map(|n| column(batch, n).cloned())
            .collect::<Result<_>>()?;
        let rows = self.converter.convert_columns(&columns).map_err(arrow)?;
        let mut ordered = (1..rows.num_rows()).all(|i| rows.row(i - 1) <= rows.row(i));
        if let (Some(last), true) = (&self.last, rows.num_rows() > 0) {
            ordered &= last.row() <= rows.row(0);
        }
        self.last = rows.num_rows().checked_sub(1).map(|i| rows.row(i).owned());
        let at = self.rows;
        self.note(!ordered, "order", || {
            format!("its rows are not in order, from row {at} on")
        });
        Ok(())
    }

    fn check_bounds(&mut self, stats: &'a ColumnStats, values: &ArrayRef) {
        *self.nulls.entry(&stats.column).or_default() += values.null_count() as u64;
        let inside = match &stats.bounds {
            Some(bounds) => within(bounds, values),
            None => values.null_count() == values.len(),
        };
        self.note(!inside, &format!("bounds {}", stats.column), || {
            format!("column {} has a value outside of its bounds", stats.column)
        });
    }

    fn check_maps(&mut self, batch: &RecordBatch) -> Result<()> {
        let overflow = column(batch, "attributes")?.as_string::<i32>();
        for map in overflow.iter().flatten() {
            self.note(!decode::is_canonical(map), "canonical", || {
                format!("attributes {map} are not in canonical form")
            });
            let Some(listed) = &self.object.overflow_keys else {
                continue;
            };
            let unlisted = decode::entries(map).any(|entry| {
                listed
                    .binary_search_by(|key| (**key).cmp(&*entry.key()))
                    .is_err()
            });
            self.note(unlisted, "overflow", || {
                format!("a key of {map} is not listed")
            });
        }
        for promoted in &self.object.promoted {
            let values = column(batch, &promoted.column)?;
            let twice = overflow.iter().enumerate().any(|(row, map)| {
                values.is_valid(row)
                    && map.is_some_and(|map| decode::find(map, &promoted.key).is_some())
            });
            self.note(twice, &format!("twice {}", promoted.column), || {
                format!(
                    "key {} is promoted and in the overflow of one row",
                    promoted.key
                )
            });
        }
        Ok(())
    }

    fn check_index(&mut self, name: &str, ids: &ArrayRef) -> Result<()> {
        let ids = ids.as_fixed_size_binary();
        let mut lost = false;
        if let Some(index) = &self.index {
            for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
                let at = self.rows + row as u64;
                lost |= match index.blocks_with(self.object.table, name, ids.value(row)) {
                    Ok(Answer::Known(Blocks::Rows(rows))) => !rows.iter().any(|r| r.contains(&at)),
                    Ok(Answer::Known(Blocks::Unknown)) => false,
                    // The whole sidecar is in memory, so what lies beyond it is damage.
                    Ok(Answer::Ask(..)) | Err(_) => true,
                };
            }
        }
        self.note(lost, &format!("index {name}"), || {
            format!("the index does not find every value of column {name}")
        });
        Ok(())
    }
}

/// Whether this build makes the tokens of the object that the sidecar has.
fn is_comparable(head: &Head, object: &ObjectMeta) -> bool {
    let subjects = Tokens::subjects_of(object.table);
    let text = head.text(object.table);
    text.is_some_and(|text| subjects.into_iter().all(|subject| text.has(subject)))
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| Error::Corrupt {
        what: "the schema of an object".to_string(),
        detail: format!("it has no column {name}"),
    })
}

/// Whether all values lie within the bounds; false for bounds of another type.
fn within(bounds: &Bounds, values: &ArrayRef) -> bool {
    match (bounds, values.data_type()) {
        (Bounds::Int(min, max), DataType::Int32) => {
            let values = values.as_primitive::<Int32Type>();
            let in_bounds = |v: i32| *min <= i64::from(v) && i64::from(v) <= *max;
            values.iter().flatten().all(in_bounds)
        }
        (Bounds::Int(min, max), DataType::Int64) => values
            .as_primitive::<Int64Type>()
            .iter()
            .flatten()
            .all(|v| *min <= v && v <= *max),
        (Bounds::Int(min, max), DataType::Timestamp(..)) => {
            let values = values.as_primitive::<TimestampNanosecondType>();
            values.iter().flatten().all(|v| *min <= v && v <= *max)
        }
        (Bounds::Double(min, max), DataType::Float64) => values
            .as_primitive::<Float64Type>()
            .iter()
            .flatten()
            .all(|v| *min <= v && v <= *max),
        (Bounds::Text(min, max), DataType::Utf8) => {
            let in_bounds = |v: &str| min.as_str() <= v && v <= max.as_str();
            values.as_string::<i32>().iter().flatten().all(in_bounds)
        }
        (Bounds::Bytes(min, max), DataType::FixedSizeBinary(_)) => {
            let in_bounds = |v: &[u8]| min.as_slice() <= v && v <= max.as_slice();
            values
                .as_fixed_size_binary()
                .iter()
                .flatten()
                .all(in_bounds)
        }
        (Bounds::Bool(min, max), DataType::Boolean) => {
            let values: &BooleanArray = values.as_boolean();
            values.iter().flatten().all(|v| *min <= v && v <= *max)
        }
        _ => false,
    }
}

fn arrow(source: arrow::error::ArrowError) -> Error {
    Error::Arrow {
        doing: "checking rows of a segment",
        source,
    }
}
