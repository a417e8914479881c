//! A subquery's results as series.

use crate::{
    histogram::ResetHint,
    row::{Row, Sample, Steps},
    source::{Floats, Series, Temporality},
};
use std::sync::Arc;

/// The samples of a row with their times.
///
/// What a histogram says of resets is of the point before it, which may not be here or be here more than once.
pub(super) fn series(row: Row, steps: Steps) -> Series {
    let mut floats = Floats::default();
    let mut histograms = Vec::new();
    for (step, sample) in row.samples.into_iter().enumerate() {
        let time = steps.at(step);
        match sample {
            Sample::Absent => {}
            Sample::Float(value) => {
                floats.times_ms.push(time);
                floats.values.push(value);
            }
            Sample::Histogram(histogram) => {
                let hinted = matches!(histogram.hint, ResetHint::Reset | ResetHint::NotReset);
                histograms.push((
                    time,
                    match hinted {
                        true => Arc::new(histogram.as_ref().clone().with_hint(ResetHint::Unknown)),
                        false => histogram,
                    },
                ));
            }
        }
    }
    Series {
        labels: row.labels,
        temporality: Temporality::Cumulative,
        floats,
        histograms,
        stale_ms: Vec::new(),
    }
}
