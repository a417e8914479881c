//! Histograms without the observations above or below a limit, as the operators `</` and `>/` of PromQL have it.

use super::{
    bucket::Bucket,
    layout::{Buckets, Layout},
    model::Histogram,
};

/// What a trim keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// `</`: what is not above the limit.
    KeepBelow,
    /// `>/`: what is above the limit.
    KeepAbove,
}

/// A part of a bucket: how many observations, and where their middle is.
#[derive(Debug, Clone, Copy)]
struct Part {
    count: f64,
    middle: f64,
}

impl Histogram {
    /// The histogram without what is on the other side of `limit`; of the bucket that the limit is in, a share by the
    /// same interpolation as that of quantiles.
    ///
    /// Where anything goes, the sum is estimated from the middles of what stays. A bucket without an end stays whole or
    /// goes whole.
    pub fn trim(&self, keep: Trim, limit: f64) -> Histogram {
        if limit.is_nan() {
            return self.clone();
        }
        let mut trimmed = Trimmed::default();
        let layout = self.layout();
        let negative = self.side(&self.negative, |(index, count)| {
            let bucket = mirrored(clipped(&layout, index, count));
            trimmed.note(self.part(bucket, keep, limit), count)
        });
        let zero_count = if self.is_custom() || self.zero_count == 0.0 {
            self.zero_count
        } else {
            let bucket = closed(-self.zero_threshold, self.zero_threshold, self.zero_count);
            trimmed.note(self.part(bucket, keep, limit), self.zero_count)
        };
        let positive = self.side(&self.positive, |(index, count)| {
            let bucket = clipped(&layout, index, count);
            trimmed.note(self.part(bucket, keep, limit), count)
        });
        if !trimmed.changed {
            return self.clone();
        }
        Histogram {
            zero_count,
            count: trimmed.count,
            sum: trimmed.sum,
            positive,
            negative,
            bounds: self.bounds.clone(),
            ..*self
        }
    }

    fn side(&self, buckets: &Buckets, mut kept: impl FnMut((i32, f64)) -> f64) -> Buckets {
        Buckets::ascending(
            buckets
                .iter()
                .map(|(index, count)| (index, kept((index, count)))),
        )
    }

    /// What stays of a bucket.
    fn part(&self, bucket: Bucket, keep: Trim, limit: f64) -> Part {
        if bucket.lower == f64::NEG_INFINITY {
            return self.part_of_lowest(bucket, keep, limit);
        }
        if bucket.upper == f64::INFINITY {
            return part_of_highest(bucket, keep, limit);
        }
        let inner = self.without_bias(bucket);
        let below = self.share_below(bucket, limit);
        let (lower, upper, share) = match keep {
            Trim::KeepBelow => (inner.lower, inner.upper.min(limit), below),
            Trim::KeepAbove => (inner.lower.max(limit), inner.upper, 1.0 - below),
        };
        Part {
            count: bucket.count * share,
            middle: self.middle_of(lower, upper, inner.touches_zero()),
        }
    }

    fn middle_of(&self, lower: f64, upper: f64, is_even: bool) -> f64 {
        if self.is_custom() || is_even {
            (lower + upper) / 2.0
        } else {
            (lower.abs().sqrt() * upper.abs().sqrt()).copysign(upper)
        }
    }

    /// The lowest custom bucket begins at zero if it ends above, and otherwise nowhere.
    fn part_of_lowest(&self, bucket: Bucket, keep: Trim, limit: f64) -> Part {
        let whole = |middle| Part {
            count: bucket.count,
            middle,
        };
        match keep {
            Trim::KeepAbove if limit == f64::NEG_INFINITY => whole(0.0),
            Trim::KeepBelow if limit == f64::INFINITY => whole(0.0),
            Trim::KeepBelow if limit == f64::NEG_INFINITY => NOTHING,
            _ if bucket.upper == f64::INFINITY => NOTHING,
            Trim::KeepBelow if bucket.upper <= 0.0 => whole(bucket.upper.min(limit)),
            Trim::KeepAbove if bucket.upper <= 0.0 || limit < 0.0 => NOTHING,
            _ => self.part(
                Bucket {
                    lower: 0.0,
                    ..bucket
                },
                keep,
                limit,
            ),
        }
    }
}

const NOTHING: Part = Part {
    count: 0.0,
    middle: 0.0,
};

fn part_of_highest(bucket: Bucket, keep: Trim, limit: f64) -> Part {
    let stays = match keep {
        Trim::KeepBelow => limit == f64::INFINITY,
        Trim::KeepAbove => limit < f64::INFINITY,
    };
    if !stays {
        return NOTHING;
    }
    Part {
        count: bucket.count,
        middle: if limit < f64::INFINITY {
            bucket.lower.max(limit)
        } else {
            bucket.lower
        },
    }
}

/// What all parts come to.
#[derive(Debug, Default)]
struct Trimmed {
    count: f64,
    sum: f64,
    changed: bool,
}

impl Trimmed {
    /// Adds a part of a bucket that had `count` observations, and gives back how many stay.
    fn note(&mut self, part: Part, count: f64) -> f64 {
        self.changed |= part.count != count && !count.is_nan();
        self.count += part.count;
        if part.count != 0.0 {
            self.sum += part.count * part.middle;
        }
        part.count
    }
}

fn closed(lower: f64, upper: f64, count: f64) -> Bucket {
    Bucket {
        lower,
        upper,
        count,
        includes_lower: true,
        includes_upper: true,
    }
}

/// A bucket of the positive side, less what the zero bucket covers.
fn clipped(layout: &Layout, index: i32, count: f64) -> Bucket {
    let (lower, upper) = layout.edges(index);
    if layout.is_custom() {
        return closed(lower, upper, count);
    }
    closed(lower.max(layout.zero_threshold.min(upper)), upper, count)
}

fn mirrored(bucket: Bucket) -> Bucket {
    closed(-bucket.upper, -bucket.lower, bucket.count)
}
