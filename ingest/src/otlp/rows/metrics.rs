//! The tables `series`, `samples`, `histograms` and `exemplars` under construction.
//!
//! What all points of a metric share is filled once a metric (`end_metric`), a run of keys each.

use super::{
    SpanId, TraceId, batch,
    context::{ContextColumns, Resource, Scope},
};
use crate::otlp::columns::{
    DictionaryColumn, IdColumn, ListColumn, NULL_KEY, OptionalColumn, TextColumn, Unfit, booleans,
    named, numbers, times, times_or_null,
};
use arrow::{
    array::ArrayRef,
    datatypes::{Float64Type, Int32Type, Int64Type, UInt64Type},
    record_batch::RecordBatch,
};
use cairn_storage::signal::Table;

/// The kind of a metric's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum MetricKind {
    Gauge = 0,
    Sum = 1,
    Histogram = 2,
    ExponentialHistogram = 3,
    Summary = 4,
}

const KINDS: [&str; 5] = [
    "gauge",
    "sum",
    "histogram",
    "exponential_histogram",
    "summary",
];

/// What all points of a metric share.
#[derive(Debug, Clone, Copy)]
pub struct Metric<'a> {
    pub name: &'a [u8],
    pub kind: MetricKind,
    pub unit: &'a [u8],
    pub description: &'a [u8],
    /// 1 delta, 2 cumulative, 0 NULL; other numbers are kept as their digits.
    pub temporality: i32,
    /// `None` for all but sums.
    pub monotonic: Option<bool>,
    /// Canonical JSON.
    pub metadata: &'a [u8],
}

/// A number that is an integer or a double, or none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Number {
    #[default]
    None,
    Int(i64),
    Double(f64),
}

impl Number {
    fn double(self) -> Option<f64> {
        if let Number::Double(value) = self {
            Some(value)
        } else {
            None
        }
    }

    fn int(self) -> Option<i64> {
        if let Number::Int(value) = self {
            Some(value)
        } else {
            None
        }
    }
}

/// What data points of all kinds have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Point {
    pub series_id: i64,
    /// ns.
    pub time: i64,
    /// ns; 0 is NULL.
    pub start: i64,
    pub flags: u32,
    pub ordinal: u32,
}

/// The numbers of a histogram, exponential histogram or summary point; lists are in the table already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Distribution {
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub scale: i32,
    pub zero_count: u64,
    pub zero_threshold: f64,
    /// `None` where the point has no such buckets.
    pub positive_offset: Option<i32>,
    pub negative_offset: Option<i32>,
    /// Where counts are not whole numbers. Those of buckets are then in the lists of doubles, and `count` is the whole
    /// number next to this.
    pub count_double: Option<f64>,
    /// With `count_double` only.
    pub zero_count_double: Option<f64>,
    /// 1 reset, 2 no reset, 3 gauge.
    pub reset_hint: Option<i32>,
}

/// An exemplar less its attributes.
#[derive(Debug, Clone, Copy)]
pub struct Exemplar<'a> {
    /// ns; 0 where it has none.
    pub time: i64,
    pub value: Number,
    pub trace_id: &'a TraceId,
    pub span_id: &'a SpanId,
}

/// The table `series` under construction.
#[derive(Debug)]
pub struct SeriesRows {
    series_id: Vec<i64>,
    metric: DictionaryColumn,
    kind: Vec<i32>,
    unit: DictionaryColumn,
    description: DictionaryColumn,
    temporality: DictionaryColumn,
    monotonic: Vec<Option<bool>>,
    metadata: DictionaryColumn,
    attributes: TextColumn,
    context: ContextColumns,
}

impl SeriesRows {
    /// A table with room for `rows` rows from a request of `bytes` bytes.
    pub fn with_capacity(rows: usize, bytes: usize, seed: u64) -> Self {
        let texts = || DictionaryColumn::with_capacity(rows, seed);
        SeriesRows {
            series_id: Vec::with_capacity(rows),
            metric: texts(),
            kind: Vec::with_capacity(rows),
            unit: texts(),
            description: texts(),
            temporality: texts(),
            monotonic: Vec::with_capacity(rows),
            metadata: texts(),
            attributes: TextColumn::with_capacity(rows, bytes / 2),
            context: ContextColumns::with_capacity(rows, seed),
        }
    }

