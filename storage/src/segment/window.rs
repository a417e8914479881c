//! Cuts buffered requests by event hour: which rows of which request go into which segment.

use super::path::Window;
use crate::{
    buffered::BufferedRequest,
    error::{Error, Result},
    schema,
    signal::{Signal, Table},
    time::{Nanos, TimeRange},
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::TimestampNanosecondType,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Rows of one request's batch of one table that stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRange {
    /// Position of the request in what was given to [`plan`].
    pub request: u32,
    pub start: u32,
    pub rows: u32,
}

/// The rows that make one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowPlan {
    pub window: Window,
    /// The event times of all rows.
    pub time: TimeRange,
    /// Rows by table; tables without rows are left out, and so is `series`, whose rows follow from those that
    /// refer to them.
    pub tables: Vec<(Table, Vec<RowRange>)>,
}

impl WindowPlan {
    /// The rows of the signal's records (for metrics: of samples and histograms).
    pub fn rows(&self) -> u64 {
        let records = |table: &Table| {
            matches!(table, Table::Logs | Table::Spans | Table::Samples)
                || matches!(table, Table::Histograms | Table::DeadLetters)
        };
        let tables = self.tables.iter().filter(|(table, _)| records(table));
        tables
            .flat_map(|(_, ranges)| ranges)
            .map(|range| u64::from(range.rows))
            .sum()
    }
}

/// Cuts the rows of `requests` by event hour. At most `max_open_hours` hours (those with most rows) get a segment of
/// their own; what remains makes one late segment.
pub fn plan(
    requests: &[Arc<BufferedRequest>],
    signal: Signal,
    max_open_hours: usize,
) -> Result<Vec<WindowPlan>> {
    let mut hours: BTreeMap<Nanos, Rows> = BTreeMap::new();
    for (number, request) in requests.iter().enumerate() {
        for (table, batch) in &request.tables {
            if *table == Table::Series || table.signal() != signal {
                continue;
            }
            cut(&mut hours, number as u32, *table, batch)?;
        }
    }
    let open = open_hours(&hours, max_open_hours);
    let mut late = Rows::default();
    let mut plans = Vec::new();
    for (hour, rows) in hours {
        if open.contains(&hour) {
            plans.extend(rows.plan(Window::Hour(hour)));
        } else {
            late.take(rows);
        }
    }
    plans.extend(late.plan(Window::Late));
    Ok(plans)
}

/// Rows of one window as they are collected.
#[derive(Default)]
struct Rows {
    tables: BTreeMap<Table, Vec<RowRange>>,
    time: Option<TimeRange>,
    count: u64,
}

impl Rows {
    fn add(&mut self, table: Table, range: RowRange, time: TimeRange) {
        self.count += u64::from(range.rows);
        self.time = Some(self.time.map_or(time, |t| t.union(time)));
        let ranges = self.tables.entry(table).or_default();
        match ranges.last_mut() {
            Some(last)
                if last.request == range.request && last.start + last.rows == range.start =>
            {
                last.rows += range.rows;
            }
            _ => ranges.push(range),
        }
    }

    fn take(&mut self, other: Rows) {
        self.count += other.count;
        self.time = match (self.time, other.time) {
            (Some(a), Some(b)) => Some(a.union(b)),
            (a, b) => a.or(b),
        };
        for (table, ranges) in other.tables {
            self.tables.entry(table).or_default().extend(ranges);
        }
    }

    fn plan(mut self, window: Window) -> Option<WindowPlan> {
        for ranges in self.tables.values_mut() {
            // Rows that came in from several hours stand in the order of arrival again.
            ranges.sort_by_key(|range| (range.request, range.start));
        }
        let tables = self.tables.into_iter().collect();
        Some(WindowPlan {
            window,
            time: self.time?,
            tables,
        })
    }
}

/// The hours that get a segment of their own.
fn open_hours(hours: &BTreeMap<Nanos, Rows>, max_open_hours: usize) -> HashSet<Nanos> {
    let mut by_rows: Vec<(u64, Nanos)> = hours.iter().map(|(h, rows)| (rows.count, *h)).collect();
    by_rows.sort_unstable_by(|a, b| b.cmp(a));
    by_rows
        .into_iter()
        .take(max_open_hours)
        .map(|(_, hour)| hour)
        .collect()
}

/// Adds the rows of one batch to their hours.
fn cut(
    hours: &mut BTreeMap<Nanos, Rows>,
    request: u32,
    table: Table,
    batch: &RecordBatch,
) -> Result<()> {
    let times = timestamps(table, batch)?;
    let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) else {
        return Ok(());
    };
    let whole = TimeRange {
        min: Nanos(*min),
        max: Nanos(*max),
    };
    if whole.min.hour() == whole.max.hour() {
        let range = RowRange {
            request,
            start: 0,
            rows: times.len() as u32,
        };
        hours
            .entry(whole.min.hour())
            .or_default()
            .add(table, range, whole);
        return Ok(());
    }
    for (row, time) in times.iter().enumerate() {
        let range = RowRange {
            request,
            start: row as u32,
            rows: 1,
        };
        let time = Nanos(*time);
        let instant = TimeRange {
            min: time,
            max: time,
        };
        hours
            .entry(time.hour())
            .or_default()
            .add(table, range, instant);
    }
    Ok(())
}

/// The `timestamp` column of a batch as decoders make it.
pub(super) fn timestamps(table: Table, batch: &RecordBatch) -> Result<&[i64]> {
    let array = batch
        .column_by_name("timestamp")
        .and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>())
        .filter(|array| array.null_count() == 0)
        .ok_or_else(|| {
            let expected = schema::batch_schema(table);
            Error::Internal(format!(
                "a batch of {table} has the columns {:?} instead of {expected:?}",
                batch.schema()
            ))
        })?;
    Ok(array.values())
}
