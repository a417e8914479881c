//! Values of which a quantile is asked: as they are while they are few, then in buckets of 1 % width.
//!
//! The buckets are those of DDSketch (Masson et al., 2019): the answer is at most half a percent away from a value of the
//! rank that was asked for, whatever the values are, and buckets merge without loss.

use crate::limits;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(super) enum Quantile {
    Exact(Vec<f64>),
    Sketch(Sketch),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Sketch {
    negative: BTreeMap<i32, u64>,
    zeros: u64,
    positive: BTreeMap<i32, u64>,
    nans: u64,
    lowest: f64,
    highest: f64,
}

/// How much the upper end of a bucket is above its lower end.
const GAMMA: f64 = 1.01;

impl Default for Quantile {
    fn default() -> Quantile {
        Quantile::Exact(Vec::new())
    }
}

impl Quantile {
    pub(super) fn add(&mut self, value: f64) {
        match self {
            Quantile::Exact(values) if values.len() < limits::EXACT_QUANTILE_VALUES => {
                values.push(value)
            }
            Quantile::Exact(values) => {
                let mut sketch = Sketch::of(values);
                sketch.add(value);
                *self = Quantile::Sketch(sketch);
            }
            Quantile::Sketch(sketch) => sketch.add(value),
        }
    }

    pub(super) fn merge(&mut self, other: &Quantile) {
        match (&mut *self, other) {
            (_, Quantile::Exact(values)) => values.iter().for_each(|value| self.add(*value)),
            (Quantile::Exact(values), Quantile::Sketch(other)) => {
                let mut sketch = Sketch::of(values);
                sketch.merge(other);
                *self = Quantile::Sketch(sketch);
            }
            (Quantile::Sketch(sketch), Quantile::Sketch(other)) => sketch.merge(other),
        }
    }

    /// The quantile, between two values where it lies between them; outside of 0 to 1 it is infinite.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        if quantile < 0.0 {
            return f64::NEG_INFINITY;
        }
        if quantile > 1.0 {
            return f64::INFINITY;
        }
        match self {
            Quantile::Exact(values) => {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                interpolate(sorted.len() as f64, quantile, |at| sorted.get(at).copied())
            }
            Quantile::Sketch(sketch) => interpolate(sketch.count() as f64, quantile, |at| {
                Some(sketch.value_at(at as u64))
            }),
        }
    }
}

fn interpolate(count: f64, quantile: f64, value_at: impl Fn(usize) -> Option<f64>) -> f64 {
    if count == 0.0 {
        return f64::NAN;
    }
    let rank = quantile * (count - 1.0);
    let lower = rank.floor();
    let upper = (lower + 1.0).min(count - 1.0);
    let weight = rank - lower;
    match (value_at(lower as usize), value_at(upper as usize)) {
        (Some(low), Some(_)) if weight == 0.0 => low,
        (Some(low), Some(high)) => low * (1.0 - weight) + high * weight,
        _ => f64::NAN,
    }
}

impl Sketch {
    fn of(values: &[f64]) -> Sketch {
        let mut sketch = Sketch {
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
            ..Sketch::default()
        };
        values.iter().for_each(|value| sketch.add(*value));
        sketch
    }

    fn add(&mut self, value: f64) {
        if value.is_nan() {
            self.nans += 1;
            return;
        }
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
        match value {
            0.0 => self.zeros += 1,
            _ if value > 0.0 => *self.positive.entry(bucket(value)).or_default() += 1,
            _ => *self.negative.entry(bucket(-value)).or_default() += 1,
        }
    }

    fn merge(&mut self, other: &Sketch) {
        self.nans += other.nans;
        self.zeros += other.zeros;
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
        for (bucket, count) in &other.positive {
            *self.positive.entry(*bucket).or_default() += count;
        }
        for (bucket, count) in &other.negative {
            *self.negative.entry(*bucket).or_default() += count;
        }
    }

    fn count(&self) -> u64 {
        let counts = self.positive.values().chain(self.negative.values());
        self.zeros + self.nans + counts.sum::<u64>()
    }

    /// The value of a rank, counted from 0: the middle of its bucket.
    fn value_at(&self, rank: u64) -> f64 {
        let negative = self
            .negative
            .iter()
            .rev()
            .map(|(bucket, count)| (-middle(*bucket), *count));
        let zeros = std::iter::once((0.0, self.zeros));
        let positive = self
            .positive
            .iter()
            .map(|(bucket, count)| (middle(*bucket), *count));
        let mut passed = 0;
        for (value, count) in negative.chain(zeros).chain(positive) {
            passed += count;
            if rank < passed {
                return value.clamp(self.lowest, self.highest);
            }
        }
        f64::NAN
    }
}

fn bucket(value: f64) -> i32 {
    (value.ln() / GAMMA.ln()).ceil() as i32
}

fn middle(bucket: i32) -> f64 {
    2.0 * GAMMA.powi(bucket) / (GAMMA + 1.0)
}