    /// Appends a row; `attributes` is canonical JSON.
    #[inline]
    pub fn push(&mut self, series_id: i64, attributes: &[u8]) {
        self.series_id.push(series_id);
        self.attributes.push(attributes);
    }

    /// Ends a metric: all rows since the last one are of it. The texts go into the dictionaries even if there is no
    /// row, so that whether they are UTF-8 shows in any case.
    pub fn end_metric(&mut self, metric: &Metric<'_>) {
        let rows = self.series_id.len();
        let count = rows - self.metric.rows();
        let name = self.metric.key(metric.name);
        self.metric.push_many(name, count);
        self.kind.resize(rows, metric.kind as i32);
        let unit = self.unit.key_or_null(metric.unit);
        self.unit.push_many(unit, count);
        let description = self.description.key_or_null(metric.description);
        self.description.push_many(description, count);
        let temporality = match metric.temporality {
            0 => NULL_KEY,
            1 => self.temporality.key(b"delta"),
            2 => self.temporality.key(b"cumulative"),
            other => self
                .temporality
                .key(itoa::Buffer::new().format(other).as_bytes()),
        };
        self.temporality.push_many(temporality, count);
        self.monotonic.resize(rows, metric.monotonic);
        let metadata = self.metadata.key(metric.metadata);
        self.metadata.push_many(metadata, count);
    }

    /// Ends a scope: all rows since the last one are of it.
    pub fn end_scope(&mut self, resource: &Resource, scope: &Scope) {
        self.context.fill(self.series_id.len(), resource, scope);
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let (service_name, context) = self.context.finish()?;
        let mut columns = vec![
            numbers::<Int64Type>(self.series_id)?,
            self.metric.finish()?,
            named(self.kind, &KINDS)?,
            self.unit.finish()?,
            self.description.finish()?,
            self.temporality.finish()?,
            booleans(self.monotonic),
            self.metadata.finish()?,
            service_name,
            self.attributes.finish(None)?,
        ];
        columns.extend(context);
        batch(Table::Series, columns)
    }
}

/// The columns that points of all kinds have.
#[derive(Debug)]
struct PointColumns {
    series_id: Vec<i64>,
    metric: DictionaryColumn,
    time: Vec<i64>,
    start: Vec<i64>,
    flags: Vec<i64>,
    ordinal: Vec<i32>,
}

impl PointColumns {
    fn with_capacity(rows: usize, seed: u64) -> Self {
        PointColumns {
            series_id: Vec::with_capacity(rows),
            metric: DictionaryColumn::with_capacity(rows, seed),
            time: Vec::with_capacity(rows),
            start: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            ordinal: Vec::with_capacity(rows),
        }
    }

    #[inline]
    fn push(&mut self, point: &Point) {
        self.series_id.push(point.series_id);
        self.time.push(point.time);
        self.start.push(point.start);
        self.flags.push(i64::from(point.flags));
        self.ordinal.push(point.ordinal as i32);
    }

    fn end_metric(&mut self, name: &[u8]) {
        end_metric(&mut self.metric, self.series_id.len(), name);
    }

    /// `series_id`, `metric`, `timestamp` and `start_timestamp`; then `flags` and `row_ordinal`.
    fn finish(self) -> Result<(Vec<ArrayRef>, ArrayRef, ArrayRef), Unfit> {
        let first = vec![
            numbers::<Int64Type>(self.series_id)?,
            self.metric.finish()?,
            times(self.time)?,
            times_or_null(self.start)?,
        ];
        Ok((
            first,
            numbers::<Int64Type>(self.flags)?,
            numbers::<Int32Type>(self.ordinal)?,
        ))
    }
}

/// Completes the column of metric names up to `rows` rows.
fn end_metric(column: &mut DictionaryColumn, rows: usize, name: &[u8]) {
    let count = rows - column.rows();
    if count > 0 {
        let key = column.key(name);
        column.push_many(key, count);
    }
}

/// The table `samples` under construction.
#[derive(Debug)]
pub struct SampleRows {
    points: PointColumns,
    value: OptionalColumn<Float64Type>,
    value_int: OptionalColumn<Int64Type>,
}

impl SampleRows {
    /// A table with room for `rows` rows.
    pub fn with_capacity(rows: usize, seed: u64) -> Self {
        SampleRows {
            points: PointColumns::with_capacity(rows, seed),
            value: OptionalColumn::with_capacity(rows),
            value_int: OptionalColumn::with_capacity(rows),
        }
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, point: &Point, value: Number) {
        self.points.push(point);
        self.value.push(value.double());
        self.value_int.push(value.int());
    }

