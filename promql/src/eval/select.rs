//! Instant selectors: of each series the newest sample at each step.

use super::interpolate;
use crate::{
    row::{Sample, Steps},
    source::Series,
    timing::Reference,
};

/// How an instant selector finds the sample of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finder {
    pub(super) steps: Steps,
    pub(super) reference: Reference,
    pub(super) lookback_ms: i64,
    /// The times of the samples instead of their values.
    pub(super) timestamps: bool,
    /// Floats between two points are interpolated.
    pub(super) smoothed: bool,
}

/// How many points are not after a time that only grows.
#[derive(Default)]
struct Place(usize);

impl Place {
    #[inline]
    fn advance(&mut self, length: usize, not_after: impl Fn(usize) -> bool) -> Option<usize> {
        while self.0 < length && not_after(self.0) {
            self.0 += 1;
        }
        self.0.checked_sub(1)
    }
}

impl Finder {
    /// The samples of a series, one a step.
    pub(super) fn samples(&self, series: &Series) -> Vec<Sample> {
        let (times, values) = (&series.floats.times_ms, &series.floats.values);
        let (histograms, stale) = (&series.histograms, &series.stale_ms);
        let (mut float, mut histogram, mut marker) = <(Place, Place, Place)>::default();
        let sample = |step: usize| {
            let now = self.reference.of(self.steps.at(step));
            let float = float.advance(times.len(), |at| times[at] <= now);
            let histogram = histogram.advance(histograms.len(), |at| histograms[at].0 <= now);
            let marker = marker.advance(stale.len(), |at| stale[at] <= now);
            let float_ms = float.map_or(i64::MIN, |at| times[at]);
            let histogram_ms = histogram.map_or(i64::MIN, |at| histograms[at].0);
            let newest = float_ms.max(histogram_ms);
            if newest <= now - self.lookback_ms || marker.is_some_and(|at| stale[at] >= newest) {
                return Sample::Absent;
            }
            match (float, histogram) {
                _ if self.timestamps => Sample::Float(newest as f64 / 1000.0),
                (_, Some(at)) if histogram_ms == newest => {
                    Sample::Histogram(histograms[at].1.clone())
                }
                (Some(at), _) if self.smoothed => {
                    let next = at + 1;
                    let near = next < times.len() && times[next] <= now + self.lookback_ms;
                    Sample::Float(match near {
                        true => interpolate::between((times, values), at, now),
                        false => values[at],
                    })
                }
                (Some(at), _) => Sample::Float(values[at]),
                (None, _) => Sample::Absent,
            }
        };
        (0..self.steps.count).map(sample).collect()
    }
}
