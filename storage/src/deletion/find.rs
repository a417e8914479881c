//! Which rows of a segment, or of a buffered request, a tombstone deletes.
//!
//! Of spans the events and links of deleted ones go too; of metrics the points of the series that meet the conditions, as
//! far as they lie in the range of time, and a series when no point of it is left there.

use super::{
    field::main_table, letters::Letters, matching::Matcher, owners::RowId, predicate::Predicate,
    tombstone::Tombstone,
};
use crate::{
    error::{Error, Result},
    schema::{ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE},
    segment::{
        LiveSegment, Promoted, layout,
        merge::{Reading, scan},
    },
    signal::{Signal, Table},
};
use arrow::{
    array::{ArrayRef, AsArray, BooleanBufferBuilder, RecordBatch},
    buffer::BooleanBuffer,
    compute::cast,
    datatypes::{DataType, Int32Type, Int64Type, TimestampNanosecondType},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The rows that go, by table: one bit a row in the order of the file, set where it goes. Tables that keep all their rows
/// are not here.
pub type Removed = BTreeMap<Table, BooleanBuffer>;

/// Reads what the tombstone needs of a segment and finds the rows that go.
pub async fn in_segment(
    tombstone: &Tombstone,
    segment: &LiveSegment,
    reading: &Reading,
) -> Result<Removed> {
    let signal = segment.meta.signal;
    let objects = &segment.meta.objects;
    let main = objects.iter().find(|o| o.table == main_table(signal));
    let promoted = main.map_or(&[][..], |object| &object.promoted);
    let Some(mut finder) = Finder::new(tombstone, signal, promoted) else {
        return Ok(Removed::new());
    };
    if signal == Signal::Metrics {
        let columns = finder.series_columns();
        let mut select = |batch: &RecordBatch| finder.select(batch);
        scan(segment, Table::Series, &columns, reading, &mut select).await?;
    }
    let mut removed = Removed::new();
    for table in passes(signal) {
        if !objects.iter().any(|object| object.table == *table) || finder.is_idle(*table) {
            continue;
        }
        let columns = finder.columns(*table);
        let mut mask = BooleanBufferBuilder::new(0);
        let mut add = |batch: &RecordBatch| {
            mask.append_buffer(&finder.removed(*table, batch, None)?);
            Ok::<(), Error>(())
        };
        scan(segment, *table, &columns, reading, &mut add).await?;
        let mask = mask.finish();
        if mask.count_set_bits() > 0 {
            removed.insert(*table, mask);
        }
    }
    Ok(removed)
}

/// Finds the rows that go among the batches of one request with this epoch and sequence.
pub(super) fn in_request(
    tombstone: &Tombstone,
    signal: Signal,
    tables: &[(Table, RecordBatch)],
    seat: (u64, u64),
) -> Result<Removed> {
    let Some(mut finder) = Finder::new(tombstone, signal, &[]) else {
        return Ok(Removed::new());
    };
    let batch = |table: Table| tables.iter().find(|(t, _)| *t == table).map(|(_, b)| b);
    if signal == Signal::Metrics
        && let Some(series) = batch(Table::Series)
    {
        finder.select(series)?;
    }
    let mut removed = Removed::new();
    for table in passes(signal) {
        let Some(rows) = batch(*table).filter(|_| !finder.is_idle(*table)) else {
            continue;
        };
        let mask = finder.removed(*table, rows, Some(seat))?;
        if mask.count_set_bits() > 0 {
            removed.insert(*table, mask);
        }
    }
    Ok(removed)
}

/// The row ids of spans of a segment that meet the predicate, of requests up to `sequence`.
pub async fn spans_in_segment(
    predicate: &Predicate,
    sequence: u64,
    segment: &LiveSegment,
    reading: &Reading,
) -> Result<Vec<RowId>> {
    let objects = &segment.meta.objects;
    let Some(object) = objects.iter().find(|o| o.table == Table::Spans) else {
        return Ok(Vec::new());
    };
    let matcher = Matcher::new(predicate, Signal::Spans, &object.promoted);
    let mut columns = matcher.columns();
    columns.extend([ROW_EPOCH, ROW_SEQUENCE, ROW_ORDINAL].map(str::to_string));
    let mut found = Vec::new();
    let mut add = |batch: &RecordBatch| {
        let met = matcher.matches(batch)?;
        let ids = Ids::of(batch, None)?;
        let ids = met.set_indices().map(|row| ids.id(row));
        found.extend(ids.filter(|id| id.1 <= sequence));
        Ok::<(), Error>(())
    };
    scan(segment, Table::Spans, &columns, reading, &mut add).await?;
    Ok(found)
}

/// The row ids of spans of a buffered batch that meet the predicate.
pub fn spans_in_batch(
    predicate: &Predicate,
    batch: &RecordBatch,
    seat: (u64, u64),
) -> Result<Vec<RowId>> {
    let met = Matcher::new(predicate, Signal::Spans, &[]).matches(batch)?;
    let ids = Ids::of(batch, Some(seat))?;
    Ok(met.set_indices().map(|row| ids.id(row)).collect())
}

/// The tables of a signal in the order in which they have to be looked at.
fn passes(signal: Signal) -> &'static [Table] {
    match signal {
        Signal::Metrics => &[
            Table::Samples,
            Table::Histograms,
            Table::Exemplars,
            Table::Series,
        ],
        other => other.tables(),
    }
}

