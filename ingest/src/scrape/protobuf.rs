//! Prometheus' protobuf exposition: families with their metrics, each after its length -> points of series.
//!
//! Source: `io/prometheus/client/metrics.proto`. The only format with native histograms, which become the histograms of
//! remote write: the same numbers under other fields.

use super::{
    fault::Fault,
    point::{Exemplar, Pairs, Point, Value, shown},
};
use crate::{
    otlp::wire::{Flaw, Reader},
    prometheus::{
        Families, MetricType,
        samples::{put, put_varint},
    },
};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A known field of another wire type is skipped, too.
const ANY: u64 = 0;

/// Which forms of a histogram are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forms {
    pub(super) native: bool,
    /// The classic form also where there is a native one.
    pub(super) classic: bool,
}

/// A family less its metrics.
#[derive(Debug, Default)]
struct Head<'a> {
    name: &'a [u8],
    help: &'a [u8],
    unit: &'a [u8],
    of: u64,
    metrics: Vec<&'a [u8]>,
}

/// A metric as it stands in a family.
#[derive(Debug, Default)]
struct Metric<'a> {
    labels: Pairs,
    time: Option<i64>,
    value: &'a [u8],
}

/// A histogram of either form.
#[derive(Debug, Default)]
struct Histogram<'a> {
    count: f64,
    sum: f64,
    buckets: Vec<&'a [u8]>,
    exemplars: Vec<Exemplar>,
    created: i64,
    has_spans: bool,
    zero_threshold: f64,
    has_zeros: bool,
    native: Vec<u8>,
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Fault {
        Fault::Protobuf {
            detail: flaw.what(),
        }
    }
}

/// Reads every point of `page`, with what is known of the metrics up to there.
pub(super) fn read(
    page: &[u8],
    forms: Forms,
    mut each: impl FnMut(Point, &Families) -> Result<(), Fault>,
) -> Result<Families, Fault> {
    let mut families = Families::default();
    let mut reader = Reader::new(page);
    while !reader.is_empty() {
        // A family is written as a field of bytes without its key.
        let head = Head::read(reader.bytes()?)?;
        let of = head.metric_type();
        families.learn(head.name, of, head.unit, head.help);
        for message in &head.metrics {
            let metric = Metric::read(message, of)?;
            metric.points(&head, forms, &mut |point| each(point, &families))?;
        }
    }
    Ok(families)
}

impl<'a> Head<'a> {
    fn read(message: &'a [u8]) -> Result<Head<'a>, Fault> {
        let mut head = Head::default();
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                0x0a => head.name = reader.bytes()?,
                0x12 => head.help = reader.bytes()?,
                0x18 => head.of = reader.varint()?,
                0x22 => head.metrics.push(reader.bytes()?),
                0x2a => head.unit = reader.bytes()?,
                key => reader.skip(key, ANY)?,
            }
        }
        Ok(head)
    }

    fn metric_type(&self) -> MetricType {
        match self.of {
            0 => MetricType::Counter,
            1 => MetricType::Gauge,
            2 => MetricType::Summary,
            4 => MetricType::Histogram,
            5 => MetricType::GaugeHistogram,
            _ => MetricType::Unknown,
        }
    }
}

