//! The histogram itself: what is counted, in which buckets.

use super::{
    bounds::CUSTOM_SCHEMA,
    layout::{Buckets, Layout},
};
use std::sync::Arc;

/// Counts of observations by value, as floats, so that rates and means of histograms are histograms, too.
///
/// Of an exponential schema `s`, bucket `i` holds the values above 2^((i-1)/2^s) up to 2^(i/2^s), on the negative side
/// their mirror images. Of the custom schema, bucket `i` holds what is above `bounds[i-1]` up to `bounds[i]`; there is
/// one more above the last bound, nothing on the negative side and no zero bucket.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// `MIN_SCHEMA` to `MAX_SCHEMA`, or `CUSTOM_SCHEMA`.
    pub schema: i8,
    /// The zero bucket holds what is from `-zero_threshold` to `zero_threshold`.
    pub zero_threshold: f64,
    pub zero_count: f64,
    /// Of all observations; also of those that are NaN and in no bucket.
    pub count: f64,
    pub sum: f64,
    pub positive: Buckets,
    pub negative: Buckets,
    /// Strictly ascending, of the custom schema only.
    pub bounds: Arc<[f64]>,
    pub hint: ResetHint,
}

/// What is known of a counter's start between the point before and this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    #[default]
    Unknown,
    /// It started again.
    Reset,
    /// It went on.
    NotReset,
    /// This is no counter.
    Gauge,
}

impl Histogram {
    /// An empty histogram of the custom schema.
    pub fn custom(bounds: impl Into<Arc<[f64]>>) -> Histogram {
        Histogram {
            schema: CUSTOM_SCHEMA,
            bounds: bounds.into(),
            ..Histogram::default()
        }
    }

    /// Whether the bounds are listed.
    pub fn is_custom(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    /// The same histogram with another hint.
    pub fn with_hint(mut self, hint: ResetHint) -> Histogram {
        self.hint = hint;
        self
    }

    /// Everything times `factor`; a negative one makes a gauge of it.
    pub fn mul(&self, factor: f64) -> Histogram {
        let hint = if factor < 0.0 {
            ResetHint::Gauge
        } else {
            self.hint
        };
        self.map(|value| value * factor).with_hint(hint)
    }

    /// Everything divided by `divisor`; zero leaves no bucket but the zero bucket, a negative one makes a gauge of it.
    pub fn div(&self, divisor: f64) -> Histogram {
        let hint = if divisor < 0.0 {
            ResetHint::Gauge
        } else {
            self.hint
        };
        let mut result = self.map(|value| value / divisor).with_hint(hint);
        if divisor == 0.0 {
            result.positive = Buckets::default();
            result.negative = Buckets::default();
        }
        result
    }

    /// Everything with the other sign, as a gauge.
    pub fn neg(&self) -> Histogram {
        self.mul(-1.0)
    }

    /// The mean of the observations; NaN where there are none.
    pub fn avg(&self) -> f64 {
        self.sum / self.count
    }

    pub(super) fn layout(&self) -> Layout {
        Layout {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            bounds: Arc::clone(&self.bounds),
        }
    }

    fn map(&self, change: impl Fn(f64) -> f64) -> Histogram {
        Histogram {
            zero_count: change(self.zero_count),
            count: change(self.count),
            sum: change(self.sum),
            positive: self.positive.map(&change),
            negative: self.negative.map(&change),
            bounds: Arc::clone(&self.bounds),
            ..*self
        }
    }
}

/// The same data bit by bit, whatever the hint; this is what `==` and `changes` of PromQL compare.
impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        let numbers = |one: &Histogram| [one.zero_count, one.count, one.sum].map(f64::to_bits);
        self.layout().same(&other.layout())
            && numbers(self) == numbers(other)
            && self.positive.same(&other.positive)
            && self.negative.same(&other.negative)
    }
}
