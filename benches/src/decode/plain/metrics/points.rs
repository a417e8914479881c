//! The tables `samples`, `histograms` and `exemplars`.

use crate::decode::plain::{Repeated, id, instant_or_null, instants};
use anyhow::Result;
use arrow::{
    array::{
        ArrayRef, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, Int64Builder, ListBuilder,
        RecordBatch, StringBuilder, TimestampNanosecondBuilder, UInt64Builder, new_null_array,
    },
    datatypes::{DataType, Field},
};
use cairn_storage::{schema::batch_schema, signal::Table};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, number_data_point::Value,
};
use std::sync::Arc;

/// What all data points have.
pub(super) struct Point {
    pub(super) series_id: i64,
    pub(super) time: u64,
    pub(super) start: u64,
    pub(super) flags: u32,
    pub(super) ordinal: i32,
}

/// The columns that all data points have.
pub(super) struct OfPoint {
    series_id: Int64Builder,
    metric: Repeated,
    time: TimestampNanosecondBuilder,
    start: TimestampNanosecondBuilder,
    flags: Int64Builder,
    ordinal: Int32Builder,
    /// Rows whose metric has been appended.
    in_metric: usize,
    rows: usize,
}

impl OfPoint {
    fn new() -> OfPoint {
        OfPoint {
            series_id: Int64Builder::new(),
            metric: Repeated::new(),
            time: instants(0),
            start: instants(0),
            flags: Int64Builder::new(),
            ordinal: Int32Builder::new(),
            in_metric: 0,
            rows: 0,
        }
    }

    fn append(&mut self, point: &Point) {
        self.series_id.append_value(point.series_id);
        self.time.append_value(point.time as i64);
        instant_or_null(&mut self.start, point.start);
        self.flags.append_value(i64::from(point.flags));
        self.ordinal.append_value(point.ordinal);
        self.rows += 1;
    }

    /// Completes the rows of a metric.
    pub(super) fn end_metric(&mut self, name: &str) {
        if self.rows > self.in_metric {
            self.metric.append_values(name, self.rows - self.in_metric);
            self.in_metric = self.rows;
        }
    }

    fn finish_head(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.series_id.finish()),
            Arc::new(self.metric.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.start.finish()),
        ]
    }
}

pub(super) struct Samples {
    pub(super) of: OfPoint,
    value: Float64Builder,
    value_int: Int64Builder,
}

impl Samples {
    pub(super) fn new() -> Samples {
        Samples {
            of: OfPoint::new(),
            value: Float64Builder::new(),
            value_int: Int64Builder::new(),
        }
    }

    pub(super) fn append(&mut self, point: &Point, value: Option<Value>) {
        self.of.append(point);
        let (double, int) = match value {
            None => (None, None),
            Some(Value::AsDouble(value)) => (Some(value), None),
            Some(Value::AsInt(value)) => (None, Some(value)),
        };
        self.value.append_option(double);
        self.value_int.append_option(int);
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let mut columns = self.of.finish_head();
        columns.push(Arc::new(self.value.finish()));
        columns.push(Arc::new(self.value_int.finish()));
        columns.push(Arc::new(self.of.flags.finish()));
        columns.push(Arc::new(self.of.ordinal.finish()));
        Ok(RecordBatch::try_new(batch_schema(Table::Samples), columns)?)
    }
}

type Doubles = ListBuilder<Float64Builder>;
type Counts = ListBuilder<UInt64Builder>;

fn doubles() -> Doubles {
    ListBuilder::new(Float64Builder::new()).with_field(Field::new("item", DataType::Float64, false))
}

fn counts() -> Counts {
    ListBuilder::new(UInt64Builder::new()).with_field(Field::new("item", DataType::UInt64, false))
}

pub(super) struct Histograms {
    pub(super) of: OfPoint,
    count: UInt64Builder,
    sum: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
    bounds: Doubles,
    counts: Counts,
    scale: Int32Builder,
    zero_count: UInt64Builder,
    zero_threshold: Float64Builder,
    positive: (Int32Builder, Counts),
    negative: (Int32Builder, Counts),
    quantiles: Doubles,
    quantile_values: Doubles,
}

impl Histograms {
    pub(super) fn new() -> Histograms {
        Histograms {
            of: OfPoint::new(),
            count: UInt64Builder::new(),
            sum: Float64Builder::new(),
            min: Float64Builder::new(),
            max: Float64Builder::new(),
            bounds: doubles(),
            counts: counts(),
            scale: Int32Builder::new(),
            zero_count: UInt64Builder::new(),
            zero_threshold: Float64Builder::new(),
            positive: (Int32Builder::new(), counts()),
            negative: (Int32Builder::new(), counts()),
            quantiles: doubles(),
            quantile_values: doubles(),
        }
    }

    fn append(&mut self, point: &Point, count: u64, sum_min_max: [Option<f64>; 3]) {
        self.of.append(point);
        self.count.append_value(count);
        let [sum, min, max] = sum_min_max;
        self.sum.append_option(sum);
        self.min.append_option(min);
        self.max.append_option(max);
    }

    fn append_no_explicit(&mut self) {
        self.bounds.append_null();
        self.counts.append_null();
    }

    fn append_no_exponential(&mut self) {
        self.scale.append_null();
        self.zero_count.append_null();
        self.zero_threshold.append_null();
        append_buckets(&mut self.positive, None);
        append_buckets(&mut self.negative, None);
    }

