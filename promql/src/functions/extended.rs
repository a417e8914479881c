//! Differences over ranges that are `anchored` or `smoothed`: between the values at both ends, without extrapolation.

use super::window::{RangeCall, Window};
use crate::{expr::Extension, row::Sample};

/// The difference of the values at the ends of the range; of a counter with what resets took.
pub(super) fn difference(window: &Window, call: &RangeCall, counter: bool) -> Sample {
    let (times, values) = (window.times_ms, window.values);
    let smoothed = call.extension == Some(Extension::Smoothed);
    let Some(newest) = times.len().checked_sub(1) else {
        return Sample::Absent;
    };
    // The last point that is not after the start, and the first one that is not before the end.
    let first = times[..newest]
        .partition_point(|time| *time <= window.start_ms)
        .saturating_sub(1);
    let last = match smoothed {
        true => times[..newest].partition_point(|time| *time < window.end_ms),
        false => newest,
    };
    if times[last] <= window.start_ms {
        return Sample::Absent;
    }
    let line = Line {
        times,
        values,
        counter,
    };
    let left = match smoothed && times[first] < window.start_ms && first < last {
        true => line.at(first, window.start_ms, true),
        false => values[first],
    };
    let right = match smoothed && last > 0 && times[last] > window.end_ms {
        true => line.at(last - 1, window.end_ms, false),
        false => values[last],
    };
    let mut grown = right - left;
    if counter {
        let mut before = left;
        let inner = values.get(first + 1..last).unwrap_or_default();
        for &value in inner.iter().chain([&right]) {
            if value < before {
                grown += before;
            }
            before = value;
        }
    }
    Sample::Float(grown)
}

struct Line<'w> {
    times: &'w [i64],
    values: &'w [f64],
    counter: bool,
}

impl Line<'_> {
    /// The value at `time_ms`, between the point at `at` and the one after it. A counter that was reset between them
    /// began again at zero.
    fn at(&self, at: usize, time_ms: i64, left_end: bool) -> f64 {
        let (mut before, mut after) = (self.values[at], self.values[at + 1]);
        if self.counter && after < before {
            match left_end {
                true => before = 0.0,
                false => after += before,
            }
        }
        let (from, to) = (self.times[at], self.times[at + 1]);
        before + (after - before) * ((time_ms - from) as f64 / (to - from) as f64)
    }
}

/// The values from the one at the start of the range on, for functions that look at neighbours.
pub(super) fn anchored<'w>(window: &Window<'w>) -> &'w [f64] {
    let inside = window
        .times_ms
        .partition_point(|time| *time <= window.start_ms);
    if inside == window.times_ms.len() {
        return &[];
    }
    &window.values[inside.saturating_sub(1)..]
}
