//! Which buckets a histogram has, and how counts move to the buckets of another layout.

use super::bounds::{self, CUSTOM_SCHEMA};
use std::sync::Arc;

/// The populated buckets of one side, by index. No count is zero.
#[derive(Debug, Clone, Default)]
pub struct Buckets(Vec<(i32, f64)>);

impl Buckets {
    /// Buckets by ascending index, each once; empty ones may be among them.
    pub(super) fn ascending(buckets: impl Iterator<Item = (i32, f64)>) -> Buckets {
        Buckets(buckets.filter(|(_, count)| *count != 0.0).collect())
    }

    /// Neighbouring buckets from the index `first` on; empty ones may be among them. Those whose index is no i32 hold
    /// infinity at best and are left out.
    pub fn dense(first: i32, counts: impl IntoIterator<Item = f64>) -> Buckets {
        let indexes = (i64::from(first)..).map_while(|index| i32::try_from(index).ok());
        Buckets::ascending(indexes.zip(counts))
    }

    /// Buckets in any order, of which an index may come again.
    pub fn sparse(mut buckets: Vec<(i32, f64)>) -> Buckets {
        buckets.sort_by_key(|(index, _)| *index);
        Buckets(merged(buckets.into_iter()))
    }

    /// Index and count of each populated bucket, by index.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (i32, f64)> + ExactSizeIterator + Clone + '_ {
        self.0.iter().copied()
    }

    /// How many are populated.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is populated.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn map(&self, change: impl Fn(f64) -> f64) -> Buckets {
        Buckets::ascending(self.iter().map(|(index, count)| (index, change(count))))
    }

    pub(super) fn same(&self, other: &Buckets) -> bool {
        let bits = |(index, count): &(i32, f64)| (*index, count.to_bits());
        self.0.iter().map(bits).eq(other.0.iter().map(bits))
    }
}

/// What can be added up in a bucket.
pub(super) trait Amount: Copy {
    fn plus(self, other: Self) -> Self;
    fn is_zero(self) -> bool;
}

impl Amount for f64 {
    fn plus(self, other: f64) -> f64 {
        self + other
    }

    fn is_zero(self) -> bool {
        self == 0.0
    }
}

/// Adjacent buckets of the same index become one; empty ones go.
fn merged<A: Amount>(sorted: impl Iterator<Item = (i32, A)>) -> Vec<(i32, A)> {
    let mut result: Vec<(i32, A)> = Vec::with_capacity(sorted.size_hint().0);
    for (index, amount) in sorted {
        match result.last_mut() {
            Some(last) if last.0 == index => last.1 = last.1.plus(amount),
            _ => result.push((index, amount)),
        }
    }
    result.retain(|(_, amount)| !amount.is_zero());
    result
}

/// The bounds of all buckets.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) schema: i8,
    pub(super) zero_threshold: f64,
    pub(super) bounds: Arc<[f64]>,
}

impl Layout {
    pub(super) fn is_custom(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    pub(super) fn same(&self, other: &Layout) -> bool {
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && (Arc::ptr_eq(&self.bounds, &other.bounds) || self.bounds == other.bounds)
    }

    /// The absolute bounds of a bucket: what is above the first, up to the second.
    pub(super) fn edges(&self, index: i32) -> (f64, f64) {
        if !self.is_custom() {
            return (
                bounds::upper(index.saturating_sub(1), self.schema),
                bounds::upper(index, self.schema),
            );
        }
        let at = |place: i32| {
            usize::try_from(place)
                .ok()
                .and_then(|place| self.bounds.get(place))
        };
        let lower = at(index.saturating_sub(1))
            .copied()
            .unwrap_or(f64::NEG_INFINITY);
        let upper = at(index).copied().unwrap_or(f64::INFINITY);
        (lower, upper)
    }

    /// Where the counts of a bucket go in a coarser layout; `None` is the zero bucket.
    fn place(&self, index: i32, to: &Layout) -> Option<i32> {
        if self.is_custom() {
            let after = match usize::try_from(index)
                .ok()
                .and_then(|at| self.bounds.get(at))
            {
                Some(upper) => to.bounds.partition_point(|bound| bound < upper),
                None => to.bounds.len(),
            };
            return i32::try_from(after).ok();
        }
        let absorbed = to.zero_threshold > self.zero_threshold
            && bounds::upper(index.saturating_sub(1), self.schema) < to.zero_threshold;
        (!absorbed).then(|| bounds::coarser(index, self.schema, to.schema))
    }

    /// Moves one side's buckets to a coarser layout, and what the zero bucket there takes in to `zero`.
    pub(super) fn remap<A: Amount>(
        &self,
        buckets: impl ExactSizeIterator<Item = (i32, A)>,
        to: &Layout,
        zero: &mut A,
    ) -> Vec<(i32, A)> {
        let mut moved = Vec::with_capacity(buckets.len());
        for (index, amount) in buckets {
            match self.place(index, to) {
                Some(place) => moved.push((place, amount)),
                None => *zero = zero.plus(amount),
            }
        }
        merged(moved.into_iter())
    }

    /// Moves the buckets of one side to a coarser layout.
    pub(super) fn conform(&self, buckets: &Buckets, to: &Layout, zero: &mut f64) -> Buckets {
        if self.same(to) {
            return buckets.clone();
        }
        Buckets(self.remap(buckets.iter(), to, zero))
    }

    /// A threshold of at least `wanted` that no populated bucket straddles; `indexes` are those of both sides.
    fn clear_threshold(&self, mut wanted: f64, indexes: impl Iterator<Item = i32> + Clone) -> f64 {
        if wanted <= self.zero_threshold {
            return self.zero_threshold;
        }
        loop {
            let straddles = |index: &i32| {
                let (lower, upper) = self.edges(*index);
                lower < wanted && upper > wanted
            };
            match indexes.clone().find(straddles) {
                Some(index) => wanted = self.edges(index).1,
                None => return wanted,
            }
        }
    }

    /// The finest layout that the populated buckets of both can be moved to without splitting one, if there is any:
    /// exponential and custom buckets do not mix.
    pub(super) fn meet<I, J>(&self, own: I, other: &Layout, others: J) -> Option<Layout>
    where
        I: Iterator<Item = i32> + Clone,
        J: Iterator<Item = i32> + Clone,
    {
        if self.same(other) {
            return Some(self.clone());
        }
        if self.is_custom() != other.is_custom() {
            return None;
        }
        if self.is_custom() {
            let both = self.bounds.iter().filter(|bound| other.has(**bound));
            return Some(Layout {
                bounds: both.copied().collect(),
                ..self.clone()
            });
        }
        let mut zero_threshold = self.zero_threshold.max(other.zero_threshold);
        loop {
            let raised = self.clear_threshold(zero_threshold, own.clone());
            let raised = other.clear_threshold(raised, others.clone());
            if raised <= zero_threshold {
                break;
            }
            zero_threshold = raised;
        }
        Some(Layout {
            schema: self.schema.min(other.schema),
            zero_threshold,
            bounds: Arc::clone(&self.bounds),
        })
    }

    fn has(&self, bound: f64) -> bool {
        self.bounds.contains(&bound)
    }
}