impl<'a> Metric<'a> {
    fn read(message: &'a [u8], of: MetricType) -> Result<Metric<'a>, Fault> {
        let wanted = match of {
            MetricType::Gauge => 0x12,
            MetricType::Counter => 0x1a,
            MetricType::Summary => 0x22,
            MetricType::Histogram | MetricType::GaugeHistogram => 0x3a,
            _ => 0x2a,
        };
        let mut metric = Metric::default();
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                0x0a => metric.labels.push(label(reader.bytes()?)?),
                0x30 => {
                    let millis = reader.varint()? as i64;
                    metric.time = millis
                        .checked_mul(NANOS_PER_MILLI)
                        .filter(|time| *time >= 0);
                }
                key if key == wanted => metric.value = reader.bytes()?,
                key => reader.skip(key, ANY)?,
            }
        }
        Ok(metric)
    }

    fn points(
        self,
        head: &Head<'_>,
        forms: Forms,
        each: &mut impl FnMut(Point) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let name = text(head.name)?;
        match head.metric_type() {
            MetricType::Histogram | MetricType::GaugeHistogram => {
                let is_gauge = head.metric_type() == MetricType::GaugeHistogram;
                self.histogram(&name, (is_gauge, forms), each)
            }
            MetricType::Summary => self.summary(&name, each),
            _ => {
                let (value, exemplars, created) = number(self.value)?;
                let mut point = self.point(name, Value::Number(value));
                (point.exemplars, point.created) = (exemplars, created);
                each(point)
            }
        }
    }

    fn point(&self, name: String, value: Value) -> Point {
        Point {
            name,
            labels: self.labels.clone(),
            value,
            time: self.time,
            created: 0,
            exemplars: Vec::new(),
        }
    }

    fn summary(
        &self,
        name: &str,
        each: &mut impl FnMut(Point) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (mut count, mut sum, mut created, mut quantiles) = (0, 0.0, 0, Vec::new());
        let mut reader = Reader::new(self.value);
        while !reader.is_empty() {
            match reader.key()? {
                0x08 => count = reader.varint()?,
                0x11 => sum = reader.double()?,
                0x1a => quantiles.push(doubles(reader.bytes()?)?),
                0x22 => created = timestamp(reader.bytes()?)?,
                key => reader.skip(key, ANY)?,
            }
        }
        let mut tell = |suffix: &str, value: f64, quantile: Option<f64>| {
            let mut point = self.point(format!("{name}{suffix}"), Value::Number(value));
            point.created = created;
            if let Some(quantile) = quantile {
                let quantile = shown(quantile);
                point.labels.push(("quantile".to_string(), quantile));
            }
            each(point)
        };
        tell("_count", count as f64, None)?;
        tell("_sum", sum, None)?;
        for (quantile, value) in quantiles {
            tell("", value, Some(quantile))?;
        }
        Ok(())
    }

    fn histogram(
        &self,
        name: &str,
        (is_gauge, forms): (bool, Forms),
        each: &mut impl FnMut(Point) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut histogram = Histogram::read(self.value)?;
        let native = forms.native && histogram.is_native();
        if native {
            if is_gauge {
                // `reset_hint`: GAUGE.
                histogram.native.extend_from_slice(&[0x70, 3]);
            }
            let value = Value::Histogram(std::mem::take(&mut histogram.native));
            let mut point = self.point(name.to_string(), value);
            point.created = histogram.created;
            point.exemplars = std::mem::take(&mut histogram.exemplars);
            each(point)?;
        }
        if native && !forms.classic {
            return Ok(());
        }
        let mut tell = |suffix: &str, value: f64, bucket: Option<(f64, Vec<Exemplar>)>| {
            let mut point = self.point(format!("{name}{suffix}"), Value::Number(value));
            point.created = histogram.created;
            if let Some((bound, exemplars)) = bucket {
                point.labels.push(("le".to_string(), shown(bound)));
                point.exemplars = exemplars;
            }
            each(point)
        };
        tell("_count", histogram.count, None)?;
        tell("_sum", histogram.sum, None)?;
        let mut last = f64::NEG_INFINITY;
        for message in &histogram.buckets {
            let (bound, count, exemplars) = bucket(message)?;
            last = bound;
            tell("_bucket", count, Some((bound, exemplars)))?;
        }
        match last == f64::INFINITY || (histogram.buckets.is_empty() && native) {
            true => Ok(()),
            false => tell(
                "_bucket",
                histogram.count,
                Some((f64::INFINITY, Vec::new())),
            ),
        }
    }
}

impl<'a> Histogram<'a> {
    /// Reads a histogram, and writes its native form as remote write has it.
    fn read(message: &'a [u8]) -> Result<Histogram<'a>, Fault> {
        let mut histogram = Histogram::default();
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            let key = reader.key()?;
            match key {
                0x08 => {
                    let count = reader.varint()?;
                    histogram.count = count as f64;
                    histogram.put_number(0x08, count);
                }
                0x11 => {
                    histogram.sum = reader.double()?;
                    histogram.put_double(0x19, histogram.sum);
                }
                0x1a => histogram.buckets.push(reader.bytes()?),
                0x21 => {
                    histogram.count = reader.double()?;
                    histogram.put_double(0x11, histogram.count);
                }
                0x28 => {
                    let schema = reader.varint()?;
                    histogram.put_number(0x20, schema);
                }
                0x31 => {
                    histogram.zero_threshold = reader.double()?;
                    histogram.put_double(0x29, histogram.zero_threshold);
                }
                0x7a => histogram.created = timestamp(reader.bytes()?)?,
                0x82 => histogram.exemplars.extend(exemplar(reader.bytes()?)?),
                _ => histogram.read_buckets(key, &mut reader)?,
            }
        }
        Ok(histogram)
    }

