//! The sum and the mean of many histograms, without the loss of small numbers beside large ones.

use super::{
    arithmetic::{MixedSchemas, joint_hint, pairs},
    layout::{Buckets, Layout},
    model::{Histogram, ResetHint},
    precise::Precise,
};

/// Adds up histograms.
#[derive(Debug, Clone)]
pub struct Accumulator {
    layout: Layout,
    zero_count: Precise,
    count: Precise,
    sum: Precise,
    positive: Vec<(i32, Precise)>,
    negative: Vec<(i32, Precise)>,
    hint: ResetHint,
    seen_reset: bool,
    seen_not_reset: bool,
    bounds_reconciled: bool,
    histograms: f64,
    /// All amounts are kept times this power of two, so that a mean does not overflow where only the sum does.
    scale: f64,
}

/// Taken off the exponent of all amounts where a sum overflows. With it, 2^64 of the largest numbers can be added.
const STEP: f64 = 1.0 / 18_446_744_073_709_551_616.0;

impl Accumulator {
    /// Starts with one histogram.
    pub fn new(first: &Histogram) -> Accumulator {
        let precise = |buckets: &Buckets| -> Vec<(i32, Precise)> {
            let counts = buckets.iter();
            counts
                .map(|(index, count)| (index, Precise::of(count)))
                .collect()
        };
        let mut accumulator = Accumulator {
            layout: first.layout(),
            zero_count: Precise::of(first.zero_count),
            count: Precise::of(first.count),
            sum: Precise::of(first.sum),
            positive: precise(&first.positive),
            negative: precise(&first.negative),
            hint: first.hint,
            seen_reset: false,
            seen_not_reset: false,
            bounds_reconciled: false,
            histograms: 1.0,
            scale: 1.0,
        };
        accumulator.notice(first.hint);
        accumulator
    }

    /// Adds one more; where it does not go with those before, nothing is changed.
    pub fn add(&mut self, other: &Histogram) -> Result<(), MixedSchemas> {
        let others = other.layout();
        let own = self
            .positive
            .iter()
            .chain(&self.negative)
            .map(|(index, _)| *index);
        let common = self
            .layout
            .meet(own, &others, other.indexes())
            .ok_or(MixedSchemas)?;
        if common.is_custom() && self.layout.bounds != others.bounds {
            self.bounds_reconciled = true;
        }
        self.move_to(common);
        let added = other.conform(&others, &self.layout);
        if self.scale == 1.0
            && self.overflows(other, added.zero_count, [&added.positive, &added.negative])
        {
            self.rescale();
        }
        let scale = self.scale;
        self.zero_count = self.zero_count.with(added.zero_count * scale);
        self.count = self.count.with(other.count * scale);
        self.sum = self.sum.with(other.sum * scale);
        self.positive = joined(&self.positive, &added.positive, scale);
        self.negative = joined(&self.negative, &added.negative, scale);
        self.hint = joint_hint(self.hint, other.hint).0;
        self.notice(other.hint);
        self.histograms += 1.0;
        Ok(())
    }

    /// The sum of all.
    pub fn sum(&self) -> Histogram {
        self.result(1.0)
    }

    /// The mean of all.
    pub fn mean(&self) -> Histogram {
        self.result(self.histograms)
    }

    /// Whether a counter that was reset was added to one that was not.
    pub fn hints_collide(&self) -> bool {
        self.seen_reset && self.seen_not_reset
    }

    /// Whether custom bounds differed, so that only those that all have are left.
    pub fn bounds_reconciled(&self) -> bool {
        self.bounds_reconciled
    }

    fn notice(&mut self, hint: ResetHint) {
        self.seen_reset |= hint == ResetHint::Reset;
        self.seen_not_reset |= hint == ResetHint::NotReset;
    }

    fn move_to(&mut self, layout: Layout) {
        if !self.layout.same(&layout) {
            let zero = &mut self.zero_count;
            self.positive = self
                .layout
                .remap(self.positive.iter().copied(), &layout, zero);
            self.negative = self
                .layout
                .remap(self.negative.iter().copied(), &layout, zero);
        }
        self.layout = layout;
    }

    /// Whether adding finite numbers would give an infinite one.
    fn overflows(&self, other: &Histogram, zero_count: f64, sides: [&Buckets; 2]) -> bool {
        let too_much = |own: f64, added: f64| {
            own.is_finite() && added.is_finite() && !(own + added).is_finite()
        };
        let in_buckets =
            [&self.positive, &self.negative]
                .into_iter()
                .zip(sides)
                .any(|(own, added)| {
                    pairs(own.iter().copied(), added.iter()).any(|(_, own, added)| {
                        too_much(own.unwrap_or_default().sum, added.unwrap_or_default())
                    })
                });
        too_much(self.count.sum, other.count)
            || too_much(self.sum.sum, other.sum)
            || too_much(self.zero_count.sum, zero_count)
            || in_buckets
    }

    fn rescale(&mut self) {
        self.scale = STEP;
        let amounts = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let buckets = self.positive.iter_mut().chain(&mut self.negative);
        for amount in amounts.into_iter().chain(buckets.map(|(_, amount)| amount)) {
            *amount = amount.scaled(STEP);
        }
    }

    fn result(&self, divisor: f64) -> Histogram {
        let value = |amount: Precise| amount.value() / divisor / self.scale;
        let side = |buckets: &[(i32, Precise)]| {
            let counts = buckets
                .iter()
                .map(|(index, amount)| (*index, value(*amount)));
            Buckets::ascending(counts)
        };
        Histogram {
            schema: self.layout.schema,
            zero_threshold: self.layout.zero_threshold,
            zero_count: value(self.zero_count),
            count: value(self.count),
            sum: value(self.sum),
            positive: side(&self.positive),
            negative: side(&self.negative),
            bounds: self.layout.bounds.clone(),
            hint: self.hint,
        }
    }
}

fn joined(own: &[(i32, Precise)], added: &Buckets, scale: f64) -> Vec<(i32, Precise)> {
    let both = pairs(own.iter().copied(), added.iter());
    both.map(|(index, own, added)| {
        let own = own.unwrap_or_default();
        (index, added.map_or(own, |count| own.with(count * scale)))
    })
    .collect()
}
