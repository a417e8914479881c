//! A `Metric` taken apart: what its points share, and the points, not read yet.

use crate::otlp::{
    rows::metrics::MetricKind,
    wire::{BYTES, Flaw, Reader, VARINT, key, numbers},
};

/// A `Metric` as it stands in the request; one value serves all metrics in turn.
#[derive(Debug, Default)]
pub(in crate::otlp) struct MetricMessage<'a> {
    pub(super) name: &'a [u8],
    pub(super) description: &'a [u8],
    pub(super) unit: &'a [u8],
    pub(in crate::otlp) kind: Option<MetricKind>,
    pub(super) temporality: i32,
    pub(super) monotonic: bool,
    /// There are fields that we do not know: perhaps data of a newer kind.
    pub(in crate::otlp) unknown_fields: bool,
    pub(super) metadata: Vec<&'a [u8]>,
    pub(in crate::otlp) points: Vec<&'a [u8]>,
    /// The data in the pieces it came in.
    data: Vec<&'a [u8]>,
}

const NAME: u32 = key(1, BYTES);
const DESCRIPTION: u32 = key(2, BYTES);
const UNIT: u32 = key(3, BYTES);
const GAUGE: u32 = key(5, BYTES);
const SUM: u32 = key(7, BYTES);
const HISTOGRAM: u32 = key(9, BYTES);
const EXPONENTIAL_HISTOGRAM: u32 = key(10, BYTES);
const SUMMARY: u32 = key(11, BYTES);
const METADATA: u32 = key(12, BYTES);
const FIELDS: u64 = numbers([1, 2, 3, 5, 7, 9, 10, 11, 12]);

/// The fields of `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram` and `Summary` have the same numbers: data points
/// in all, temporality in three of them, monotonicity in sums.
const POINT: u32 = key(1, BYTES);
const TEMPORALITY: u32 = key(2, VARINT);
const MONOTONIC: u32 = key(3, VARINT);
const SUM_FIELDS: u64 = numbers([1, 2, 3]);
const HISTOGRAM_FIELDS: u64 = numbers([1, 2]);
const GAUGE_FIELDS: u64 = numbers([1]);

impl<'a> MetricMessage<'a> {
    /// Reads `message` in place of what was read before.
    pub(in crate::otlp) fn read(&mut self, message: &'a [u8]) -> Result<(), Flaw> {
        self.clear();
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                NAME => self.name = reader.bytes()?,
                DESCRIPTION => self.description = reader.bytes()?,
                UNIT => self.unit = reader.bytes()?,
                METADATA => self.metadata.push(reader.bytes()?),
                GAUGE => self.add_data(MetricKind::Gauge, reader.bytes()?),
                SUM => self.add_data(MetricKind::Sum, reader.bytes()?),
                HISTOGRAM => self.add_data(MetricKind::Histogram, reader.bytes()?),
                EXPONENTIAL_HISTOGRAM => {
                    self.add_data(MetricKind::ExponentialHistogram, reader.bytes()?);
                }
                SUMMARY => self.add_data(MetricKind::Summary, reader.bytes()?),
                other => {
                    self.unknown_fields = true;
                    reader.skip(other, FIELDS)?;
                }
            }
        }
        self.read_data()
    }

    fn clear(&mut self) {
        self.metadata.clear();
        self.points.clear();
        self.data.clear();
        *self = MetricMessage {
            metadata: std::mem::take(&mut self.metadata),
            points: std::mem::take(&mut self.points),
            data: std::mem::take(&mut self.data),
            ..MetricMessage::default()
        };
    }

    /// The key of the field that holds data of `kind`.
    pub(in crate::otlp) fn data_key(kind: MetricKind) -> u32 {
        match kind {
            MetricKind::Gauge => GAUGE,
            MetricKind::Sum => SUM,
            MetricKind::Histogram => HISTOGRAM,
            MetricKind::ExponentialHistogram => EXPONENTIAL_HISTOGRAM,
            MetricKind::Summary => SUMMARY,
        }
    }

    /// Another member of the oneof replaces the one before; the same one is merged with it.
    fn add_data(&mut self, kind: MetricKind, message: &'a [u8]) {
        if self.kind != Some(kind) {
            self.data.clear();
            self.kind = Some(kind);
        }
        self.data.push(message);
    }

    fn read_data(&mut self) -> Result<(), Flaw> {
        let known = match self.kind {
            Some(MetricKind::Sum) => SUM_FIELDS,
            Some(MetricKind::Histogram | MetricKind::ExponentialHistogram) => HISTOGRAM_FIELDS,
            Some(MetricKind::Gauge | MetricKind::Summary) | None => GAUGE_FIELDS,
        };
        for message in &self.data {
            let mut reader = Reader::new(message);
            while !reader.is_empty() {
                match reader.key()? {
                    POINT => self.points.push(reader.bytes()?),
                    TEMPORALITY if known != GAUGE_FIELDS => {
                        self.temporality = reader.varint()? as i32;
                    }
                    MONOTONIC if known == SUM_FIELDS => self.monotonic = reader.varint()? != 0,
                    other => reader.skip(other, known)?,
                }
            }
        }
        Ok(())
    }
}

/// A metric without its data points; `None` where its bytes are broken. What is not known to us stays.
pub(in crate::otlp) fn without_points(metric: &[u8]) -> Option<Vec<u8>> {
    let mut message = MetricMessage::default();
    message.read(metric).ok()?;
    let data = message.kind.map(MetricMessage::data_key);
    let mut rest = Vec::new();
    let mut reader = Reader::new(metric);
    while !reader.is_empty() {
        let whole = reader.rest();
        let key = reader.key().ok()?;
        if Some(key) == data {
            let fields = fields_without_points(reader.bytes().ok()?)?;
            put_data(&mut rest, key, &fields);
            continue;
        }
        reader.skip(key, 0).ok()?;
        rest.extend_from_slice(&whole[..whole.len() - reader.rest().len()]);
    }
    Some(rest)
}

/// The fields of a `Gauge` and its like but the data points.
fn fields_without_points(data: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Vec::new();
    let mut reader = Reader::new(data);
    while !reader.is_empty() {
        let whole = reader.rest();
        let key = reader.key().ok()?;
        reader.skip(key, 0).ok()?;
        if key != POINT {
            rest.extend_from_slice(&whole[..whole.len() - reader.rest().len()]);
        }
    }
    Some(rest)
}

fn put_data(message: &mut Vec<u8>, key: u32, data: &[u8]) {
    // Keys of data are below 128.
    message.push(key as u8);
    let mut length = data.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(data);
}