    /// Ends a metric: all rows since the last one are of it.
    pub fn end_metric(&mut self, name: &[u8]) {
        self.points.end_metric(name);
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let (mut columns, flags, ordinal) = self.points.finish()?;
        columns.extend([
            self.value.finish()?,
            self.value_int.finish()?,
            flags,
            ordinal,
        ]);
        batch(Table::Samples, columns)
    }
}

/// The table `histograms` under construction. Lists that are not of a point's kind stay empty and become NULL.
#[derive(Debug)]
pub struct HistogramRows {
    points: PointColumns,
    count: Vec<u64>,
    sum: OptionalColumn<Float64Type>,
    min: OptionalColumn<Float64Type>,
    max: OptionalColumn<Float64Type>,
    pub explicit_bounds: ListColumn<Float64Type>,
    pub bucket_counts: ListColumn<UInt64Type>,
    scale: OptionalColumn<Int32Type>,
    zero_count: OptionalColumn<UInt64Type>,
    zero_threshold: OptionalColumn<Float64Type>,
    positive_offset: OptionalColumn<Int32Type>,
    pub positive_counts: ListColumn<UInt64Type>,
    negative_offset: OptionalColumn<Int32Type>,
    pub negative_counts: ListColumn<UInt64Type>,
    pub quantiles: ListColumn<Float64Type>,
    pub quantile_values: ListColumn<Float64Type>,
    count_double: OptionalColumn<Float64Type>,
    zero_count_double: OptionalColumn<Float64Type>,
    pub positive_counts_double: ListColumn<Float64Type>,
    pub negative_counts_double: ListColumn<Float64Type>,
    pub bucket_counts_double: ListColumn<Float64Type>,
    reset_hint: OptionalColumn<Int32Type>,
}

impl HistogramRows {
    /// An empty table.
    pub fn new(seed: u64) -> Self {
        HistogramRows {
            points: PointColumns::with_capacity(0, seed),
            count: Vec::new(),
            sum: OptionalColumn::with_capacity(0),
            min: OptionalColumn::with_capacity(0),
            max: OptionalColumn::with_capacity(0),
            explicit_bounds: ListColumn::default(),
            bucket_counts: ListColumn::default(),
            scale: OptionalColumn::with_capacity(0),
            zero_count: OptionalColumn::with_capacity(0),
            zero_threshold: OptionalColumn::with_capacity(0),
            positive_offset: OptionalColumn::with_capacity(0),
            positive_counts: ListColumn::default(),
            negative_offset: OptionalColumn::with_capacity(0),
            negative_counts: ListColumn::default(),
            quantiles: ListColumn::default(),
            quantile_values: ListColumn::default(),
            count_double: OptionalColumn::with_capacity(0),
            zero_count_double: OptionalColumn::with_capacity(0),
            positive_counts_double: ListColumn::default(),
            negative_counts_double: ListColumn::default(),
            bucket_counts_double: ListColumn::default(),
            reset_hint: OptionalColumn::with_capacity(0),
        }
    }

    /// Completes a row of `kind` whose lists are appended.
    pub fn push(&mut self, kind: MetricKind, point: &Point, of: &Distribution) {
        let explicit = kind == MetricKind::Histogram;
        let exponential = kind == MetricKind::ExponentialHistogram;
        let summary = kind == MetricKind::Summary;
        let whole = of.count_double.is_none();
        let (positive, negative) = (of.positive_offset.is_some(), of.negative_offset.is_some());
        self.points.push(point);
        self.count.push(of.count);
        self.sum.push(of.sum);
        self.min.push(of.min);
        self.max.push(of.max);
        self.explicit_bounds.end_row(explicit);
        self.bucket_counts.end_row(explicit && whole);
        self.scale.push(exponential.then_some(of.scale));
        self.zero_count
            .push((exponential && whole).then_some(of.zero_count));
        self.zero_threshold
            .push(exponential.then_some(of.zero_threshold));
        self.positive_offset.push(of.positive_offset);
        self.positive_counts.end_row(positive && whole);
        self.negative_offset.push(of.negative_offset);
        self.negative_counts.end_row(negative && whole);
        self.quantiles.end_row(summary);
        self.quantile_values.end_row(summary);
        self.count_double.push(of.count_double);
        self.zero_count_double.push(of.zero_count_double);
        self.positive_counts_double.end_row(positive && !whole);
        self.negative_counts_double.end_row(negative && !whole);
        self.bucket_counts_double.end_row(explicit && !whole);
        self.reset_hint.push(of.reset_hint);
    }

