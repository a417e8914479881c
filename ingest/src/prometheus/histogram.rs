//! Native histograms (`prometheus.Histogram`, the same in both versions) to the lists and numbers of a row.
//!
//! A bucket `i` of Prometheus is (base^(i-1), base^i], one of OTLP (base^i, base^(i+1)]: the same bucket has an index that
//! is one less. Spans and deltas become dense counts, gaps zeros, so nothing is lost and nothing is rounded.

use super::{
    fault::{Fault, MAX_BUCKETS},
    identity::PointForm,
    points::{NO_RECORDED_VALUE, STALE_NAN_BITS, nanos},
};
use crate::otlp::{
    rows::metrics::{Distribution, HistogramRows},
    wire::{Flaw, Reader, numbers, packed_fixed64, packed_varints},
};

/// The schema of custom buckets.
const CUSTOM: i32 = -53;

/// Schemas of exponential buckets: -4 to 8, and those that Prometheus keeps free for more of them.
const EXPONENTIAL: std::ops::RangeInclusive<i32> = -9..=52;

/// One side of a histogram as sent.
#[derive(Debug, Default)]
struct Side {
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// A histogram as sent; kept between histograms for its vectors.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    count: Option<u64>,
    count_double: Option<f64>,
    sum: f64,
    schema: i32,
    zero_threshold: f64,
    zero_count: Option<u64>,
    zero_count_double: Option<f64>,
    positive: Side,
    negative: Side,
    reset_hint: u64,
    millis: u64,
    start_millis: u64,
    bounds: Vec<f64>,
}

/// What a histogram says besides its lists, which are in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) form: PointForm,
    /// ns.
    pub(super) time: i64,
    /// ns; 0 where it has none.
    pub(super) start: i64,
    pub(super) flags: u32,
    pub(super) of: Distribution,
}

