//! What is kept of the lines of a series in a piece of time: enough for one function, and mergeable.

use super::quantile::Quantile;
use crate::ast::RangeOp;

/// What one function needs. Merging takes the later cell second.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Sum {
        count: u64,
        sum: f64,
    },
    Max(f64),
    Min(f64),
    First {
        at: i64,
        value: f64,
    },
    Last {
        at: i64,
        value: f64,
    },
    /// Welford's numbers.
    Moments {
        count: f64,
        mean: f64,
        squares: f64,
    },
    Quantile(Box<Quantile>),
    /// Times and values of a counter, in no order, before [`Cell::seal`].
    Counter(Vec<(i64, f64)>),
    /// A counter from its first to its last value: how much it grew, over its resets.
    Growth {
        count: u64,
        first: f64,
        last: f64,
        grown: f64,
    },
}

impl Cell {
    pub(super) fn new(op: RangeOp) -> Cell {
        match op {
            RangeOp::Rate
            | RangeOp::Count
            | RangeOp::BytesRate
            | RangeOp::Bytes
            | RangeOp::Absent
            | RangeOp::Sum
            | RangeOp::Avg => Cell::Sum { count: 0, sum: 0.0 },
            RangeOp::Max => Cell::Max(f64::NAN),
            RangeOp::Min => Cell::Min(f64::NAN),
            RangeOp::First => Cell::First {
                at: i64::MAX,
                value: f64::NAN,
            },
            RangeOp::Last => Cell::Last {
                at: i64::MIN,
                value: f64::NAN,
            },
            RangeOp::Stdvar | RangeOp::Stddev => Cell::Moments {
                count: 0.0,
                mean: 0.0,
                squares: 0.0,
            },
            RangeOp::Quantile => Cell::Quantile(Box::default()),
            RangeOp::RateCounter => Cell::Counter(Vec::new()),
        }
    }

    /// Takes a sample in.
    pub(super) fn add(&mut self, timestamp: i64, sample: f64) {
        match self {
            Cell::Sum { count, sum } => {
                *count += 1;
                *sum += sample;
            }
            Cell::Max(value) if sample > *value || value.is_nan() => *value = sample,
            Cell::Min(value) if sample < *value || value.is_nan() => *value = sample,
            Cell::First { at, value } if timestamp < *at || value.is_nan() && timestamp == *at => {
                (*at, *value) = (timestamp, sample);
            }
            Cell::Last { at, value } if timestamp >= *at => (*at, *value) = (timestamp, sample),
            Cell::Moments {
                count,
                mean,
                squares,
            } => {
                *count += 1.0;
                let delta = sample - *mean;
                *mean += delta / *count;
                *squares += delta * (sample - *mean);
            }
            Cell::Quantile(values) => values.add(sample),
            Cell::Counter(samples) => samples.push((timestamp, sample)),
            Cell::Max(_)
            | Cell::Min(_)
            | Cell::First { .. }
            | Cell::Last { .. }
            | Cell::Growth { .. } => {}
        }
    }

    /// Makes the cell ready for merging: all samples of its time are in it.
    pub(super) fn seal(self) -> Cell {
        let Cell::Counter(mut samples) = self else {
            return self;
        };
        samples.sort_by_key(|(timestamp, _)| *timestamp);
        let values = samples.iter().map(|(_, value)| Cell::Growth {
            count: 1,
            first: *value,
            last: *value,
            grown: 0.0,
        });
        let joined = values.reduce(|mut earlier, later| {
            earlier.merge(&later);
            earlier
        });
        joined.unwrap_or(Cell::Growth {
            count: 0,
            first: 0.0,
            last: 0.0,
            grown: 0.0,
        })
    }

    /// Takes in a cell of the same function and a later time.
    pub(super) fn merge(&mut self, later: &Cell) {
        match (self, later) {
            (
                Cell::Sum { count, sum },
                Cell::Sum {
                    count: more,
                    sum: added,
                },
            ) => {
                *count += more;
                *sum += added;
            }
            (Cell::Max(value), Cell::Max(other)) if other > value || value.is_nan() => {
                *value = *other
            }
            (Cell::Min(value), Cell::Min(other)) if other < value || value.is_nan() => {
                *value = *other
            }
            (
                Cell::Last { at, value },
                Cell::Last {
                    at: later,
                    value: other,
                },
            ) => (*at, *value) = (*later, *other),
            (
                Cell::Moments {
                    count,
                    mean,
                    squares,
                },
                Cell::Moments {
                    count: more,
                    mean: other,
                    squares: added,
                },
            ) => {
                let total = *count + more;
                let delta = other - *mean;
                *squares += added + delta * delta * *count * more / total;
                *mean += delta * more / total;
                *count = total;
            }
            (Cell::Quantile(values), Cell::Quantile(other)) => values.merge(other),
            (
                Cell::Growth {
                    count, last, grown, ..
                },
                Cell::Growth {
                    count: more,
                    first: next,
                    last: newest,
                    grown: added,
                },
            ) => {
                // A counter that is smaller than before began anew at 0.
                *grown += added + if next < last { *next } else { next - *last };
                *last = *newest;
                *count += more;
            }
            // The earlier of two first values stays, and so does a greater maximum.
            _ => {}
        }
    }

    /// The value of a window; `seconds` is how long it is.
    pub(super) fn value(&self, op: RangeOp, seconds: f64, quantile: f64) -> f64 {
        match self {
            Cell::Sum { count, sum } => match op {
                RangeOp::Count => *count as f64,
                RangeOp::Rate | RangeOp::BytesRate => sum / seconds,
                RangeOp::Avg => sum / *count as f64,
                _ => *sum,
            },
            Cell::Max(value) | Cell::Min(value) => *value,
            Cell::First { value, .. } | Cell::Last { value, .. } => *value,
            Cell::Moments { count, squares, .. } => match op {
                RangeOp::Stddev => (squares / count).sqrt(),
                _ => squares / count,
            },
            Cell::Quantile(values) => values.quantile(quantile),
            Cell::Growth { count, grown, .. } if *count > 1 => grown / seconds,
            Cell::Growth { .. } | Cell::Counter(_) => 0.0,
        }
    }
}
