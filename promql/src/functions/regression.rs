//! `deriv`, `predict_linear`, `double_exponential_smoothing`: where a series is going.

use super::window::{RangeCall, Window};
use crate::{row::Sample, summation::Sum};

/// The line through the points by least squares: slope per second, and value at `origin_ms`.
fn line(window: &Window, origin_ms: i64) -> (f64, f64) {
    let first = window.values[0];
    if window.values.iter().all(|value| *value == first) {
        return match first.is_infinite() {
            true => (f64::NAN, f64::NAN),
            false => (0.0, first),
        };
    }
    let mut sums = [Sum::default(); 4];
    for (&time, &value) in window.times_ms.iter().zip(window.values) {
        let x = (time - origin_ms) as f64 / 1000.0;
        for (sum, term) in sums.iter_mut().zip([x, value, x * value, x * x]) {
            sum.add(term);
        }
    }
    let count = window.values.len() as f64;
    let [x, y, xy, xx] = sums.map(Sum::value);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

pub(super) fn deriv(window: &Window, call: &RangeCall) -> Sample {
    let Some(first_ms) = window
        .times_ms
        .first()
        .filter(|_| window.times_ms.len() > 1)
    else {
        return Sample::Absent;
    };
    call.note_ignored(window);
    Sample::Float(line(window, *first_ms).0)
}

pub(super) fn predict_linear(window: &Window, call: &RangeCall) -> Sample {
    if window.times_ms.len() < 2 {
        return Sample::Absent;
    }
    call.note_ignored(window);
    let (slope, intercept) = line(window, call.now_ms);
    Sample::Float(slope * call.params[0] + intercept)
}

/// Holt's linear method: a level and a trend that follow the values.
pub(super) fn smoothing(window: &Window, call: &RangeCall) -> Sample {
    let [level_factor, trend_factor] = call.params;
    let [first, second, ..] = window.values else {
        return Sample::Absent;
    };
    call.note_ignored(window);
    let mut level = *first;
    let mut trend = second - first;
    let mut before = 0.0;
    for (at, value) in window.values.iter().enumerate().skip(1) {
        if at > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        before = level;
        level = level_factor * value + (1.0 - level_factor) * (level + trend);
    }
    Sample::Float(level)
}