const FIELDS: u64 = numbers([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
const SPAN_FIELDS: u64 = numbers([1, 2]);

/// `Histogram.ResetHint.GAUGE`.
pub(super) const HINT_GAUGE: i32 = 3;

impl Histogram {
    /// Reads a histogram of a series that began at `start` (ns), its lists into `rows`.
    pub(super) fn read(
        &mut self,
        message: &[u8],
        start: i64,
        rows: &mut HistogramRows,
    ) -> Result<Read, Fault> {
        self.read_fields(message)?;
        let form = match self.schema {
            CUSTOM => PointForm::Custom,
            schema if EXPONENTIAL.contains(&schema) => PointForm::Exponential,
            _ => return Err(Fault::Schema),
        };
        let time = nanos(self.millis)?;
        let start = match self.start_millis {
            0 => start,
            millis => nanos(millis)?,
        };
        let is_stale = self.sum.to_bits() == STALE_NAN_BITS;
        let of = if is_stale {
            Distribution::default()
        } else {
            self.distribution(form, rows)?
        };
        Ok(Read {
            form,
            time,
            start,
            flags: if is_stale { NO_RECORDED_VALUE } else { 0 },
            of,
        })
    }

    fn distribution(
        &self,
        form: PointForm,
        rows: &mut HistogramRows,
    ) -> Result<Distribution, Fault> {
        let whole = self.count_double.is_none();
        let mut of = Distribution {
            sum: Some(self.sum),
            reset_hint: i32::try_from(self.reset_hint)
                .ok()
                .filter(|hint| (1..=3).contains(hint)),
            ..Distribution::default()
        };
        match self.count_double {
            None => of.count = self.count.unwrap_or(0),
            Some(count) => {
                of.count_double = Some(count);
                // Saturates, and is 0 for NaN.
                of.count = count.round() as u64;
            }
        }
        if form == PointForm::Custom {
            return self.custom(whole, rows).map(|()| of);
        }
        of.scale = self.schema;
        of.zero_threshold = self.zero_threshold;
        if whole {
            of.zero_count = self.zero_count.unwrap_or(0);
        } else {
            let zeros = self.zero_count.map(|count| count as f64);
            of.zero_count_double = Some(self.zero_count_double.or(zeros).unwrap_or(0.0));
        }
        let (counts, doubles) = (&mut rows.positive_counts, &mut rows.positive_counts_double);
        let lists = (counts.open_row(), doubles.open_row());
        of.positive_offset = self.positive.exponential(whole, lists)?;
        let (counts, doubles) = (&mut rows.negative_counts, &mut rows.negative_counts_double);
        let lists = (counts.open_row(), doubles.open_row());
        of.negative_offset = self.negative.exponential(whole, lists)?;
        Ok(of)
    }

    /// Writes bounds and counts of custom buckets: those up to each bound, and one beyond the last.
    fn custom(&self, whole: bool, rows: &mut HistogramRows) -> Result<(), Fault> {
        let ascend = self.bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascend || !self.bounds.iter().all(|bound| bound.is_finite()) {
            return Err(Fault::Bounds);
        }
        let zeros =
            self.zero_count.unwrap_or(0) == 0 && self.zero_count_double.unwrap_or(0.0) == 0.0;
        if !self.negative.spans.is_empty() || !zeros {
            return Err(Fault::Spans);
        }
        if self.bounds.len() >= MAX_BUCKETS {
            return Err(Fault::TooManyBuckets);
        }
        rows.explicit_bounds
            .open_row()
            .extend_from_slice(&self.bounds);
        let buckets = self.bounds.len() + 1;
        if whole {
            let counts = self.positive.whole()?;
            let list = rows.bucket_counts.open_row();
            self.positive.all(buckets, counts, list)
        } else {
            let counts = self.positive.doubles()?;
            let list = rows.bucket_counts_double.open_row();
            self.positive.all(buckets, counts, list)
        }
    }

    fn read_fields(&mut self, message: &[u8]) -> Result<(), Flaw> {
        self.clear();
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                0x08 => self.count = Some(reader.varint()?),
                0x11 => self.count_double = Some(reader.double()?),
                0x19 => self.sum = reader.double()?,
                0x20 => self.schema = reader.zigzag32()?,
                0x29 => self.zero_threshold = reader.double()?,
                0x30 => self.zero_count = Some(reader.varint()?),
                0x39 => self.zero_count_double = Some(reader.double()?),
                0x70 => self.reset_hint = reader.varint()?,
                0x78 => self.millis = reader.varint()?,
                KEY_START => self.start_millis = reader.varint()?,
                key => self.read_list(key, &mut reader)?,
            }
        }
        Ok(())
    }

    fn read_list(&mut self, key: u32, reader: &mut Reader<'_>) -> Result<(), Flaw> {
        match key {
            0x42 => self.negative.add_span(reader.bytes()?),
            0x4a => self.negative.add_deltas(reader.bytes()?),
            0x48 => self.negative.add_delta(reader.varint()?),
            0x52 => add_doubles(&mut self.negative.counts, reader.bytes()?),
            0x51 => add_double(&mut self.negative.counts, reader.double()?),
            0x5a => self.positive.add_span(reader.bytes()?),
            0x62 => self.positive.add_deltas(reader.bytes()?),
            0x60 => self.positive.add_delta(reader.varint()?),
            0x6a => add_doubles(&mut self.positive.counts, reader.bytes()?),
            0x69 => add_double(&mut self.positive.counts, reader.double()?),
            KEY_BOUNDS => add_doubles(&mut self.bounds, reader.bytes()?),
            KEY_BOUND => add_double(&mut self.bounds, reader.double()?),
            key => reader.skip(key, FIELDS),
        }
    }

    fn clear(&mut self) {
        let empty = |mut side: Side| {
            side.spans.clear();
            side.deltas.clear();
            side.counts.clear();
            side
        };
        let mut bounds = std::mem::take(&mut self.bounds);
        bounds.clear();
        *self = Histogram {
            positive: empty(std::mem::take(&mut self.positive)),
            negative: empty(std::mem::take(&mut self.negative)),
            bounds,
            ..Histogram::default()
        };
    }
}

/// Keys of `custom_values` (16), packed and single, and of `start_timestamp` (17).
const KEY_BOUNDS: u32 = (16 << 3) | 2;
const KEY_BOUND: u32 = (16 << 3) | 1;
const KEY_START: u32 = 17 << 3;

fn add_double(list: &mut Vec<f64>, value: f64) -> Result<(), Flaw> {
    list.push(value);
    Ok(())
}

