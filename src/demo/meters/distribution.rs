//! Histograms with fixed bounds, with exponential buckets, and quantiles of a window.

use crate::demo::{attributes::attribute, journey::Measurement};
use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint,
        Histogram, HistogramDataPoint, Summary, SummaryDataPoint, exemplar,
        exponential_histogram_data_point::Buckets, metric::Data,
        summary_data_point::ValueAtQuantile,
    },
};
use std::collections::BTreeMap;

/// Exemplars kept for one point: the latest measurements.
const EXEMPLARS: usize = 2;

/// A cumulative histogram with fixed bounds.
pub(super) struct Explicit {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    sum: f64,
    min: f64,
    max: f64,
    exemplars: Vec<Exemplar>,
}

impl Explicit {
    /// Bounds as the semantic conventions want them for durations.
    pub(super) fn of_seconds() -> Explicit {
        Explicit::new(&[
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        ])
    }

    /// Powers of four.
    pub(super) fn of_bytes() -> Explicit {
        Explicit::new(&[256.0, 1_024.0, 4_096.0, 16_384.0])
    }

    fn new(bounds: &[f64]) -> Explicit {
        Explicit {
            bounds: bounds.to_vec(),
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            exemplars: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, value: f64, measurement: &Measurement) {
        // The upper bound of a bucket belongs to it.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        keep(&mut self.exemplars, value, measurement);
    }

    /// The point of now; exemplars are told once.
    pub(super) fn export(&mut self, attributes: Vec<KeyValue>, (start, end): (u64, u64)) -> Data {
        let point = HistogramDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: end,
            count: self.counts.iter().sum(),
            sum: Some(self.sum),
            bucket_counts: self.counts.clone(),
            explicit_bounds: self.bounds.clone(),
            exemplars: std::mem::take(&mut self.exemplars),
            min: Some(self.min),
            max: Some(self.max),
            ..HistogramDataPoint::default()
        };
        Data::Histogram(Histogram {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        })
    }
}

/// Buckets grow by 2^(1/8), about 9 %.
const SCALE: i32 = 3;

/// A delta histogram with exponential buckets.
#[derive(Default)]
pub(super) struct Exponential {
    counts: BTreeMap<i32, u64>,
    sum: f64,
    exemplars: Vec<Exemplar>,
}

impl Exponential {
    pub(super) fn record(&mut self, value: f64, measurement: &Measurement) {
        // Bucket i holds (base^i, base^(i+1)], base = 2^(2^-scale): OTLP data model, ExponentialHistogram.
        let index = (value.max(1e-9).log2() * f64::from(1 << SCALE)).ceil() as i32 - 1;
        *self.counts.entry(index).or_default() += 1;
        self.sum += value;
        keep(&mut self.exemplars, value, measurement);
    }

    pub(super) fn export(self, attributes: Vec<KeyValue>, (start, end): (u64, u64)) -> Data {
        let first = self.counts.keys().next().copied().unwrap_or(0);
        let last = self.counts.keys().next_back().copied().unwrap_or(-1);
        let bucket_counts = (first..=last)
            .map(|index| self.counts.get(&index).copied().unwrap_or(0))
            .collect();
        let point = ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: end,
            count: self.counts.values().sum(),
            sum: Some(self.sum),
            scale: SCALE,
            positive: Some(Buckets {
                offset: first,
                bucket_counts,
            }),
            exemplars: self.exemplars,
            ..ExponentialHistogramDataPoint::default()
        };
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Delta.into(),
        })
    }
}

/// A summary as old clients send it: quantiles of the last window, count and sum since the start.
#[derive(Default)]
pub(super) struct Quantiles {
    window: Vec<f64>,
    count: u64,
    sum: f64,
}

impl Quantiles {
    pub(super) fn record(&mut self, value: f64) {
        self.window.push(value);
        self.count += 1;
        self.sum += value;
    }

    pub(super) fn export(&mut self, attributes: Vec<KeyValue>, (start, end): (u64, u64)) -> Data {
        let mut window = std::mem::take(&mut self.window);
        window.sort_by(f64::total_cmp);
        let value = |quantile: f64| {
            let at = (quantile * window.len().saturating_sub(1) as f64).round() as usize;
            // No measurement in the window: no value, which a summary says with NaN.
            window.get(at).copied().unwrap_or(f64::NAN)
        };
        let quantile_values = [0.5, 0.9, 0.99]
            .map(|quantile| ValueAtQuantile {
                quantile,
                value: value(quantile),
            })
            .to_vec();
        let point = SummaryDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: end,
            count: self.count,
            sum: self.sum,
            quantile_values,
            ..SummaryDataPoint::default()
        };
        Data::Summary(Summary {
            data_points: vec![point],
        })
    }
}

fn keep(exemplars: &mut Vec<Exemplar>, value: f64, measurement: &Measurement) {
    if exemplars.len() == EXEMPLARS {
        exemplars.remove(0);
    }
    exemplars.push(Exemplar {
        filtered_attributes: vec![attribute("k8s.pod.name", measurement.pod.name())],
        time_unix_nano: measurement.time,
        span_id: measurement.span_id.clone(),
        trace_id: measurement.trace_id.clone(),
        value: Some(exemplar::Value::AsDouble(value)),
    });
}
