//! What is known of counter resets between the points of one series, as Prometheus' own database tells it.
//!
//! A gauge stays one. Of the others the first of a stretch is unknown and what follows in it is no reset; a stretch ends at a
//! reset, at a number or a stale marker, and where the layout of buckets changes.

use cairn_promql::histogram::{Histogram, ResetHint};
use std::sync::Arc;

/// Gives `points` (by time, ms) their hints. `others` are the times of what else the series has, sorted.
pub(super) fn complete(points: &mut [(i64, Arc<Histogram>)], others: &[i64]) {
    let mut before: Option<(i64, Arc<Histogram>)> = None;
    for (time, histogram) in points {
        if histogram.hint != ResetHint::Gauge {
            let follows = before.as_ref().is_some_and(|(since, before)| {
                !interrupted(others, (*since, *time)) && histogram.goes_on(before)
            });
            let hint = match follows {
                true => ResetHint::NotReset,
                false => ResetHint::Unknown,
            };
            if histogram.hint != hint {
                *histogram = Arc::new(histogram.as_ref().clone().with_hint(hint));
            }
        }
        before = Some((*time, Arc::clone(histogram)));
    }
}

/// Whether there is one of `times` between the two.
fn interrupted(times: &[i64], (from, to): (i64, i64)) -> bool {
    let next = times.partition_point(|time| *time <= from);
    times.get(next).is_some_and(|time| *time < to)
}

#[cfg(test)]
mod tests {
    use super::complete;
    use cairn_promql::histogram::{Buckets, Histogram, ResetHint};
    use std::sync::Arc;

    fn histogram(count: f64) -> Arc<Histogram> {
        Arc::new(Histogram {
            count,
            positive: Buckets::dense(0, [count]),
            ..Histogram::default()
        })
    }

    #[test]
    fn a_stretch_ends_at_resets_and_other_points() {
        let counts = [1.0, 2.0, 3.0, 1.0, 2.0];
        let mut points: Vec<_> = (0..).step_by(10).zip(counts.map(histogram)).collect();
        complete(&mut points, &[15]);
        let hints: Vec<ResetHint> = points.iter().map(|(_, histogram)| histogram.hint).collect();
        let (unknown, goes_on) = (ResetHint::Unknown, ResetHint::NotReset);
        assert_eq!(hints, [unknown, goes_on, unknown, unknown, goes_on]);
    }
}