fn add_doubles(list: &mut Vec<f64>, packed: &[u8]) -> Result<(), Flaw> {
    packed_fixed64(packed, |bits| list.push(f64::from_bits(bits)))
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

impl Side {
    fn add_span(&mut self, message: &[u8]) -> Result<(), Flaw> {
        let (mut offset, mut length) = (0, 0);
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                0x08 => offset = reader.zigzag32()?,
                0x10 => length = reader.varint()? as u32,
                key => reader.skip(key, SPAN_FIELDS)?,
            }
        }
        self.spans.push((offset, length));
        Ok(())
    }

    fn add_delta(&mut self, value: u64) -> Result<(), Flaw> {
        self.deltas.push(zigzag(value));
        Ok(())
    }

    fn add_deltas(&mut self, packed: &[u8]) -> Result<(), Flaw> {
        packed_varints(packed, |value| self.deltas.push(zigzag(value)))
    }

    /// The counts of a side whose counts are whole: each the one before it and a delta.
    fn whole(&self) -> Result<Vec<u64>, Fault> {
        let mut count = 0_i64;
        let next = |delta: &i64| {
            count = count.checked_add(*delta).ok_or(Fault::NegativeCount)?;
            u64::try_from(count).map_err(|_| Fault::NegativeCount)
        };
        self.deltas.iter().map(next).collect()
    }

    fn doubles(&self) -> Result<Vec<f64>, Fault> {
        match self.counts.iter().any(|count| *count < 0.0) {
            true => Err(Fault::NegativeCount),
            false => Ok(self.counts.clone()),
        }
    }

    /// Writes the counts of exponential buckets; OTLP's index of the first, `None` where there are no buckets.
    fn exponential(
        &self,
        whole: bool,
        (counts, doubles): (&mut Vec<u64>, &mut Vec<f64>),
    ) -> Result<Option<i32>, Fault> {
        let first = if whole {
            self.dense(self.whole()?, counts)?
        } else {
            self.dense(self.doubles()?, doubles)?
        };
        let offset = |first: i64| i32::try_from(first - 1).map_err(|_| Fault::Spans);
        first.map(offset).transpose()
    }

    /// Writes the counts of the first `buckets` buckets.
    fn all<T: Default + Copy>(
        &self,
        buckets: usize,
        counts: Vec<T>,
        out: &mut Vec<T>,
    ) -> Result<(), Fault> {
        let end = out.len() + buckets;
        let mut dense = Vec::new();
        if let Some(first) = self.dense(counts, &mut dense)? {
            let first = usize::try_from(first).map_err(|_| Fault::Spans)?;
            if first + dense.len() > buckets {
                return Err(Fault::Spans);
            }
            out.extend(std::iter::repeat_n(T::default(), first));
            out.extend(dense);
        }
        out.resize(end, T::default());
        Ok(())
    }

    /// Appends `counts` with zeros for the gaps between spans; the index of the first, `None` without any.
    fn dense<T: Default + Copy>(
        &self,
        counts: Vec<T>,
        out: &mut Vec<T>,
    ) -> Result<Option<i64>, Fault> {
        let begin = out.len();
        let (mut first, mut gap) = (None, 0_i64);
        let mut counts = counts.into_iter();
        for (number, (offset, length)) in self.spans.iter().enumerate() {
            if number > 0 && *offset < 0 {
                return Err(Fault::Spans);
            }
            gap = gap.saturating_add(i64::from(*offset));
            if *length == 0 {
                continue;
            }
            if first.is_none() {
                first = Some(gap);
                gap = 0;
            }
            let room = MAX_BUCKETS - (out.len() - begin);
            let (zeros, length) = (gap.unsigned_abs() as usize, *length as usize);
            if zeros.saturating_add(length) > room {
                return Err(Fault::TooManyBuckets);
            }
            out.extend(std::iter::repeat_n(T::default(), zeros));
            let before = out.len();
            out.extend(counts.by_ref().take(length));
            if out.len() - before < length {
                return Err(Fault::Spans);
            }
            gap = 0;
        }
        match counts.next() {
            Some(_) => Err(Fault::Spans),
            None => Ok(first),
        }
    }
}
