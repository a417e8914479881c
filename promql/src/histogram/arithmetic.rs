//! Sums and differences of two histograms.

use super::{
    layout::{Buckets, Layout},
    model::{Histogram, ResetHint},
};

/// A sum or a difference, and what the user should hear of how it was made.
#[derive(Debug, Clone)]
pub struct Combined {
    pub histogram: Histogram,
    /// One of the two says that its counter was reset, the other that its was not.
    pub hints_collide: bool,
    /// The custom bounds differed, so that only those that both have are left.
    pub bounds_reconciled: bool,
}

/// Exponential and custom buckets have no layout in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("histograms with exponential and with custom buckets cannot be combined")]
pub struct MixedSchemas;

impl Histogram {
    /// The sum, in the finest layout that splits no populated bucket of either.
    pub fn add(&self, other: &Histogram) -> Result<Combined, MixedSchemas> {
        self.combine(other, |own, others| own + others)
    }

    /// The difference, in the finest layout that splits no populated bucket of either. The hint is that of a sum, as
    /// means and rates want it; the operator `-` makes a gauge of it.
    pub fn sub(&self, other: &Histogram) -> Result<Combined, MixedSchemas> {
        self.combine(other, |own, others| own - others)
    }

    fn combine(
        &self,
        other: &Histogram,
        apply: impl Fn(f64, f64) -> f64,
    ) -> Result<Combined, MixedSchemas> {
        let (layout, others) = (self.layout(), other.layout());
        let common = layout
            .meet(self.indexes(), &others, other.indexes())
            .ok_or(MixedSchemas)?;
        let one = self.conform(&layout, &common);
        let two = other.conform(&others, &common);
        let (hint, hints_collide) = joint_hint(self.hint, other.hint);
        let histogram = Histogram {
            schema: common.schema,
            zero_threshold: common.zero_threshold,
            zero_count: apply(one.zero_count, two.zero_count),
            count: apply(self.count, other.count),
            sum: apply(self.sum, other.sum),
            positive: zip(&one.positive, &two.positive, &apply),
            negative: zip(&one.negative, &two.negative, &apply),
            bounds: common.bounds.clone(),
            hint,
        };
        Ok(Combined {
            histogram,
            hints_collide,
            bounds_reconciled: layout.is_custom() && layout.bounds != others.bounds,
        })
    }

    pub(super) fn indexes(&self) -> impl Iterator<Item = i32> + Clone + '_ {
        let all = self.positive.iter().chain(self.negative.iter());
        all.map(|(index, _)| index)
    }

    /// The counts of the buckets, moved to a coarser layout.
    pub(super) fn conform(&self, from: &Layout, to: &Layout) -> Conformed {
        let mut zero_count = self.zero_count;
        let positive = from.conform(&self.positive, to, &mut zero_count);
        let negative = from.conform(&self.negative, to, &mut zero_count);
        Conformed {
            zero_count,
            positive,
            negative,
        }
    }
}

/// The counts of a histogram in another layout.
pub(super) struct Conformed {
    pub(super) zero_count: f64,
    pub(super) positive: Buckets,
    pub(super) negative: Buckets,
}

/// What is known of a sum of two, and whether what is known of them contradicts.
pub(super) fn joint_hint(one: ResetHint, other: ResetHint) -> (ResetHint, bool) {
    use ResetHint::{Gauge, NotReset, Reset, Unknown};
    match (one, other) {
        (same, again) if same == again => (same, false),
        (Gauge, _) | (_, Gauge) => (Gauge, false),
        (Reset, NotReset) | (NotReset, Reset) => (Unknown, true),
        _ => (Unknown, false),
    }
}

/// Both sides' buckets by index, each with its count on either side.
pub(super) fn pairs<A: Copy, B: Copy>(
    one: impl Iterator<Item = (i32, A)>,
    other: impl Iterator<Item = (i32, B)>,
) -> impl Iterator<Item = (i32, Option<A>, Option<B>)> {
    let mut one = one.peekable();
    let mut other = other.peekable();
    std::iter::from_fn(move || {
        let index = match (one.peek(), other.peek()) {
            (Some(left), Some(right)) => left.0.min(right.0),
            (Some(left), None) => left.0,
            (None, Some(right)) => right.0,
            (None, None) => return None,
        };
        let left = one.next_if(|(at, _)| *at == index).map(|(_, count)| count);
        let right = other
            .next_if(|(at, _)| *at == index)
            .map(|(_, count)| count);
        Some((index, left, right))
    })
}

fn zip(one: &Buckets, other: &Buckets, apply: &impl Fn(f64, f64) -> f64) -> Buckets {
    let joined = pairs(one.iter(), other.iter()).map(|(index, left, right)| {
        let count = apply(left.unwrap_or_default(), right.unwrap_or_default());
        (index, count)
    });
    Buckets::ascending(joined)
}
