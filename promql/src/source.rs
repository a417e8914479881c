//! What an evaluation reads: series, from a source that the caller gives.

use crate::{error::Result, histogram::Histogram, labels::Labels, matcher::Matcher};
use std::sync::Arc;

/// A store of series as an evaluation sees it.
///
/// Everything is pulled one series at a time, so that what is in memory is a few series and the answer.
pub trait Source {
    /// The series that all matchers of `selection` accept and that have points in its time, in any order, each set of
    /// labels once.
    ///
    /// Errors of the source (a limit, a cancelled query, a damaged file) end the evaluation.
    fn select(&self, selection: &Selection) -> Result<SeriesIter<'_>>;
}

/// Series, one at a time.
pub type SeriesIter<'a> = Box<dyn Iterator<Item = Result<Series>> + 'a>;

/// What one selector of a query wants.
#[derive(Debug, Clone)]
pub struct Selection {
    /// All must accept.
    pub matchers: Vec<Matcher>,
    /// ms; points at this instant are wanted.
    pub from_ms: i64,
    /// ms; points at this instant are wanted.
    pub through_ms: i64,
}

/// One series with its points.
#[derive(Debug, Clone)]
pub struct Series {
    pub labels: Labels,
    pub temporality: Temporality,
    pub floats: Floats,
    /// Sorted by time, a time once.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
    /// ms, sorted, a time once: from here on the series has no value until its next point. (A stale marker.)
    pub stale_ms: Vec<i64>,
}

/// Number points, one entry each.
#[derive(Debug, Clone, Default)]
pub struct Floats {
    /// ms since 1970, sorted, a time once.
    pub times_ms: Vec<i64>,
    pub values: Vec<f64>,
}

/// What the value of a point is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    /// To the start of the counter, or to nothing.
    #[default]
    Cumulative,
    /// To the point before: `rate` and `increase` add the points of the range.
    Delta,
}
