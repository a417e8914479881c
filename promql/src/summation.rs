//! Sums and means of floats whose roundings are made good.
//!
//! What an addition loses is found by Knuth's TwoSum: the same as in Neumaier's form of Kahan's algorithm, which
//! Prometheus has, but without a branch.

/// A sum that also keeps what its roundings lost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let added = sum - self.sum;
        let lost = (self.sum - (sum - added)) + (value - added);
        self.lost = if sum.is_infinite() {
            0.0
        } else {
            self.lost + lost
        };
        self.sum = sum;
    }

    pub(crate) fn value(self) -> f64 {
        match self.sum.is_infinite() {
            true => self.sum,
            false => self.sum + self.lost,
        }
    }

    fn times(self, factor: f64) -> Sum {
        Sum {
            sum: self.sum * factor,
            lost: self.lost * factor,
        }
    }
}

/// A mean: of the sum as long as that does not overflow, and from then on from value to value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    sum: Sum,
    count: f64,
    /// `sum` is the mean already.
    incremental: bool,
}

impl Mean {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.sum;
            sum.add(value);
            if self.count == 1.0 || !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.incremental = true;
            self.sum = self.sum.times(1.0 / (self.count - 1.0));
        }
        self.sum = self.sum.times((self.count - 1.0) / self.count);
        self.sum.add(value / self.count);
    }

    /// NaN of nothing.
    pub(crate) fn value(self) -> f64 {
        let divisor = if self.incremental { 1.0 } else { self.count };
        match self.sum.sum.is_infinite() {
            true => self.sum.sum,
            false => self.sum.sum / divisor + self.sum.lost / divisor,
        }
    }
}

/// The mean and the spread around it, in one pass (Welford's algorithm).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spread {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Spread {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean.value();
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - self.mean.value()));
    }

    /// The mean of the squared distances from the mean.
    pub(crate) fn variance(self) -> f64 {
        self.squares.value() / self.count
    }
}

/// The value below which a share `q` of the values is, interpolated; it sorts them, NaN first.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|one, other| match (one.is_nan(), other.is_nan()) {
        (false, false) => one.total_cmp(other),
        (one, other) => other.cmp(&one),
    });
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = (rank.floor() as usize).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[(lower + 1).min(last)] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_survive_beside_large_ones() {
        let mut sum = Sum::default();
        let mut mean = Mean::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
            mean.add(value);
        }
        assert_eq!((sum.value(), mean.value()), (2.0, 0.5));
    }

    #[test]
    fn a_mean_does_not_overflow() {
        let mut mean = Mean::default();
        for _ in 0..5 {
            mean.add(1e308);
        }
        assert!((mean.value() / 1e308 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(0.75, &mut [4.0, 0.0, 1.0]), 2.5);
        assert!(quantile(0.2, &mut [0.0, f64::NAN, 1.0]).is_nan());
        assert_eq!(quantile(2.0, &mut [0.0]), f64::INFINITY);
    }
}
