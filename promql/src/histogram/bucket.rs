//! The buckets of a histogram in the order of their values, with bounds.

use super::model::Histogram;

/// One populated bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub lower: f64,
    pub upper: f64,
    pub count: f64,
    pub includes_lower: bool,
    pub includes_upper: bool,
}

impl Bucket {
    /// Whether zero is in it or at its edge: such buckets are taken as evenly filled.
    pub(super) fn touches_zero(&self) -> bool {
        self.lower <= 0.0 && self.upper >= 0.0
    }
}

impl Histogram {
    /// The populated buckets from the lowest values to the highest.
    ///
    /// Where a bucket reaches into the zero bucket it is shown to end there.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        let layout = self.layout();
        let mirrored = layout.clone();
        let negative = self.negative.iter().rev().map(move |(index, count)| {
            let (lower, upper) = mirrored.edges(index);
            Bucket {
                lower: -upper,
                upper: -lower.max(mirrored.zero_threshold.min(upper)),
                count,
                includes_lower: true,
                includes_upper: false,
            }
        });
        let zero = (!self.is_custom() && self.zero_count != 0.0).then_some(Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            count: self.zero_count,
            includes_lower: true,
            includes_upper: true,
        });
        let positive = self.positive.iter().map(move |(index, count)| {
            let (lower, upper) = layout.edges(index);
            let clipped = if layout.is_custom() {
                lower
            } else {
                lower.max(layout.zero_threshold.min(upper))
            };
            Bucket {
                lower: clipped,
                upper,
                count,
                includes_lower: layout.is_custom() && lower == f64::NEG_INFINITY,
                includes_upper: true,
            }
        });
        negative.chain(zero).chain(positive)
    }

    /// The zero bucket of a histogram that has observations on one side only reaches to zero from that side.
    pub(super) fn without_bias(&self, mut bucket: Bucket) -> Bucket {
        if self.is_custom() || !(bucket.lower < 0.0 && bucket.upper > 0.0) {
            return bucket;
        }
        match (self.negative.is_empty(), self.positive.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
        bucket
    }
}