    /// Reads what only the native form has: zeros, spans, and counts, packed or one by one.
    fn read_buckets(&mut self, key: u32, reader: &mut Reader<'a>) -> Result<(), Fault> {
        match key {
            0x38 => {
                let zeros = reader.varint()?;
                self.has_zeros |= zeros > 0;
                self.put_number(0x30, zeros);
            }
            0x41 => {
                let zeros = reader.double()?;
                self.has_zeros |= zeros > 0.0;
                self.put_double(0x39, zeros);
            }
            // Negative spans, deltas, counts; positive ones.
            0x4a | 0x62 => {
                self.has_spans = true;
                put(
                    &mut self.native,
                    if key == 0x4a { 0x42 } else { 0x5a },
                    reader.bytes()?,
                );
            }
            0x52 | 0x6a => {
                put(
                    &mut self.native,
                    if key == 0x52 { 0x4a } else { 0x62 },
                    reader.bytes()?,
                );
            }
            0x5a | 0x72 => {
                put(
                    &mut self.native,
                    if key == 0x5a { 0x52 } else { 0x6a },
                    reader.bytes()?,
                );
            }
            // The same, each number by itself, as proto2 writes them: a packed list of one.
            0x50 | 0x68 => {
                let mut one = Vec::new();
                put_varint(&mut one, reader.varint()?);
                put(
                    &mut self.native,
                    if key == 0x50 { 0x4a } else { 0x62 },
                    &one,
                );
            }
            0x59 | 0x71 => {
                let one = reader.double()?.to_le_bytes();
                put(
                    &mut self.native,
                    if key == 0x59 { 0x52 } else { 0x6a },
                    &one,
                );
            }
            _ => reader.skip(key, ANY)?,
        }
        Ok(())
    }

    /// Whether it has a native form. One without buckets says so by an empty span (`client_golang`).
    fn is_native(&self) -> bool {
        self.has_spans || self.has_zeros || self.zero_threshold > 0.0
    }

    fn put_number(&mut self, key: u8, number: u64) {
        self.native.push(key);
        put_varint(&mut self.native, number);
    }

    fn put_double(&mut self, key: u8, number: f64) {
        self.native.push(key);
        self.native.extend_from_slice(&number.to_le_bytes());
    }
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Protobuf {
        detail: "a text is not UTF-8",
    })?;
    Ok(text.to_string())
}

fn label(message: &[u8]) -> Result<(String, String), Fault> {
    let (mut name, mut value) = (String::new(), String::new());
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x0a => name = text(reader.bytes()?)?,
            0x12 => value = text(reader.bytes()?)?,
            key => reader.skip(key, ANY)?,
        }
    }
    Ok((name, value))
}

/// A gauge, a counter or what has no type: its value, its exemplar, and when it began.
fn number(message: &[u8]) -> Result<(f64, Vec<Exemplar>, i64), Fault> {
    let (mut value, mut exemplars, mut created) = (0.0, Vec::new(), 0);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x09 => value = reader.double()?,
            0x12 => exemplars.extend(exemplar(reader.bytes()?)?),
            0x1a => created = timestamp(reader.bytes()?)?,
            key => reader.skip(key, ANY)?,
        }
    }
    Ok((value, exemplars, created))
}

/// The bound of a bucket, how many are up to it, and its exemplar.
fn bucket(message: &[u8]) -> Result<(f64, f64, Vec<Exemplar>), Fault> {
    let (mut bound, mut count, mut exemplars) = (0.0, 0.0, Vec::new());
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x08 => count = reader.varint()? as f64,
            0x11 => bound = reader.double()?,
            0x1a => exemplars.extend(exemplar(reader.bytes()?)?),
            0x21 => count = reader.double()?,
            key => reader.skip(key, ANY)?,
        }
    }
    Ok((bound, count, exemplars))
}

/// The first two fields, which are doubles.
fn doubles(message: &[u8]) -> Result<(f64, f64), Fault> {
    let (mut first, mut second) = (0.0, 0.0);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x09 => first = reader.double()?,
            0x11 => second = reader.double()?,
            key => reader.skip(key, ANY)?,
        }
    }
    Ok((first, second))
}

/// An exemplar; none of an empty message.
fn exemplar(message: &[u8]) -> Result<Option<Exemplar>, Fault> {
    let mut read = Exemplar {
        labels: Vec::new(),
        value: 0.0,
        time: None,
    };
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x0a => read.labels.push(label(reader.bytes()?)?),
            0x11 => read.value = reader.double()?,
            0x1a => read.time = Some(timestamp(reader.bytes()?)?),
            key => reader.skip(key, ANY)?,
        }
    }
    Ok((!message.is_empty()).then_some(read))
}

/// `google.protobuf.Timestamp` in ns; 0 of what is before 1970 or after 2262.
fn timestamp(message: &[u8]) -> Result<i64, Fault> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x08 => seconds = reader.varint()? as i64,
            0x10 => nanos = reader.varint()? as i64,
            key => reader.skip(key, ANY)?,
        }
    }
    let time = seconds
        .checked_mul(NANOS_PER_SECOND)
        .and_then(|time| time.checked_add(nanos));
    Ok(time.unwrap_or(0).max(0))
}

#[cfg(test)]
mod tests;