    /// Takes back the lists of a row that was not completed.
    pub fn abandon(&mut self) {
        self.explicit_bounds.abandon_row();
        self.bucket_counts.abandon_row();
        self.positive_counts.abandon_row();
        self.negative_counts.abandon_row();
        self.quantiles.abandon_row();
        self.quantile_values.abandon_row();
        self.positive_counts_double.abandon_row();
        self.negative_counts_double.abandon_row();
        self.bucket_counts_double.abandon_row();
    }

    /// Ends a metric: all rows since the last one are of it.
    pub fn end_metric(&mut self, name: &[u8]) {
        self.points.end_metric(name);
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let (mut columns, flags, ordinal) = self.points.finish()?;
        columns.extend([
            flags,
            numbers::<UInt64Type>(self.count)?,
            self.sum.finish()?,
            self.min.finish()?,
            self.max.finish()?,
            self.explicit_bounds.finish()?,
            self.bucket_counts.finish()?,
            self.scale.finish()?,
            self.zero_count.finish()?,
            self.zero_threshold.finish()?,
            self.positive_offset.finish()?,
            self.positive_counts.finish()?,
            self.negative_offset.finish()?,
            self.negative_counts.finish()?,
            self.quantiles.finish()?,
            self.quantile_values.finish()?,
            self.count_double.finish()?,
            self.zero_count_double.finish()?,
            self.positive_counts_double.finish()?,
            self.negative_counts_double.finish()?,
            self.bucket_counts_double.finish()?,
            self.reset_hint.finish()?,
            ordinal,
        ]);
        batch(Table::Histograms, columns)
    }
}

/// The table `exemplars` under construction.
#[derive(Debug)]
pub struct ExemplarRows {
    series_id: Vec<i64>,
    metric: DictionaryColumn,
    time: Vec<i64>,
    point_time: Vec<i64>,
    value: OptionalColumn<Float64Type>,
    value_int: OptionalColumn<Int64Type>,
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    /// Complete this first.
    pub attributes: TextColumn,
    ordinal: Vec<i32>,
}

impl ExemplarRows {
    /// An empty table.
    pub fn new(seed: u64) -> Self {
        ExemplarRows {
            series_id: Vec::new(),
            metric: DictionaryColumn::with_capacity(0, seed),
            time: Vec::new(),
            point_time: Vec::new(),
            value: OptionalColumn::with_capacity(0),
            value_int: OptionalColumn::with_capacity(0),
            trace_id: IdColumn::with_capacity(0),
            span_id: IdColumn::with_capacity(0),
            attributes: TextColumn::with_capacity(0, 0),
            ordinal: Vec::new(),
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// Completes a row whose attributes are complete.
    pub fn push(&mut self, point: &Point, exemplar: &Exemplar<'_>) {
        let timed = exemplar.time != 0;
        self.series_id.push(point.series_id);
        self.time
            .push(if timed { exemplar.time } else { point.time });
        self.point_time.push(point.time);
        self.value.push(exemplar.value.double());
        self.value_int.push(exemplar.value.int());
        self.trace_id.push(exemplar.trace_id);
        self.span_id.push(exemplar.span_id);
        self.ordinal.push(point.ordinal as i32);
    }

    /// Takes back the text of rows that were not completed.
    pub fn abandon(&mut self) {
        self.attributes.truncate(self.time.len());
    }

    /// Ends a metric: all rows since the last one are of it.
    pub fn end_metric(&mut self, name: &[u8]) {
        end_metric(&mut self.metric, self.time.len(), name);
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let columns = vec![
            numbers::<Int64Type>(self.series_id)?,
            self.metric.finish()?,
            times(self.time)?,
            times(self.point_time)?,
            self.value.finish()?,
            self.value_int.finish()?,
            self.trace_id.finish()?,
            self.span_id.finish()?,
            self.attributes.finish(None)?,
            numbers::<Int32Type>(self.ordinal)?,
        ];
        batch(Table::Exemplars, columns)
    }
}
