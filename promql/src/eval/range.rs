//! Ranges: of each series the points in a window that moves from step to step.

use crate::{
    expr::Extension, functions::window::Window, row::Steps, source::Series, timing::Reference,
};

/// Which windows a range has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) steps: Steps,
    pub(super) reference: Reference,
    pub(super) range_ms: i64,
    pub(super) lookback_ms: i64,
    pub(super) extension: Option<Extension>,
}

/// The part of a sorted list that is in a window; both ends only move forward.
#[derive(Default)]
struct Part {
    from: usize,
    to: usize,
    /// The newest point that is below the one before it; 0 where there is none.
    fall: usize,
}

impl Part {
    #[inline]
    fn slide(
        &mut self,
        length: usize,
        time: impl Fn(usize) -> i64,
        falls: impl Fn(usize) -> bool,
        (open, end): (i64, i64),
    ) {
        while self.to < length && time(self.to) <= end {
            if self.to > 0 && falls(self.to) {
                self.fall = self.to;
            }
            self.to += 1;
        }
        while self.from < self.to && time(self.from) <= open {
            self.from += 1;
        }
    }
}

impl Windows {
    /// From when to when points are in a window that ends at `end_ms`; the start is outside.
    fn bounds(&self, end_ms: i64) -> (i64, i64) {
        let open_ms = end_ms - self.range_ms;
        match self.extension {
            None => (open_ms, end_ms),
            Some(Extension::Anchored) => (open_ms - self.lookback_ms, end_ms),
            Some(Extension::Smoothed) => (open_ms - self.lookback_ms, end_ms + self.lookback_ms),
        }
    }

    /// Calls `each` with every step and its window.
    #[inline]
    pub(super) fn for_each<'s>(&self, series: &'s Series, mut each: impl FnMut(usize, Window<'s>)) {
        let (times, values) = (&series.floats.times_ms[..], &series.floats.values[..]);
        let histograms = &series.histograms[..];
        let (mut float, mut histogram) = <(Part, Part)>::default();
        for step in 0..self.steps.count {
            let end_ms = self.reference.of(self.steps.at(step));
            let bounds = self.bounds(end_ms);
            let falls = |at: usize| values[at] < values[at - 1];
            float.slide(times.len(), |at| times[at], falls, bounds);
            histogram.slide(histograms.len(), |at| histograms[at].0, |_| false, bounds);
            let window = Window {
                times_ms: &times[float.from..float.to],
                values: &values[float.from..float.to],
                histograms: &histograms[histogram.from..histogram.to],
                start_ms: end_ms - self.range_ms,
                end_ms,
                falls: float.fall > float.from,
            };
            each(step, window);
        }
    }
}
