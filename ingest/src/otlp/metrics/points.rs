//! Data points of all kinds, and their exemplars.

use super::{
    Tables,
    identity::{DIGEST_BYTES, series_id},
};
use crate::otlp::{
    rows::metrics::{Distribution, Exemplar, HistogramRows, MetricKind, Number, Point},
    walk::{Walk, span_id, trace_id},
    wire::{
        BYTES, FIXED64, Flaw, Reader, VARINT, key, nanos, numbers, packed_fixed64, packed_varints,
    },
};

/// What a point has besides the lists, which go straight into the table.
#[derive(Debug, Default)]
pub(super) struct Record {
    start: u64,
    time: u64,
    flags: u32,
    value: Number,
    of: Distribution,
}

/// An `Exemplar` as it stands in the request, its attributes written already.
#[derive(Debug, Default)]
struct ExemplarRecord<'a> {
    time: u64,
    value: Number,
    trace_id: &'a [u8],
    span_id: &'a [u8],
}

/// What is kept from point to point.
#[derive(Debug, Default)]
pub(super) struct Points<'a> {
    exemplar_messages: Vec<&'a [u8]>,
    exemplars: Vec<ExemplarRecord<'a>>,
    /// The identity of the point's series: the metric's digest and the point's attributes.
    identity: Vec<u8>,
}

/// Fields that points of all kinds have, under numbers that differ.
struct Fields {
    attribute: u32,
    exemplar: u32,
    flags: u32,
    known: u64,
}

const START: u32 = key(2, FIXED64);
const TIME: u32 = key(3, FIXED64);
const COUNT: u32 = key(4, FIXED64);

/// Stands where a kind has no such field; no key on the wire is 0.
const NO_FIELD: u32 = 0;

const NUMBER: Fields = Fields {
    attribute: key(7, BYTES),
    exemplar: key(5, BYTES),
    flags: key(8, VARINT),
    known: numbers([2, 3, 4, 5, 6, 7, 8]),
};