/// Finds rows table by table, in the order of [`passes`].
struct Finder<'a> {
    tombstone: &'a Tombstone,
    predicate: &'a Predicate,
    way: Way,
    /// Of metrics: the series that meet the conditions, and whether a point of each stays.
    series: HashMap<(String, i64), bool>,
    /// Of a buffered request: spans that go.
    spans: HashSet<RowId>,
}

enum Way {
    Rows(Matcher),
    Letters(Letters),
}

impl<'a> Finder<'a> {
    /// `None` where the tombstone deletes nothing of `signal`.
    fn new(tombstone: &'a Tombstone, signal: Signal, promoted: &[Promoted]) -> Option<Finder<'a>> {
        let predicate = tombstone.active()?;
        let way = if signal == tombstone.signal {
            Way::Rows(Matcher::new(predicate, signal, promoted))
        } else {
            Way::Letters(Letters::new(predicate, tombstone.signal)?)
        };
        Some(Finder {
            tombstone,
            predicate,
            way,
            series: HashMap::new(),
            spans: HashSet::new(),
        })
    }

    /// Whether nothing of the table can go, after the tables before it.
    fn is_idle(&self, table: Table) -> bool {
        match table {
            Table::SpanEvents | Table::SpanLinks => {
                self.tombstone.owners.is_empty() && self.spans.is_empty()
            }
            _ => table.signal() == Signal::Metrics && self.series.is_empty(),
        }
    }

    fn series_columns(&self) -> Vec<String> {
        let Way::Rows(matcher) = &self.way else {
            return Vec::new();
        };
        let mut columns = matcher.columns();
        columns.extend(["metric", "series_id"].map(str::to_string));
        columns
    }

    /// Notes the series that meet the conditions.
    fn select(&mut self, batch: &RecordBatch) -> Result<()> {
        let Way::Rows(matcher) = &self.way else {
            return Ok(());
        };
        let met = matcher.matches(batch)?;
        let keys = SeriesKeys::of(batch)?;
        let keys = met.set_indices().map(|row| keys.key(row));
        self.series
            .extend(keys.map(|(metric, id)| ((metric.to_string(), id), false)));
        Ok(())
    }

    /// The columns that [`Finder::removed`] looks at, as far as the rows have them.
    fn columns(&self, table: Table) -> Vec<String> {
        let mut columns: Vec<String> = match (&self.way, table) {
            (_, Table::SpanEvents | Table::SpanLinks) => Vec::new(),
            (_, Table::Series) => vec!["metric".to_string(), "series_id".to_string()],
            (_, table) if layout::has_series(table) => {
                let names = ["metric", "series_id", layout::TIME_MS, layout::TIME_REST_NS];
                names.map(str::to_string).to_vec()
            }
            (Way::Rows(matcher), _) => matcher.columns(),
            (Way::Letters(_), _) => Letters::columns(),
        };
        if table.signal() != Signal::Metrics {
            columns.extend([ROW_EPOCH, ROW_SEQUENCE, ROW_ORDINAL].map(str::to_string));
        }
        columns
    }

    /// The rows of the batch that go. `seat` is the epoch and sequence of a buffered request.
    fn removed(
        &mut self,
        table: Table,
        batch: &RecordBatch,
        seat: Option<(u64, u64)>,
    ) -> Result<BooleanBuffer> {
        match table {
            Table::SpanEvents | Table::SpanLinks => {
                let ids = Ids::of(batch, seat)?;
                let owners = &self.tombstone.owners;
                let goes = |row| {
                    let id = ids.id(row);
                    owners.contains(id) || self.spans.contains(&id)
                };
                Ok(BooleanBuffer::collect_bool(batch.num_rows(), goes))
            }
            Table::Series => {
                let keys = SeriesKeys::of(batch)?;
                let goes = |row| {
                    let (metric, id) = keys.key(row);
                    self.series.get(&(metric.to_string(), id)) == Some(&false)
                };
                Ok(BooleanBuffer::collect_bool(batch.num_rows(), goes))
            }
            table if layout::has_series(table) => self.points(batch),
            _ => self.rows(table, batch, seat),
        }
    }

    fn points(&mut self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let keys = SeriesKeys::of(batch)?;
        let times = Times::of(batch)?;
        let (series, predicate) = (&mut self.series, self.predicate);
        Ok(BooleanBuffer::collect_bool(batch.num_rows(), |row| {
            let (metric, id) = keys.key(row);
            let Some(stays) = series.get_mut(&(metric.to_string(), id)) else {
                return false;
            };
            let goes = predicate.covers_time(times.value(row));
            *stays |= !goes;
            goes
        }))
    }

    fn rows(
        &mut self,
        table: Table,
        batch: &RecordBatch,
        seat: Option<(u64, u64)>,
    ) -> Result<BooleanBuffer> {
        let met = match &self.way {
            Way::Rows(matcher) => matcher.matches(batch)?,
            Way::Letters(letters) => letters.matches(batch)?,
        };
        if met.count_set_bits() == 0 {
            return Ok(met);
        }
        let ids = Ids::of(batch, seat)?;
        let goes = |row| met.value(row) && ids.id(row).1 <= self.tombstone.sequence;
        let goes = BooleanBuffer::collect_bool(batch.num_rows(), goes);
        if table == Table::Spans && seat.is_some() {
            self.spans.extend(goes.set_indices().map(|row| ids.id(row)));
        }
        Ok(goes)
    }
}

/// The row ids of a batch.
struct Ids {
    /// Epoch and sequence of each row, or of all.
    seat: Option<(u64, u64)>,
    epochs: Option<ArrayRef>,
    sequences: Option<ArrayRef>,
    ordinals: ArrayRef,
}

impl Ids {
    fn of(batch: &RecordBatch, seat: Option<(u64, u64)>) -> Result<Ids> {
        let of_rows = |name: &str| match seat {
            Some(_) => Ok(None),
            None => Ok::<_, Error>(Some(column(batch, name)?.clone())),
        };
        Ok(Ids {
            seat,
            epochs: of_rows(ROW_EPOCH)?,
            sequences: of_rows(ROW_SEQUENCE)?,
            ordinals: column(batch, ROW_ORDINAL)?.clone(),
        })
    }

