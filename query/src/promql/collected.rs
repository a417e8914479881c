//! Points of series as they are read: in runs from segments and buffers, in any order of these.

use cairn_promql::{histogram::Histogram, source::Floats};
use std::{collections::BTreeMap, sync::Arc};

/// What stands for a point without a value, which ends a series until its next one (Prometheus' stale marker).
pub(super) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

pub(super) const NANOS_PER_MILLI: i64 = 1_000_000;

/// No value was recorded (OTLP, `DataPointFlags`).
pub(super) const NO_RECORDED_VALUE: i64 = 1;

/// The points of the groups from `first` on.
pub(super) struct Pass {
    pub(super) first: usize,
    pub(super) collected: Vec<Collected>,
    /// About the memory that the points take.
    pub(super) bytes: usize,
}

impl Pass {
    /// The group that the next pass begins with.
    pub(super) fn end(&self) -> usize {
        self.first + self.collected.len()
    }

    /// Where points of `group` go, if this pass takes them.
    pub(super) fn group(&mut self, group: usize) -> Option<&mut Collected> {
        self.collected.get_mut(group.checked_sub(self.first)?)
    }
}

/// The points of one group.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) floats: Points<f64>,
    pub(super) natives: Points<Arc<Histogram>>,
    /// By the number that is the value of the group's own label.
    pub(super) bounded: BTreeMap<Bound, Points<f64>>,
}

/// An upper bound or a quantile, in the order of numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound(pub(super) f64);

impl PartialEq for Bound {
    fn eq(&self, other: &Bound) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Bound) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Bound) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Points with their times, as they came.
#[derive(Debug)]
pub(super) struct Points<V> {
    /// ms.
    times: Vec<i64>,
    values: Vec<V>,
    /// Where the points of a part of the snapshot begin, with its number.
    runs: Vec<(i32, usize)>,
}

impl<V> Default for Points<V> {
    fn default() -> Self {
        Points {
            times: Vec::new(),
            values: Vec::new(),
            runs: Vec::new(),
        }
    }
}

impl<V: Clone> Points<V> {
    /// Appends a point of part `part` at `time` (ms).
    pub(super) fn push(&mut self, part: i32, time: i64, value: V) {
        if self.runs.last().is_none_or(|(last, _)| *last != part) {
            self.runs.push((part, self.times.len()));
        }
        self.times.push(time);
        self.values.push(value);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The points in the order of time, of equal times the one that arrived first: segments are older than buffers,
    /// and within a part rows of one time stand in the order of their arrival.
    pub(super) fn in_order(self) -> (Vec<i64>, Vec<V>) {
        if self.times.windows(2).all(|two| two[0] < two[1]) {
            return (self.times, self.values);
        }
        let mut order: Vec<(i64, i32, usize)> = Vec::with_capacity(self.times.len());
        let ends = self.runs.iter().skip(1).map(|(_, start)| *start);
        for ((part, start), end) in self.runs.iter().zip(ends.chain([self.times.len()])) {
            order.extend((*start..end).map(|at| (self.times[at], *part, at)));
        }
        order.sort_unstable();
        order.dedup_by_key(|(time, ..)| *time);
        let times = order.iter().map(|(time, ..)| *time).collect();
        let values = order
            .iter()
            .map(|(.., at)| self.values[*at].clone())
            .collect();
        (times, values)
    }
}

impl Points<f64> {
    /// The numbers, and apart from them the instants of stale markers.
    pub(super) fn floats(self) -> (Floats, Vec<i64>) {
        let (times_ms, values) = self.in_order();
        let is_stale = |value: &f64| value.to_bits() == STALE.to_bits();
        if !values.iter().any(is_stale) {
            return (Floats { times_ms, values }, Vec::new());
        }
        let mut floats = Floats::default();
        let mut stale = Vec::new();
        for (time, value) in times_ms.into_iter().zip(values) {
            match is_stale(&value) {
                true => stale.push(time),
                false => {
                    floats.times_ms.push(time);
                    floats.values.push(value);
                }
            }
        }
        (floats, stale)
    }
}

/// A point in memory, with what its vector keeps ready for more.
pub(super) const POINT_BYTES: usize = 24;

impl Collected {
    /// Adds a native histogram; returns about how much memory it takes.
    pub(super) fn add_native(&mut self, run: i32, time: i64, histogram: Histogram) -> usize {
        let bytes = POINT_BYTES + histogram_bytes(&histogram);
        self.natives.push(run, time, Arc::new(histogram));
        bytes
    }

    /// Adds values by their bounds; returns about how much memory they take.
    pub(super) fn add_bounded(&mut self, run: i32, time: i64, bounded: Vec<(f64, f64)>) -> usize {
        let bytes = POINT_BYTES * bounded.len();
        for (bound, value) in bounded {
            self.bounded
                .entry(Bound(bound))
                .or_default()
                .push(run, time, value);
        }
        bytes
    }

    /// About the memory that all of it takes.
    pub(super) fn bytes(&self) -> usize {
        let natives = self
            .natives
            .values
            .iter()
            .map(|h| POINT_BYTES + histogram_bytes(h));
        let bounded = self
            .bounded
            .values()
            .map(|points| POINT_BYTES * points.len());
        POINT_BYTES * self.floats.len() + natives.sum::<usize>() + bounded.sum::<usize>()
    }
}

fn histogram_bytes(histogram: &Histogram) -> usize {
    size_of::<Histogram>() + 16 * (histogram.positive.len() + histogram.negative.len())
}

#[cfg(test)]
mod tests {
    use super::{Points, STALE};

    #[test]
    fn points_come_in_order_and_the_first_of_a_time_stays() {
        let mut points = Points::default();
        for (part, time, value) in [
            (7, 30, 1.0),
            (7, 40, 2.0),
            (2, 10, 3.0),
            (2, 30, 4.0),
            (2, 30, 5.0),
        ] {
            points.push(part, time, value);
        }
        assert_eq!(points.in_order(), (vec![10, 30, 40], vec![3.0, 4.0, 2.0]));
    }

    #[test]
    fn stale_markers_stand_apart() {
        let mut points = Points::default();
        for (time, value) in [(1, 1.0), (2, STALE), (3, f64::NAN)] {
            points.push(0, time, value);
        }
        let (floats, stale) = points.floats();
        assert_eq!((floats.times_ms, stale), (vec![1, 3], vec![2]));
        assert!(floats.values[1].is_nan());
    }
}