const HISTOGRAM: Fields = Fields {
    attribute: key(9, BYTES),
    exemplar: key(8, BYTES),
    flags: key(10, VARINT),
    known: numbers([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
};

const EXPONENTIAL: Fields = Fields {
    attribute: key(1, BYTES),
    exemplar: key(11, BYTES),
    flags: key(10, VARINT),
    known: numbers([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
};

const SUMMARY: Fields = Fields {
    attribute: key(7, BYTES),
    exemplar: NO_FIELD,
    flags: key(8, VARINT),
    known: numbers([2, 3, 4, 5, 6, 7, 8]),
};

const BUCKETS_FIELDS: u64 = numbers([1, 2]);
const QUANTILE_FIELDS: u64 = numbers([1, 2]);
const EXEMPLAR_FIELDS: u64 = numbers([2, 3, 4, 5, 6, 7]);

/// Reads a point: its identity and exemplars into `tables.parts`, its lists and its exemplars' attributes into
/// their tables.
pub(super) fn read<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    kind: MetricKind,
    digest: &[u8; DIGEST_BYTES],
    message: &'a [u8],
) -> Result<Record, Flaw> {
    walk.attributes.begin();
    tables.parts.exemplar_messages.clear();
    let mut record = match kind {
        MetricKind::Gauge | MetricKind::Sum => {
            read_fields(walk, tables, &NUMBER, message, number_field)
        }
        MetricKind::Histogram => read_fields(walk, tables, &HISTOGRAM, message, histogram_field),
        MetricKind::ExponentialHistogram => {
            read_fields(walk, tables, &EXPONENTIAL, message, exponential_field)
        }
        MetricKind::Summary => read_fields(walk, tables, &SUMMARY, message, summary_field),
    }?;
    if kind == MetricKind::Summary {
        // The one sum without presence: left out, it is zero.
        record.of.sum.get_or_insert(0.0);
    }
    let identity = &mut tables.parts.identity;
    identity.clear();
    identity.extend_from_slice(digest);
    walk.attributes.write(identity)?;
    read_exemplars(walk, tables)?;
    // Last, since what is malformed is so whatever its times are.
    nanos(record.start)?;
    nanos(record.time)?;
    tables
        .parts
        .exemplars
        .iter()
        .try_for_each(|exemplar| nanos(exemplar.time).map(drop))?;
    Ok(record)
}

/// Reads the fields of a point: those that all kinds have here, the others with `field`, which returns whether it
/// knows the field.
#[inline(always)]
fn read_fields<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    fields: &Fields,
    message: &'a [u8],
    field: impl Fn(u32, &mut Reader<'a>, &mut Record, &mut HistogramRows) -> Result<bool, Flaw>,
) -> Result<Record, Flaw> {
    let mut record = Record::default();
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        let key = reader.key()?;
        if key == fields.attribute {
            walk.attributes.add(reader.bytes()?)?;
        } else if key == TIME {
            record.time = reader.fixed64()?;
        } else if key == START {
            record.start = reader.fixed64()?;
        } else if key == fields.flags {
            record.flags = reader.varint()? as u32;
        } else if key == fields.exemplar {
            tables.parts.exemplar_messages.push(reader.bytes()?);
        } else if !field(key, &mut reader, &mut record, &mut tables.histograms)? {
            reader.skip(key, fields.known)?;
        }
    }
    Ok(record)
}

#[inline(always)]
fn number_field(
    key: u32,
    reader: &mut Reader<'_>,
    record: &mut Record,
    _: &mut HistogramRows,
) -> Result<bool, Flaw> {
    match key {
        0x21 => record.value = Number::Double(reader.double()?),
        0x31 => record.value = Number::Int(reader.fixed64()? as i64),
        _ => return Ok(false),
    }
    Ok(true)
}

#[inline(always)]
fn histogram_field(
    key: u32,
    reader: &mut Reader<'_>,
    record: &mut Record,
    rows: &mut HistogramRows,
) -> Result<bool, Flaw> {
    let counts = rows.bucket_counts.open_row();
    let bounds = rows.explicit_bounds.open_row();
    match key {
        COUNT => record.of.count = reader.fixed64()?,
        0x29 => record.of.sum = Some(reader.double()?),
        0x32 => packed_fixed64(reader.bytes()?, |count| counts.push(count))?,
        0x31 => counts.push(reader.fixed64()?),
        0x3a => packed_fixed64(reader.bytes()?, |bound| bounds.push(f64::from_bits(bound)))?,
        0x39 => bounds.push(reader.double()?),
        0x59 => record.of.min = Some(reader.double()?),
        0x61 => record.of.max = Some(reader.double()?),
        _ => return Ok(false),
    }
    Ok(true)
}

#[inline(always)]
fn exponential_field(
    key: u32,
    reader: &mut Reader<'_>,
    record: &mut Record,
    rows: &mut HistogramRows,
) -> Result<bool, Flaw> {
    let of = &mut record.of;
    match key {
        COUNT => of.count = reader.fixed64()?,
        0x29 => of.sum = Some(reader.double()?),
        0x30 => of.scale = reader.zigzag32()?,
        0x39 => of.zero_count = reader.fixed64()?,
        0x42 => {
            let counts = rows.positive_counts.open_row();
            read_buckets(reader.bytes()?, of.positive_offset.get_or_insert(0), counts)?;
        }
        0x4a => {
            let counts = rows.negative_counts.open_row();
            read_buckets(reader.bytes()?, of.negative_offset.get_or_insert(0), counts)?;
        }
        0x61 => of.min = Some(reader.double()?),
        0x69 => of.max = Some(reader.double()?),
        0x71 => of.zero_threshold = reader.double()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_buckets(message: &[u8], offset: &mut i32, counts: &mut Vec<u64>) -> Result<(), Flaw> {
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x08 => *offset = reader.zigzag32()?,
            0x12 => packed_varints(reader.bytes()?, |count| counts.push(count))?,
            0x10 => counts.push(reader.varint()?),
            other => reader.skip(other, BUCKETS_FIELDS)?,
        }
    }
    Ok(())
}

#[inline(always)]
fn summary_field(
    key: u32,
    reader: &mut Reader<'_>,
    record: &mut Record,
    rows: &mut HistogramRows,
) -> Result<bool, Flaw> {
    match key {
        COUNT => record.of.count = reader.fixed64()?,
        0x29 => record.of.sum = Some(reader.double()?),
        0x32 => {
            let (mut quantile, mut value) = (0.0, 0.0);
            let mut reader = Reader::new(reader.bytes()?);
            while !reader.is_empty() {
                match reader.key()? {
                    0x09 => quantile = reader.double()?,
                    0x11 => value = reader.double()?,
                    other => reader.skip(other, QUANTILE_FIELDS)?,
                }
            }
            rows.quantiles.open_row().push(quantile);
            rows.quantile_values.open_row().push(value);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads the exemplars of a point and writes their attributes.
fn read_exemplars<'a>(walk: &mut Walk<'a>, tables: &mut Tables<'a>) -> Result<(), Flaw> {
    tables.parts.exemplars.clear();
    for message in &tables.parts.exemplar_messages {
        let mut exemplar = ExemplarRecord::default();
        walk.attributes.begin();
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                0x11 => exemplar.time = reader.fixed64()?,
                0x19 => exemplar.value = Number::Double(reader.double()?),
                0x22 => exemplar.span_id = reader.bytes()?,
                0x2a => exemplar.trace_id = reader.bytes()?,
                0x31 => exemplar.value = Number::Int(reader.fixed64()? as i64),
                0x3a => walk.attributes.add(reader.bytes()?)?,
                other => reader.skip(other, EXEMPLAR_FIELDS)?,
            }
        }
        walk.attributes
            .write(tables.exemplars.attributes.open_row())?;
        tables.exemplars.attributes.end_row();
        tables.parts.exemplars.push(exemplar);
    }
    Ok(())
}

/// Completes the rows of a point that has been read: its sample or histogram, its exemplars, and its series
/// where this is the first point of it.
pub(super) fn push<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    kind: MetricKind,
    record: Record,
    ordinal: u32,
) {
    let identity = &tables.parts.identity;
    let series_id = series_id(identity);
    if tables.seen.insert(series_id) {
        tables.series.push(series_id, &identity[DIGEST_BYTES..]);
    }
    let counts = walk.attributes.counts();
    let time = if record.time == 0 {
        counts.untimed = true;
        walk.received
    } else {
        // `read` has seen that it fits, and that the start does.
        record.time as i64
    };
    let counts = walk.attributes.counts();
    let point = Point {
        series_id,
        time,
        start: record.start as i64,
        flags: record.flags,
        ordinal,
    };
    match kind {
        MetricKind::Gauge | MetricKind::Sum => tables.samples.push(&point, record.value),
        _ => tables.histograms.push(kind, &point, &record.of),
    }
    for exemplar in tables.parts.exemplars.drain(..) {
        tables.exemplars.push(
            &point,
            &Exemplar {
                time: exemplar.time as i64,
                value: exemplar.value,
                trace_id: trace_id(exemplar.trace_id, false, counts),
                span_id: span_id(exemplar.span_id, false, counts),
            },
        );
    }
}
