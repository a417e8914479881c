//! Rows of the table `histograms` as points of Prometheus series.

use super::{
    collected::{Collected, NANOS_PER_MILLI, NO_RECORDED_VALUE, POINT_BYTES, Pass, STALE},
    metric::Part,
    selected::Selected,
};
use crate::{
    batches,
    columns::PART,
    error::{Error, Result},
};
use arrow::{
    array::{
        Array, AsArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
        TimestampNanosecondArray, UInt64Array,
    },
    datatypes::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type},
};
use cairn_promql::histogram::{Buckets, Histogram, MAX_SCHEMA, MIN_SCHEMA, ResetHint};

/// What is read of the table.
pub(super) const COLUMNS: [&str; 23] = [
    PART,
    "series_id",
    "timestamp",
    "flags",
    "count",
    "sum",
    "explicit_bounds",
    "bucket_counts",
    "scale",
    "zero_count",
    "zero_threshold",
    "positive_offset",
    "positive_counts",
    "negative_offset",
    "negative_counts",
    "quantiles",
    "quantile_values",
    "count_double",
    "zero_count_double",
    "positive_counts_double",
    "negative_counts_double",
    "bucket_counts_double",
    "reset_hint",
];

/// A batch with [`COLUMNS`].
pub(super) struct Distributions<'a> {
    part: &'a Int32Array,
    ids: &'a Int64Array,
    times: &'a TimestampNanosecondArray,
    flags: &'a Int64Array,
    count: Counts<'a>,
    sum: &'a Float64Array,
    bounds: &'a ListArray,
    buckets: ManyCounts<'a>,
    scale: &'a Int32Array,
    zero_count: Counts<'a>,
    zero_threshold: &'a Float64Array,
    positive: Side<'a>,
    negative: Side<'a>,
    quantiles: &'a ListArray,
    quantile_values: &'a ListArray,
    reset_hint: &'a Int32Array,
}

/// Counts that are whole numbers, or doubles where these are there.
struct Counts<'a> {
    whole: &'a UInt64Array,
    double: &'a Float64Array,
}

/// As [`Counts`], a list of them each row.
struct ManyCounts<'a> {
    whole: &'a ListArray,
    double: &'a ListArray,
}

/// The buckets of one side.
struct Side<'a> {
    offset: &'a Int32Array,
    counts: ManyCounts<'a>,
}

impl Counts<'_> {
    fn value(&self, row: usize) -> f64 {
        if !self.double.is_null(row) {
            return self.double.value(row);
        }
        match self.whole.is_null(row) {
            true => 0.0,
            false => self.whole.value(row) as f64,
        }
    }
}

impl ManyCounts<'_> {
    /// The counts of a row, none where it has no list.
    fn values(&self, row: usize) -> Vec<f64> {
        if !self.double.is_null(row) {
            return doubles(self.double, row);
        }
        if self.whole.is_null(row) {
            return Vec::new();
        }
        let counts = self.whole.value(row);
        let counts = counts.as_primitive::<UInt64Type>();
        counts.values().iter().map(|count| *count as f64).collect()
    }
}

/// The numbers of a row's list, none where it has no list.
fn doubles(lists: &ListArray, row: usize) -> Vec<f64> {
    match lists.is_null(row) {
        true => Vec::new(),
        false => lists
            .value(row)
            .as_primitive::<Float64Type>()
            .values()
            .to_vec(),
    }
}

