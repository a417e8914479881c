//! Sums and means of native histograms in a group.

use super::grouping::Call;
use crate::{
    annotations::Combining,
    expr::AggregateOp,
    histogram::{Accumulator, Histogram},
    row::Sample,
};

/// What became of the histograms of a group at one step.
pub(super) enum Combined {
    None,
    Some(Box<Accumulator>),
    /// They do not go together.
    Refused,
}

impl Combined {
    pub(super) fn add(&mut self, histogram: &Histogram, metric: &str, call: &Call) {
        match self {
            Combined::None => *self = Combined::Some(Box::new(Accumulator::new(histogram))),
            Combined::Some(sum) => {
                if sum.add(histogram).is_err() {
                    call.notes.mixed_schemas(call.span(), metric);
                    *self = Combined::Refused;
                }
            }
            Combined::Refused => {}
        }
    }

    /// The sample, if there were no floats.
    pub(super) fn sample(&self, call: &Call) -> Sample {
        let Combined::Some(sum) = self else {
            return Sample::Absent;
        };
        if sum.hints_collide() {
            call.notes
                .colliding_resets(call.span(), Combining::Aggregation);
        }
        if sum.bounds_reconciled() {
            call.notes
                .bounds_reconciled(call.span(), Combining::Aggregation);
        }
        match call.aggregate.op {
            AggregateOp::Avg => sum.mean().into(),
            _ => sum.sum().into(),
        }
    }
}
