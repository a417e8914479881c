//! The points that a function of a range sees at one step.

use crate::{
    annotations::Notes,
    expr::{Extension, Span},
    histogram::Histogram,
    source::Temporality,
};
use std::sync::Arc;

/// The points after `start_ms` and not after `end_ms`. With an extension there are some before and after them, too.
#[derive(Clone, Copy)]
pub(crate) struct Window<'s> {
    pub(crate) times_ms: &'s [i64],
    pub(crate) values: &'s [f64],
    pub(crate) histograms: &'s [(i64, Arc<Histogram>)],
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// Whether a float is below the one before it, both within the window.
    pub(crate) falls: bool,
}

impl Window<'_> {
    /// How many points there are.
    pub(crate) fn count(&self) -> usize {
        self.times_ms.len() + self.histograms.len()
    }

    /// Whether there are points of both kinds.
    pub(crate) fn is_mixed(&self) -> bool {
        !self.times_ms.is_empty() && !self.histograms.is_empty()
    }
}

/// What a function of a range knows beside the points.
#[derive(Clone, Copy)]
pub(crate) struct RangeCall<'c> {
    pub(crate) notes: &'c Notes,
    /// Where the range stands in the query.
    pub(crate) span: Span,
    /// Where the first parameter stands in the query.
    pub(crate) param_span: Span,
    /// The name of the metric, for notes.
    pub(crate) metric: &'c str,
    pub(crate) range_ms: i64,
    /// The time of the evaluation.
    pub(crate) now_ms: i64,
    /// The scalar arguments at this step.
    pub(crate) params: [f64; 2],
    pub(crate) temporality: Temporality,
    pub(crate) extension: Option<Extension>,
}

impl RangeCall<'_> {
    /// Tells the user where a function of floats leaves histograms out.
    pub(crate) fn note_ignored(&self, window: &Window) {
        if window.is_mixed() {
            self.notes.ignored_in_range(self.span, self.metric);
        }
    }
}