impl<'a> Distributions<'a> {
    /// The columns of `batch`.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Distributions<'a>> {
        let column = |name: &str| batches::column(batch, name);
        let float = |name| Ok::<_, Error>(column(name)?.as_primitive::<Float64Type>());
        let int = |name| Ok::<_, Error>(column(name)?.as_primitive::<Int32Type>());
        let long = |name| Ok::<_, Error>(column(name)?.as_primitive::<Int64Type>());
        let list = |name| Ok::<_, Error>(column(name)?.as_list::<i32>());
        let counts = |whole, double| -> Result<Counts<'a>> {
            Ok(Counts {
                whole: column(whole)?.as_primitive::<UInt64Type>(),
                double: float(double)?,
            })
        };
        let many = |whole, double| -> Result<ManyCounts<'a>> {
            Ok(ManyCounts {
                whole: list(whole)?,
                double: list(double)?,
            })
        };
        Ok(Distributions {
            part: int(PART)?,
            ids: long("series_id")?,
            times: column("timestamp")?.as_primitive::<TimestampNanosecondType>(),
            flags: long("flags")?,
            count: counts("count", "count_double")?,
            sum: float("sum")?,
            bounds: list("explicit_bounds")?,
            buckets: many("bucket_counts", "bucket_counts_double")?,
            scale: int("scale")?,
            zero_count: counts("zero_count", "zero_count_double")?,
            zero_threshold: float("zero_threshold")?,
            positive: Side {
                offset: int("positive_offset")?,
                counts: many("positive_counts", "positive_counts_double")?,
            },
            negative: Side {
                offset: int("negative_offset")?,
                counts: many("negative_counts", "negative_counts_double")?,
            },
            quantiles: list("quantiles")?,
            quantile_values: list("quantile_values")?,
            reset_hint: int("reset_hint")?,
        })
    }

    /// Adds the points of all rows to their groups: native histograms also from before the time that is asked for.
    pub(super) fn collect(
        &self,
        (selected, from_ms): (&Selected, i64),
        pass: &mut Pass,
    ) -> Result<()> {
        let from_ns = from_ms.saturating_mul(NANOS_PER_MILLI);
        for row in 0..self.ids.len() {
            let Some(groups) = selected.members.get(&self.ids.value(row)) else {
                continue;
            };
            let is_early = self.times.value(row) < from_ns;
            let wanted = |part: &Part| match is_early {
                true => *part == Part::Native,
                false => !part.is_number(),
            };
            for (group, part) in groups.iter().filter(|(_, part)| wanted(part)) {
                if let Some(collected) = pass.group(*group) {
                    let bytes = self.point(row, *part, collected)?;
                    pass.bytes += bytes;
                }
            }
        }
        Ok(())
    }

    /// Adds the point of `row`; returns about how much memory it takes.
    fn point(&self, row: usize, part: Part, collected: &mut Collected) -> Result<usize> {
        let run = self.part.value(row);
        let time = self.times.value(row).div_euclid(NANOS_PER_MILLI);
        if self.flags.value(row) & NO_RECORDED_VALUE != 0 {
            // One from before the time that is asked for counts as well: it ends a stretch of histograms.
            collected.floats.push(run, time, STALE);
            return Ok(POINT_BYTES);
        }
        match part {
            Part::Native => {
                let histogram = self.histogram(row)?;
                return Ok(collected.add_native(run, time, histogram));
            }
            Part::Count => collected.floats.push(run, time, self.count.value(row)),
            Part::Sum if self.sum.is_null(row) => return Ok(0),
            Part::Sum => collected.floats.push(run, time, self.sum.value(row)),
            Part::Bucket => {
                return Ok(collected.add_bounded(run, time, self.cumulative(row)));
            }
            Part::Quantile => {
                let quantiles = doubles(self.quantiles, row).into_iter();
                let bounded = quantiles.zip(doubles(self.quantile_values, row));
                return Ok(collected.add_bounded(run, time, bounded.collect()));
            }
            Part::Value => return Ok(0),
        }
        Ok(POINT_BYTES)
    }

    /// Upper bounds and how much is at or below each, the last for everything.
    fn cumulative(&self, row: usize) -> Vec<(f64, f64)> {
        let counts = self.buckets.values(row);
        let bounds = doubles(self.bounds, row);
        let mut below = 0.0;
        let mut bounded = Vec::with_capacity(bounds.len() + 1);
        for (bound, count) in bounds.into_iter().zip(counts) {
            below += count;
            bounded.push((bound, below));
        }
        bounded.push((f64::INFINITY, self.count.value(row)));
        bounded
    }

    fn histogram(&self, row: usize) -> Result<Histogram> {
        let hint = match self.reset_hint.is_null(row) {
            true => ResetHint::Unknown,
            false => match self.reset_hint.value(row) {
                1 => ResetHint::Reset,
                2 => ResetHint::NotReset,
                3 => ResetHint::Gauge,
                _ => ResetHint::Unknown,
            },
        };
        let mut histogram = match self.scale.is_null(row) {
            true => {
                let mut custom = Histogram::custom(doubles(self.bounds, row));
                custom.positive = Buckets::dense(0, self.buckets.values(row));
                custom
            }
            false => self.exponential(row)?,
        };
        histogram.count = self.count.value(row);
        histogram.sum = match self.sum.is_null(row) {
            true => f64::NAN,
            false => self.sum.value(row),
        };
        Ok(histogram.with_hint(hint))
    }

    fn exponential(&self, row: usize) -> Result<Histogram> {
        let scale = self.scale.value(row);
        if scale < i32::from(MIN_SCHEMA) {
            return Err(Error::TooLarge {
                what: format!(
                    "the width of buckets of a histogram of scale {scale}; as a schema it"
                ),
                limit: MIN_SCHEMA.unsigned_abs().into(),
                place: None,
            });
        }
        // Buckets that are finer than any schema of Prometheus are put together.
        let finer = u32::try_from(scale - i32::from(MAX_SCHEMA)).unwrap_or(0);
        let side = |side: &Side<'_>| {
            let offset = match side.offset.is_null(row) {
                true => 0,
                false => side.offset.value(row),
            };
            let counts = side.counts.values(row).into_iter();
            // OTLP numbers a bucket by its lower bound, Prometheus by its upper one.
            let at = |(index, count)| ((index >> finer.min(31)) + 1, count);
            Buckets::sparse((offset..).zip(counts).map(at).collect())
        };
        let threshold = match self.zero_threshold.is_null(row) {
            true => 0.0,
            false => self.zero_threshold.value(row),
        };
        Ok(Histogram {
            schema: i8::try_from(scale.min(i32::from(MAX_SCHEMA))).unwrap_or(MAX_SCHEMA),
            zero_threshold: threshold,
            zero_count: self.zero_count.value(row),
            positive: side(&self.positive),
            negative: side(&self.negative),
            ..Histogram::default()
        })
    }
}