    fn append_no_quantiles(&mut self) {
        self.quantiles.append_null();
        self.quantile_values.append_null();
    }

    pub(super) fn append_explicit(&mut self, point: &Point, of: &HistogramDataPoint) {
        self.append(point, of.count, [of.sum, of.min, of.max]);
        self.bounds.values().append_slice(&of.explicit_bounds);
        self.bounds.append(true);
        self.counts.values().append_slice(&of.bucket_counts);
        self.counts.append(true);
        self.append_no_exponential();
        self.append_no_quantiles();
    }

    pub(super) fn append_exponential(&mut self, point: &Point, of: &ExponentialHistogramDataPoint) {
        self.append(point, of.count, [of.sum, of.min, of.max]);
        self.append_no_explicit();
        self.scale.append_value(of.scale);
        self.zero_count.append_value(of.zero_count);
        self.zero_threshold.append_value(of.zero_threshold);
        append_buckets(&mut self.positive, of.positive.as_ref());
        append_buckets(&mut self.negative, of.negative.as_ref());
        self.append_no_quantiles();
    }

    pub(super) fn append_summary(&mut self, point: &Point, of: &SummaryDataPoint) {
        self.append(point, of.count, [Some(of.sum), None, None]);
        self.append_no_explicit();
        self.append_no_exponential();
        for value in &of.quantile_values {
            self.quantiles.values().append_value(value.quantile);
            self.quantile_values.values().append_value(value.value);
        }
        self.quantiles.append(true);
        self.quantile_values.append(true);
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let mut columns = self.of.finish_head();
        let rest: Vec<ArrayRef> = vec![
            Arc::new(self.of.flags.finish()),
            Arc::new(self.count.finish()),
            Arc::new(self.sum.finish()),
            Arc::new(self.min.finish()),
            Arc::new(self.max.finish()),
            Arc::new(self.bounds.finish()),
            Arc::new(self.counts.finish()),
            Arc::new(self.scale.finish()),
            Arc::new(self.zero_count.finish()),
            Arc::new(self.zero_threshold.finish()),
            Arc::new(self.positive.0.finish()),
            Arc::new(self.positive.1.finish()),
            Arc::new(self.negative.0.finish()),
            Arc::new(self.negative.1.finish()),
            Arc::new(self.quantiles.finish()),
            Arc::new(self.quantile_values.finish()),
        ];
        columns.extend(rest);
        let schema = batch_schema(Table::Histograms);
        // What only Prometheus has.
        let (rows, ordinal) = (columns[0].len(), schema.fields().len() - 1);
        let others = &schema.fields()[columns.len()..ordinal];
        let nulls: Vec<ArrayRef> = others
            .iter()
            .map(|field| new_null_array(field.data_type(), rows))
            .collect();
        columns.extend(nulls);
        columns.push(Arc::new(self.of.ordinal.finish()));
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

fn append_buckets((offset, counts): &mut (Int32Builder, Counts), of: Option<&Buckets>) {
    offset.append_option(of.map(|of| of.offset));
    if let Some(of) = of {
        counts.values().append_slice(&of.bucket_counts);
    }
    counts.append(of.is_some());
}

pub(super) struct Exemplars {
    series_id: Int64Builder,
    metric: Repeated,
    time: TimestampNanosecondBuilder,
    point_time: TimestampNanosecondBuilder,
    value: Float64Builder,
    value_int: Int64Builder,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    attributes: StringBuilder,
    ordinal: Int32Builder,
    in_metric: usize,
    rows: usize,
}

impl Exemplars {
    pub(super) fn new() -> Exemplars {
        Exemplars {
            series_id: Int64Builder::new(),
            metric: Repeated::new(),
            time: instants(0),
            point_time: instants(0),
            value: Float64Builder::new(),
            value_int: Int64Builder::new(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            attributes: StringBuilder::new(),
            ordinal: Int32Builder::new(),
            in_metric: 0,
            rows: 0,
        }
    }

    pub(super) fn append(&mut self, point: &Point, of: &Exemplar, attributes: &str) -> Result<()> {
        self.series_id.append_value(point.series_id);
        self.time.append_value(match of.time_unix_nano {
            0 => point.time as i64,
            time => time as i64,
        });
        self.point_time.append_value(point.time as i64);
        let (double, int) = match of.value {
            None => (None, None),
            Some(exemplar::Value::AsDouble(value)) => (Some(value), None),
            Some(exemplar::Value::AsInt(value)) => (None, Some(value)),
        };
        self.value.append_option(double);
        self.value_int.append_option(int);
        id(&mut self.trace_id, &of.trace_id)?;
        id(&mut self.span_id, &of.span_id)?;
        self.attributes.append_value(attributes);
        self.ordinal.append_value(point.ordinal);
        self.rows += 1;
        Ok(())
    }

    /// Completes the rows of a metric.
    pub(super) fn end_metric(&mut self, name: &str) {
        if self.rows > self.in_metric {
            self.metric.append_values(name, self.rows - self.in_metric);
            self.in_metric = self.rows;
        }
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.series_id.finish()),
            Arc::new(self.metric.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.point_time.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.value_int.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.ordinal.finish()),
        ];
        let schema = batch_schema(Table::Exemplars);
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}
