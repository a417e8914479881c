//! Whether a counter started again between two of its points.

use super::{
    arithmetic::pairs,
    layout::Buckets,
    model::{Histogram, ResetHint},
};
use std::sync::Arc;

impl Histogram {
    /// Whether this point can stand in the stretch of points that `before` is the last of: it is no reset, and has the same
    /// buckets.
    pub fn goes_on(&self, before: &Histogram) -> bool {
        let unknown = self.clone().with_hint(ResetHint::Unknown);
        before.hint != ResetHint::Gauge
            && self.hint != ResetHint::Reset
            && self.schema == before.schema
            && self.zero_threshold == before.zero_threshold
            && self.bounds == before.bounds
            && !unknown.detect_reset(before)
    }

    /// Whether the counter was reset between `before` and this point: as the hint says where it says so, and otherwise
    /// where any count went down or the buckets became finer.
    pub fn detect_reset(&self, before: &Histogram) -> bool {
        match self.hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < before.count || self.is_custom() != before.is_custom() {
            return true;
        }
        if self.schema > before.schema || self.zero_threshold < before.zero_threshold {
            return true;
        }
        let (layout, befores) = (self.layout(), before.layout());
        let Some(common) = layout.meet(std::iter::empty(), &befores, before.indexes()) else {
            return true;
        };
        // A bucket of before that straddles the zero bucket of now cannot have been counted on.
        if common.zero_threshold != self.zero_threshold {
            return true;
        }
        let now = self.conform(&layout, &common);
        let then = before.conform(&befores, &common);
        now.zero_count < then.zero_count
            || went_down(&now.positive, &then.positive)
            || went_down(&now.negative, &then.negative)
    }
}

fn went_down(now: &Buckets, then: &Buckets) -> bool {
    pairs(now.iter(), then.iter()).any(|(_, now, then)| match (now, then) {
        (Some(now), Some(then)) => now < then,
        (None, then) => then.is_some(),
        (Some(_), None) => false,
    })
}

/// Finds out for each point of a series but the first what its hint leaves open. Functions that only look at count and
/// sum (`histogram_count`, `histogram_sum`, `histogram_avg`) see such points.
pub fn detect_hints(points: &mut [(i64, Arc<Histogram>)]) {
    for at in 1..points.len() {
        let now = &points[at].1;
        if now.hint != ResetHint::Unknown {
            continue;
        }
        let hint = if now.detect_reset(&points[at - 1].1) {
            ResetHint::Reset
        } else {
            ResetHint::NotReset
        };
        points[at].1 = Arc::new(now.as_ref().clone().with_hint(hint));
    }
}
