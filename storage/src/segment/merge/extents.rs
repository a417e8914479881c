//! Where the points of each series are in a merged segment, as its rows go by.

use crate::{
    error::{Error, Result},
    segment::{layout::Source, series::Extent},
    signal::Table,
};
use arrow::{
    array::{
        ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
    },
    datatypes::{Int32Type, Int64Type},
};
use std::{collections::BTreeMap, sync::Arc};

/// A series by its metric and id.
type Key = (Arc<str>, i64);

/// The extents of the series seen so far.
#[derive(Default)]
pub(super) struct Extents {
    found: BTreeMap<Key, Extent>,
    /// The series whose points go by.
    open: Option<(Key, Extent)>,
    /// Rows that went by of the table.
    rows: i64,
}

impl Extents {
    /// Takes the next rows of a table of points, with the columns of its file. A series whose points were in a table
    /// before keeps the extent that it has; exemplars have no rows of their own.
    pub(super) fn add(&mut self, table: Table, columns: &PointColumns) {
        let counted = table != Table::Exemplars;
        for row in 0..columns.ids.len() {
            let (metric, id) = (columns.metrics.value(row), columns.ids.value(row));
            let time = columns.millis.value(row) * 1_000_000 + i64::from(columns.rest.value(row));
            match &mut self.open {
                Some(((name, of), extent)) if *of == id && **name == *metric => {
                    extent.max_timestamp = time;
                    extent.row_count += i64::from(counted);
                }
                _ => {
                    self.close();
                    let extent = Extent {
                        min_timestamp: time,
                        max_timestamp: time,
                        row_start: if counted { self.rows } else { 0 },
                        row_count: i64::from(counted),
                    };
                    self.open = Some(((metric.into(), id), extent));
                }
            }
            self.rows += 1;
        }
    }

    /// The table ends.
    pub(super) fn end_table(&mut self) {
        self.close();
        self.rows = 0;
    }

    fn close(&mut self) {
        if let Some((key, extent)) = self.open.take() {
            self.found.entry(key).or_insert(extent);
        }
    }

    /// The column that `source` names, for rows of `series`.
    pub(super) fn column(&self, source: Source, series: &SeriesColumns) -> Result<ArrayRef> {
        let extents = || {
            (0..series.ids.len()).map(|row| {
                let key = (series.metrics.value(row).into(), series.ids.value(row));
                self.found.get(&key).copied().ok_or_else(|| {
                    Error::Internal(format!(
                        "a series of {} has no points",
                        series.metrics.value(row)
                    ))
                })
            })
        };
        let instants = |values: Vec<i64>| -> ArrayRef {
            Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
        };
        let all =
            |of: fn(Extent) -> i64| extents().map(|e| e.map(of)).collect::<Result<Vec<i64>>>();
        Ok(match source {
            Source::MinTimestamp => instants(all(|extent| extent.min_timestamp)?),
            Source::MaxTimestamp => instants(all(|extent| extent.max_timestamp)?),
            Source::RowStart => Arc::new(Int64Array::from(all(|extent| extent.row_start)?)),
            _ => Arc::new(Int64Array::from(all(|extent| extent.row_count)?)),
        })
    }
}

/// The columns of points that say which series and when.
pub(super) struct PointColumns {
    metrics: StringViewArray,
    ids: Int64Array,
    millis: Int64Array,
    rest: arrow::array::Int32Array,
}

impl PointColumns {
    /// Of a batch of `samples`, `histograms` or `exemplars`.
    pub(super) fn of(batch: &RecordBatch) -> Result<PointColumns> {
        Ok(PointColumns {
            metrics: column(batch, "metric")?.as_string_view().clone(),
            ids: column(batch, "series_id")?
                .as_primitive::<Int64Type>()
                .clone(),
            millis: column(batch, crate::segment::layout::TIME_MS)?
                .as_primitive::<Int64Type>()
                .clone(),
            rest: column(batch, crate::segment::layout::TIME_REST_NS)?
                .as_primitive::<Int32Type>()
                .clone(),
        })
    }
}

/// The columns of `series` that say which one it is.
pub(super) struct SeriesColumns {
    metrics: StringViewArray,
    ids: Int64Array,
}

impl SeriesColumns {
    /// Of a batch of `series`.
    pub(super) fn of(batch: &RecordBatch) -> Result<SeriesColumns> {
        Ok(SeriesColumns {
            metrics: column(batch, "metric")?.as_string_view().clone(),
            ids: column(batch, "series_id")?
                .as_primitive::<Int64Type>()
                .clone(),
        })
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::Internal(format!("rows of series are merged without {name}")))
}
