//! Writes requests of ours ([`Encoding::Samples`](cairn_storage::signal::Encoding)): remote write 2.0 with fields that
//! keep nanoseconds and integers, and with the lines that made no sample (docs/formats/wal.md).

use super::family::Family;
use crate::error::{Error, Result};
use cairn_storage::{append::Reason, budget::Reservation};
use std::collections::HashMap;

/// Bytes of a line that are kept where it made no sample.
const MAX_LINE_BYTES: usize = 4 << 10;

/// What an entry of the table of symbols takes beside its text, about.
const SYMBOL_BYTES: usize = 96;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// A label and its value.
pub(crate) type Label<'a> = (&'a [u8], &'a [u8]);

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Double(f64),
    Int(i64),
}

/// A sample at `time` (ns), not before 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) time: i64,
    pub(crate) value: Value,
}

/// An exemplar; `time` in ns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar<'a> {
    pub(crate) labels: &'a [Label<'a>],
    pub(crate) value: f64,
    pub(crate) time: i64,
}

/// A point of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Point<'a> {
    Sample(Sample),
    /// A `prometheus.Histogram` with its time, encoded.
    Histogram(&'a [u8]),
}

/// A point with all that stands around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Series<'a> {
    /// Sorted by name and with `__name__` among them.
    pub(crate) labels: &'a [Label<'a>],
    pub(crate) point: Point<'a>,
    pub(crate) exemplars: &'a [Exemplar<'a>],
    pub(crate) family: Option<&'a Family>,
    /// When it began to count, in ns; 0 where that is not known.
    pub(crate) created: i64,
}

/// A request under construction. Memory is paid as it grows.
pub(crate) struct SampleWriter<'m> {
    series: Vec<u8>,
    symbols: Vec<u8>,
    numbers: HashMap<Box<[u8]>, u32>,
    one: Vec<u8>,
    part: Vec<u8>,
    limit_bytes: u64,
    memory: &'m mut Reservation,
}

impl<'m> SampleWriter<'m> {
    /// A request of at most `limit_bytes`, paid from `memory`.
    pub(crate) fn new(limit_bytes: u64, memory: &'m mut Reservation) -> SampleWriter<'m> {
        let mut writer = SampleWriter {
            series: Vec::new(),
            symbols: Vec::new(),
            numbers: HashMap::new(),
            one: Vec::new(),
            part: Vec::new(),
            limit_bytes,
            memory,
        };
        // The first symbol is the empty text (Remote-Write 2.0).
        writer.symbol(b"");
        writer
    }

    /// Adds a sample of the series with `labels`, sorted by name and with `__name__` among them.
    pub(crate) fn sample(
        &mut self,
        labels: &[Label<'_>],
        sample: &Sample,
        exemplar: Option<&Exemplar<'_>>,
        family: Option<&Family>,
    ) -> Result<()> {
        self.series(&Series {
            labels,
            point: Point::Sample(*sample),
            exemplars: exemplar.map_or(&[], std::slice::from_ref),
            family,
            created: 0,
        })
    }

    /// Adds a point of a series.
    pub(crate) fn series(&mut self, series: &Series<'_>) -> Result<()> {
        let mut one = std::mem::take(&mut self.one);
        one.clear();
        self.put_labels(&mut one, series.labels);
        match &series.point {
            Point::Sample(sample) => {
                self.part.clear();
                put_sample(&mut self.part, sample);
                put(&mut one, 0x12, &self.part);
            }
            Point::Histogram(message) => put(&mut one, 0x1a, message),
        }
        for exemplar in series.exemplars {
            let mut part = Vec::new();
            self.put_labels(&mut part, exemplar.labels);
            part.push(0x11);
            part.extend_from_slice(&exemplar.value.to_le_bytes());
            part.push(0x18);
            put_varint(&mut part, (exemplar.time / NANOS_PER_MILLI) as u64);
            put(&mut one, 0x22, &part);
        }
        if let Some(family) = series.family {
            let (help, unit) = (self.symbol(&family.help), self.symbol(&family.unit));
            let mut part = vec![0x08, family.of as u8, 0x18];
            put_varint(&mut part, help.into());
            part.push(0x20);
            put_varint(&mut part, unit.into());
            put(&mut one, 0x2a, &part);
        }
        if series.created > 0 {
            one.push(0x30);
            put_varint(&mut one, (series.created / NANOS_PER_MILLI) as u64);
        }
        put(&mut self.series, 0x2a, &one);
        self.one = one;
        self.pay()
    }

    /// Adds a line that made no sample.
    pub(crate) fn reject(&mut self, line: &[u8], reason: Reason, detail: &str) -> Result<()> {
        self.part.clear();
        self.part.extend_from_slice(&[0x08, reason as u8]);
        put(&mut self.part, 0x12, detail.as_bytes());
        put(
            &mut self.part,
            0x1a,
            &line[..line.len().min(MAX_LINE_BYTES)],
        );
        put_varint(&mut self.series, (100 << 3) | 2);
        put_varint(&mut self.series, self.part.len() as u64);
        self.series.extend_from_slice(&self.part);
        self.pay()
    }

    /// The request.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.symbols.append(&mut self.series);
        self.symbols
    }

    fn put_labels(&mut self, out: &mut Vec<u8>, labels: &[Label<'_>]) {
        let mut references = Vec::with_capacity(labels.len() * 4);
        for (name, value) in labels {
            put_varint(&mut references, self.symbol(name).into());
            put_varint(&mut references, self.symbol(value).into());
        }
        put(out, 0x0a, &references);
    }

    /// The number of a text.
    fn symbol(&mut self, text: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.numbers.len() as u32;
        put(&mut self.symbols, 0x22, text);
        self.numbers.insert(text.into(), number);
        number
    }

    fn pay(&mut self) -> Result<()> {
        let length = self.series.len() + self.symbols.len();
        if length as u64 > self.limit_bytes {
            return Err(Error::TooLarge {
                limit_bytes: self.limit_bytes,
                measured: "as protobuf",
            });
        }
        // Texts stand in the table, too; at the end all moves into one buffer.
        let table = self.symbols.len() + self.numbers.len() * SYMBOL_BYTES;
        let needed = (self.series.capacity() * 2 + self.symbols.capacity() + table) as u64;
        if needed > self.memory.bytes() {
            self.memory.grow(needed - self.memory.bytes())?;
        }
        Ok(())
    }
}

fn put_sample(out: &mut Vec<u8>, sample: &Sample) {
    if let Value::Double(value) = sample.value {
        out.push(0x09);
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.push(0x10);
    put_varint(out, (sample.time / NANOS_PER_MILLI) as u64);
    let rest = sample.time % NANOS_PER_MILLI;
    if rest != 0 {
        put_varint(out, 100 << 3);
        put_varint(out, rest as u64);
    }
    if let Value::Int(value) = sample.value {
        put_varint(out, 101 << 3);
        put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
    }
}

/// Appends a field of bytes, whose key is below 128.
pub(crate) fn put(out: &mut Vec<u8>, key: u8, field: &[u8]) {
    out.push(key);
    put_varint(out, field.len() as u64);
    out.extend_from_slice(field);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