    fn id(&self, row: usize) -> RowId {
        let word = |array: &Option<ArrayRef>, or: fn((u64, u64)) -> u64| match array {
            Some(array) => array.as_primitive::<Int64Type>().value(row) as u64,
            None => self.seat.map_or(0, or),
        };
        let ordinal = self.ordinals.as_primitive::<Int32Type>().value(row) as u32;
        (
            word(&self.epochs, |seat| seat.0),
            word(&self.sequences, |seat| seat.1),
            ordinal,
        )
    }
}

/// Which series the rows of a batch are of.
struct SeriesKeys {
    metrics: ArrayRef,
    ids: ArrayRef,
}

impl SeriesKeys {
    fn of(batch: &RecordBatch) -> Result<SeriesKeys> {
        let metrics = cast(column(batch, "metric")?, &DataType::Utf8View).map_err(arrow)?;
        let ids = column(batch, "series_id")?.clone();
        Ok(SeriesKeys { metrics, ids })
    }

    fn key(&self, row: usize) -> (&str, i64) {
        (
            self.metrics.as_string_view().value(row),
            self.ids.as_primitive::<Int64Type>().value(row),
        )
    }
}

/// The times of points, whole as in the buffer or split as in a file.
enum Times {
    Whole(ArrayRef),
    Split(ArrayRef, ArrayRef),
}

impl Times {
    fn of(batch: &RecordBatch) -> Result<Times> {
        if let Some(times) = batch.column_by_name("timestamp") {
            return Ok(Times::Whole(times.clone()));
        }
        let (millis, rest) = (layout::TIME_MS, layout::TIME_REST_NS);
        Ok(Times::Split(
            column(batch, millis)?.clone(),
            column(batch, rest)?.clone(),
        ))
    }

    fn value(&self, row: usize) -> i64 {
        match self {
            Times::Whole(times) => times.as_primitive::<TimestampNanosecondType>().value(row),
            Times::Split(millis, rest) => {
                let millis = millis.as_primitive::<Int64Type>().value(row);
                let rest = rest.as_primitive::<Int32Type>().value(row);
                millis.saturating_mul(1_000_000).saturating_add(rest.into())
            }
        }
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::Internal(format!("rows to delete have no column {name}")))
}

fn arrow(source: arrow::error::ArrowError) -> Error {
    Error::Arrow {
        doing: "looking for points to delete",
        source,
    }
}
