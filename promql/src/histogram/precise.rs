//! Sums of floats whose roundings are made good.

use super::layout::Amount;

/// A sum that also keeps what its roundings lost (Kahan's algorithm in Neumaier's form).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Precise {
    pub(super) sum: f64,
    lost: f64,
}

impl Precise {
    pub(super) fn of(value: f64) -> Precise {
        Precise {
            sum: value,
            lost: 0.0,
        }
    }

    pub(super) fn value(self) -> f64 {
        self.sum + self.lost
    }

    pub(super) fn with(self, value: f64) -> Precise {
        let sum = self.sum + value;
        let rounded = if sum.is_infinite() {
            return Precise::of(sum);
        } else if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        Precise {
            sum,
            lost: self.lost + rounded,
        }
    }

    pub(super) fn scaled(self, factor: f64) -> Precise {
        Precise {
            sum: self.sum * factor,
            lost: self.lost * factor,
        }
    }
}

impl Amount for Precise {
    fn plus(self, other: Precise) -> Precise {
        let mut result = self.with(other.sum);
        result.lost += other.lost;
        result
    }

    fn is_zero(self) -> bool {
        self.sum == 0.0 && self.lost == 0.0
    }
}
