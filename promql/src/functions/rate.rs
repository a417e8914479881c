//! `rate`, `increase`, `delta`: differences over a range, extrapolated to its ends.
//!
//! The end of a range is extrapolated to where the points suggest that the series goes on: all the way where the next
//! point would be near, otherwise half the mean distance between points, and for a counter not below zero. Points of a
//! delta series are differences already: they are summed up, and nothing is extrapolated.

use super::{
    extended,
    over_time::sum_over_time,
    window::{RangeCall, Window},
};
use crate::{
    annotations::Combining,
    histogram::{Histogram, ResetHint},
    row::Sample,
    source::Temporality,
};
use std::sync::Arc;

pub(super) fn rate(window: &Window, call: &RangeCall) -> Sample {
    let seconds = call.range_ms as f64 / 1000.0;
    if call.temporality == Temporality::Cumulative && call.extension.is_none() {
        return extrapolated(window, call, (true, seconds));
    }
    match difference(window, call, true) {
        Sample::Float(value) => Sample::Float(value / seconds),
        Sample::Histogram(histogram) => histogram.div(seconds).into(),
        Sample::Absent => Sample::Absent,
    }
}

pub(super) fn increase(window: &Window, call: &RangeCall) -> Sample {
    difference(window, call, true)
}

pub(super) fn delta(window: &Window, call: &RangeCall) -> Sample {
    difference(window, call, false)
}

fn difference(window: &Window, call: &RangeCall, counter: bool) -> Sample {
    if call.temporality == Temporality::Delta {
        return sum_over_time(window, call);
    }
    if call.extension.is_some() && !window.is_mixed() {
        return extended::difference(window, call, counter);
    }
    extrapolated(window, call, (counter, 1.0))
}

/// The difference over the range, divided by `divisor`. It is the factor that is divided, so that all digits are
/// Prometheus'.
fn extrapolated(window: &Window, call: &RangeCall, (counter, divisor): (bool, f64)) -> Sample {
    if window.is_mixed() {
        call.notes.mixed_samples(call.span, call.metric);
        return Sample::Absent;
    }
    if let [(first_ms, first), .., (last_ms, _)] = window.histograms {
        let Some(histogram) = histogram_difference(window.histograms, call, counter) else {
            return Sample::Absent;
        };
        let ends = Ends {
            first_ms: *first_ms,
            last_ms: *last_ms,
            gaps: window.histograms.len() - 1,
        };
        let start = (histogram.count > 0.0).then_some(first.count / histogram.count);
        let factor = ends.factor(window, start.filter(|_| counter));
        return histogram.mul(factor / divisor).into();
    }
    let (&[first_ms, .., last_ms], &[first, .., last]) = (window.times_ms, window.values) else {
        return Sample::Absent;
    };
    let mut grown = last - first;
    if counter && window.falls {
        let mut before = first;
        for &value in &window.values[1..] {
            if value < before {
                grown += before;
            }
            before = value;
        }
    }
    let ends = Ends {
        first_ms,
        last_ms,
        gaps: window.times_ms.len() - 1,
    };
    let start = (grown > 0.0).then_some(first / grown);
    Sample::Float(grown * (ends.factor(window, start.filter(|_| counter)) / divisor))
}

/// The first and the last point of a window.
struct Ends {
    first_ms: i64,
    last_ms: i64,
    gaps: usize,
}

impl Ends {
    /// By what a difference of the ends is to be multiplied for the whole window. `start` of a counter is its first
    /// value relative to its growth; before it was zero there was nothing.
    #[inline]
    fn factor(&self, window: &Window, start: Option<f64>) -> f64 {
        let sampled = (self.last_ms - self.first_ms) as f64 / 1000.0;
        let mean_gap = sampled / self.gaps as f64;
        let near = mean_gap * 1.1;
        let mut before = (self.first_ms - window.start_ms) as f64 / 1000.0;
        if before >= near {
            before = mean_gap / 2.0;
        }
        if let Some(start) = start.filter(|start| *start >= 0.0) {
            before = before.min(sampled * start);
        }
        let mut after = (window.end_ms - self.last_ms) as f64 / 1000.0;
        if after >= near {
            after = mean_gap / 2.0;
        }
        (sampled + before + after) / sampled
    }
}

/// The last histogram less the first, and what was lost by resets in between.
fn histogram_difference(
    points: &[(i64, Arc<Histogram>)],
    call: &RangeCall,
    counter: bool,
) -> Option<Histogram> {
    let [(_, first), inner @ .., (_, last)] = points else {
        return None;
    };
    note_hints(points, call, counter);
    // What was counted before a reset has no part in the difference, nor has its layout.
    let reset_at_once = counter && points[1].1.detect_reset(first);
    let custom = if reset_at_once {
        points[1].1.is_custom()
    } else {
        first.is_custom()
    };
    let all_custom = !counter || inner.iter().all(|(_, point)| point.is_custom() == custom);
    if last.is_custom() != custom || !all_custom {
        call.notes.mixed_schemas(call.span, call.metric);
        return None;
    }
    let mut sum = Combination {
        histogram: Histogram::clone(last).with_hint(ResetHint::Gauge),
        call,
    };
    if !reset_at_once {
        sum.subtract(first)?;
    }
    if counter {
        for (at, pair) in points.windows(2).enumerate() {
            let resets = pair[1].1.detect_reset(&pair[0].1);
            if resets && !(at == 0 && reset_at_once) {
                sum.add(&pair[0].1)?;
            }
        }
    }
    Some(sum.histogram)
}

fn note_hints(points: &[(i64, Arc<Histogram>)], call: &RangeCall, counter: bool) {
    let gauge = |(_, point): &(i64, Arc<Histogram>)| point.hint == ResetHint::Gauge;
    if counter && points.iter().any(gauge) {
        call.notes.not_a_counter(call.span, call.metric);
    }
    let ends_are_gauges = points.first().is_some_and(gauge) && points.last().is_some_and(gauge);
    if !counter && !ends_are_gauges {
        call.notes.not_a_gauge(call.span, call.metric);
    }
}

struct Combination<'c> {
    histogram: Histogram,
    call: &'c RangeCall<'c>,
}

impl Combination<'_> {
    fn subtract(&mut self, other: &Histogram) -> Option<()> {
        let combined = self.histogram.sub(other).ok()?;
        self.take(combined, Combining::Subtraction)
    }

    fn add(&mut self, other: &Histogram) -> Option<()> {
        let combined = self.histogram.add(other).ok()?;
        self.take(combined, Combining::Addition)
    }

    fn take(&mut self, combined: crate::histogram::Combined, combining: Combining) -> Option<()> {
        if combined.bounds_reconciled {
            self.call.notes.bounds_reconciled(self.call.span, combining);
        }
        self.histogram = combined.histogram.with_hint(ResetHint::Gauge);
        Some(())
    }
}
