//! What a histogram tells of its observations: quantiles, fractions, variance.

use super::{bucket::Bucket, model::Histogram, precise::Precise};

/// An estimated quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    pub value: f64,
    pub nan: NanEffect,
}

/// What observations that are NaN do to a quantile: they are counted, and in no bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NanEffect {
    None,
    /// The rank is among them.
    ResultIsNan,
    /// They count as above all others.
    SkewedHigher,
}

/// An estimated fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction {
    pub value: f64,
    /// There are observations that are NaN; they are in no fraction.
    pub excludes_nan: bool,
}

impl Histogram {
    /// The value below which a fraction `q` of the observations is: interpolated linearly in custom buckets and the
    /// zero bucket, exponentially elsewhere.
    pub fn quantile(&self, q: f64) -> Quantile {
        let known = |value| Quantile {
            value,
            nan: NanEffect::None,
        };
        if q < 0.0 {
            return known(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return known(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return known(f64::NAN);
        }
        // NaN observations are at the upper end, so that only counting from below finds the right bucket.
        if self.sum.is_nan() {
            return self.quantile_beside_nan(q);
        }
        let value = if q < 0.5 {
            self.quantile_upwards(q * self.count)
        } else {
            self.quantile_downwards((1.0 - q) * self.count)
        };
        known(value)
    }

    fn quantile_beside_nan(&self, q: f64) -> Quantile {
        let rank = q * self.count;
        let counted = self.counted();
        if counted < rank {
            return Quantile {
                value: f64::NAN,
                nan: NanEffect::ResultIsNan,
            };
        }
        let nan = if counted < self.count {
            NanEffect::SkewedHigher
        } else {
            NanEffect::None
        };
        Quantile {
            value: self.quantile_upwards(rank),
            nan,
        }
    }

    fn counted(&self) -> f64 {
        self.buckets().map(|bucket| bucket.count).sum()
    }

    fn quantile_upwards(&self, rank: f64) -> f64 {
        let Some((bucket, reached)) = reach(self.buckets(), rank) else {
            return f64::NAN;
        };
        let reached = reached.min(self.count);
        if reached < rank {
            return bucket.upper;
        }
        self.interpolate(bucket, rank - (reached - bucket.count))
    }

    fn quantile_downwards(&self, rank: f64) -> f64 {
        let Some((bucket, reached)) = reach(self.buckets().rev(), rank) else {
            return f64::NAN;
        };
        let reached = reached.min(self.count);
        if reached < rank {
            return bucket.lower;
        }
        self.interpolate(bucket, reached - rank)
    }

    /// The value that has `observations` of the bucket's below it.
    fn interpolate(&self, bucket: Bucket, observations: f64) -> f64 {
        let mut bucket = self.without_bias(bucket);
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return bucket.upper;
                }
                bucket.lower = 0.0;
            }
            if bucket.upper == f64::INFINITY {
                return bucket.lower;
            }
        }
        let fraction = observations / bucket.count;
        if self.is_custom() || bucket.touches_zero() {
            return bucket.lower + (bucket.upper - bucket.lower) * fraction;
        }
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        if bucket.lower > 0.0 {
            (lower + (upper - lower) * fraction).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - fraction)).exp2()
        }
    }

    /// The fraction of the observations that are above `lower` and not above `upper`.
    pub fn fraction(&self, lower: f64, upper: f64) -> Fraction {
        let known = |value| Fraction {
            value,
            excludes_nan: false,
        };
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return known(f64::NAN);
        }
        if lower >= upper {
            return known(0.0);
        }
        let counted = self.counted();
        let total = if self.sum.is_nan() {
            counted
        } else {
            self.count
        };
        let below = |limit| self.below(limit).unwrap_or(total).min(total);
        Fraction {
            value: (below(upper) - below(lower)) / self.count,
            excludes_nan: self.sum.is_nan() && counted < self.count,
        }
    }

    /// How many observations are not above `limit`; `None` for all of them.
    fn below(&self, limit: f64) -> Option<f64> {
        let mut below = 0.0;
        for bucket in self.buckets() {
            let share = self.share_below(bucket, limit);
            if share < 1.0 {
                return Some(below + bucket.count * share);
            }
            below += bucket.count;
        }
        None
    }

    /// The share of a bucket's observations that are not above `limit`, from 0 to 1.
    pub(super) fn share_below(&self, bucket: Bucket, limit: f64) -> f64 {
        let mut inner = self.without_bias(bucket);
        if self.is_custom() && inner.lower == f64::NEG_INFINITY && limit > f64::NEG_INFINITY {
            // Without a lower end there is nothing to interpolate in, unless all is taken to be above zero.
            if inner.upper <= 0.0 {
                return 1.0;
            }
            inner.lower = 0.0;
        }
        if limit <= inner.lower {
            return 0.0;
        }
        if limit >= inner.upper {
            return 1.0;
        }
        if self.is_custom() || inner.touches_zero() {
            return (limit - inner.lower) / (inner.upper - inner.lower);
        }
        let (lower, upper) = (inner.lower.abs().log2(), inner.upper.abs().log2());
        let at = limit.abs().log2();
        if inner.lower > 0.0 {
            (at - lower) / (upper - lower)
        } else {
            1.0 - (at - upper) / (lower - upper)
        }
    }

    /// The variance of the observations, each taken to be in the middle of its bucket.
    pub fn variance(&self) -> f64 {
        let mean = self.avg();
        let sum = self.buckets().fold(Precise::default(), |sum, bucket| {
            let distance = self.middle(bucket) - mean;
            sum.with(bucket.count * distance * distance)
        });
        sum.value() / self.count
    }

    /// The standard deviation of the observations.
    pub fn deviation(&self) -> f64 {
        self.variance().sqrt()
    }

    fn middle(&self, bucket: Bucket) -> f64 {
        if self.is_custom() {
            (bucket.lower + bucket.upper) / 2.0
        } else if bucket.touches_zero() {
            0.0
        } else {
            (bucket.lower * bucket.upper).sqrt().copysign(bucket.upper)
        }
    }
}

/// The first bucket with which `rank` observations are passed, or the last one, and how many were passed with it.
fn reach(buckets: impl Iterator<Item = Bucket>, rank: f64) -> Option<(Bucket, f64)> {
    let mut reached = 0.0;
    let mut last = None;
    for bucket in buckets {
        reached += bucket.count;
        last = Some((bucket, reached));
        if reached >= rank {
            break;
        }
    }
    last
}
