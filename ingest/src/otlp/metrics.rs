//! Metrics: `opentelemetry.proto.metrics.v1` to the tables `series`, `samples`, `histograms` and `exemplars`.
//!
//! A record is a data point. A metric whose own bytes are broken is one rejected record, since its points cannot
//! be told apart; so is one with data of a kind that we do not know. One without any data offers nothing.

mod identity;
mod points;

use self::{
    identity::{DIGEST_BYTES, SeriesSet, Spread},
    points::Points,
};
use super::{
    error::DecodeError,
    rows::{
        context::{Resource, Scope},
        metrics::{ExemplarRows, HistogramRows, Metric, MetricKind, SampleRows, SeriesRows},
    },
    tally::MAX_ROWS,
    walk::{Failure, Walk},
    wire::{BYTES, Flaw, Reader, VARINT, key, numbers},
};
use cairn_storage::append::Decoded;

/// A `Metric` as it stands in the request; its points are in [`Tables::points`].
#[derive(Debug, Default)]
struct Record<'a> {
    name: &'a [u8],
    description: &'a [u8],
    unit: &'a [u8],
    kind: Option<MetricKind>,
    temporality: i32,
    monotonic: bool,
    /// There are fields that we do not know: perhaps data of a newer kind.
    unknown_fields: bool,
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

const POINT: u32 = key(1, BYTES);
const TEMPORALITY: u32 = key(2, VARINT);
const MONOTONIC: u32 = key(3, VARINT);
const SUM_FIELDS: u64 = numbers([1, 2, 3]);
const HISTOGRAM_FIELDS: u64 = numbers([1, 2]);
const GAUGE_FIELDS: u64 = numbers([1]);

/// The tables, and what is kept from point to point.
struct Tables<'a> {
    series: SeriesRows,
    samples: SampleRows,
    histograms: HistogramRows,
    exemplars: ExemplarRows,
    /// Series that have their row.
    seen: SeriesSet,
    /// The data of the metric at hand in the pieces it came in, and its points.
    data: Vec<&'a [u8]>,
    points: Vec<&'a [u8]>,
    metadata_messages: Vec<&'a [u8]>,
    parts: Points<'a>,
    metadata: Vec<u8>,
    scratch: Vec<u8>,
}

/// The rows of a metrics request.
pub(super) fn decode(mut walk: Walk<'_>) -> Result<Decoded, Failure> {
    let seed = walk.seed();
    // A point with its share of the metric takes about 100 bytes.
    let rows = walk.payload_bytes / 100;
    let mut tables = Tables {
        series: SeriesRows::with_capacity(rows, walk.payload_bytes, seed),
        samples: SampleRows::with_capacity(rows, seed),
        histograms: HistogramRows::new(seed),
        exemplars: ExemplarRows::new(seed),
        seen: SeriesSet::with_capacity_and_hasher(rows, Spread::new(seed)),
        data: Vec::new(),
        metadata_messages: Vec::new(),
        points: Vec::new(),
        parts: Points::default(),
        metadata: Vec::new(),
        scratch: Vec::new(),
    };
    for group in walk.take_resources() {
        let resource = walk.resource(&group);
        for scope in group.scopes.clone() {
            decode_scope(&mut walk, &mut tables, &resource, scope)?;
        }
    }
    let batches = vec![
        tables.samples.finish()?,
        tables.series.finish()?,
        tables.histograms.finish()?,
        tables.exemplars.finish()?,
    ];
    walk.finish(batches)
}

fn decode_scope<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    resource: &Result<Resource, Flaw>,
    scope: usize,
) -> Result<(), DecodeError> {
    let group = std::mem::take(&mut walk.outline.scopes[scope]);
    let context = walk.context(resource, &group);
    for index in group.records {
        let message = walk.outline.records[index];
        match read_metric(tables, message) {
            Err(flaw) => {
                let ordinal = walk.ledger.offer();
                walk.ledger.reject(ordinal, message, "metric", flaw);
            }
            Ok(record) => match &context {
                Ok(context) => decode_metric(walk, tables, message, &record, context),
                Err((what, flaw)) => reject_points(walk, &tables.points, what, *flaw),
            },
        }
        for (of, rows) in [
            ("data points", walk.ledger.offered()),
            ("exemplars", tables.exemplars.rows()),
        ] {
            if rows > MAX_ROWS {
                return Err(DecodeError::TooManyRows {
                    of,
                    limit: MAX_ROWS,
                });
            }
        }
    }
    if let Ok((resource, scope)) = context {
        tables.series.end_scope(resource, &scope);
    }
    Ok(())
}

fn reject_points(walk: &mut Walk<'_>, points: &[&[u8]], what: &str, flaw: Flaw) {
    for point in points {
        let ordinal = walk.ledger.offer();
        walk.ledger.reject(ordinal, point, what, flaw);
    }
}

/// Reads the fields of a metric; its points and its metadata are then listed in `tables`.
fn read_metric<'a>(tables: &mut Tables<'a>, message: &'a [u8]) -> Result<Record<'a>, Flaw> {
    let mut record = Record::default();
    tables.metadata_messages.clear();
    tables.data.clear();
    tables.points.clear();
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        let kind = match reader.key()? {
            NAME => {
                record.name = reader.bytes()?;
                continue;
            }
            DESCRIPTION => {
                record.description = reader.bytes()?;
                continue;
            }
            UNIT => {
                record.unit = reader.bytes()?;
                continue;
            }
            METADATA => {
                tables.metadata_messages.push(reader.bytes()?);
                continue;
            }
            GAUGE => MetricKind::Gauge,
            SUM => MetricKind::Sum,
            HISTOGRAM => MetricKind::Histogram,
            EXPONENTIAL_HISTOGRAM => MetricKind::ExponentialHistogram,
            SUMMARY => MetricKind::Summary,
            other => {
                record.unknown_fields = true;
                reader.skip(other, FIELDS)?;
                continue;
            }
        };
        if record.kind != Some(kind) {
            // Another member of the oneof replaces the one before; the same one is merged with it.
            tables.data.clear();
            record.kind = Some(kind);
        }
        tables.data.push(reader.bytes()?);
    }
    if let Some(kind) = record.kind {
        for message in &tables.data {
            read_data(&mut record, &mut tables.points, kind, message)?;
        }
    }
    Ok(record)
}

/// Reads `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram` or `Summary`, whose fields have the same numbers.
fn read_data<'a>(
    record: &mut Record<'a>,
    points: &mut Vec<&'a [u8]>,
    kind: MetricKind,
    message: &'a [u8],
) -> Result<(), Flaw> {
    let known = match kind {
        MetricKind::Gauge | MetricKind::Summary => GAUGE_FIELDS,
        MetricKind::Sum => SUM_FIELDS,
        MetricKind::Histogram | MetricKind::ExponentialHistogram => HISTOGRAM_FIELDS,
    };
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            POINT => points.push(reader.bytes()?),
            TEMPORALITY if known != GAUGE_FIELDS => record.temporality = reader.varint()? as i32,
            MONOTONIC if known == SUM_FIELDS => record.monotonic = reader.varint()? != 0,
            other => reader.skip(other, known)?,
        }
    }
    Ok(())
}

/// Writes the rows of a metric that has been read.
fn decode_metric<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    message: &'a [u8],
    record: &Record<'a>,
    (resource, scope): &(&Resource, Scope),
) {
    let Some(kind) = record.kind else {
        if record.unknown_fields {
            let ordinal = walk.ledger.offer();
            walk.ledger
                .reject_incomplete(ordinal, message, "a metric has no data of a known kind");
        }
        return;
    };
    if record.name.is_empty() {
        for point in &tables.points {
            let ordinal = walk.ledger.offer();
            walk.ledger
                .reject_incomplete(ordinal, point, "the metric of a data point has no name");
        }
        return;
    }
    if tables.points.is_empty() {
        return;
    }
    let mut metadata = std::mem::take(&mut tables.metadata);
    metadata.clear();
    let written = walk.attempt(|walk| {
        walk.attributes.begin();
        tables
            .metadata_messages
            .iter()
            .try_for_each(|message| walk.attributes.add(message))?;
        walk.attributes.write(&mut metadata)
    });
    if let Err(flaw) = written {
        reject_points(walk, &tables.points, "metadata of a metric", flaw);
        tables.metadata = metadata;
        return;
    }
    let name = walk.text(record.name);
    let unit = walk.text(record.unit);
    let description = walk.text(record.description);
    let metric = Metric {
        name: &name,
        kind,
        unit: &unit,
        description: &description,
        temporality: record.temporality,
        monotonic: (kind == MetricKind::Sum).then_some(record.monotonic),
        metadata: &metadata,
    };
    let digest = identity::digest(&metric, resource, scope, &mut tables.scratch);
    decode_points(walk, tables, kind, &digest);
    tables.samples.end_metric(&name);
    tables.histograms.end_metric(&name);
    tables.exemplars.end_metric(&name);
    tables.series.end_metric(&metric);
    tables.metadata = metadata;
}

fn decode_points<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    kind: MetricKind,
    digest: &[u8; DIGEST_BYTES],
) {
    let points = std::mem::take(&mut tables.points);
    for message in &points {
        let ordinal = walk.ledger.offer();
        let read = walk.attempt(|walk| points::read(walk, tables, kind, digest, message));
        match read {
            Ok(point) => points::push(walk, tables, kind, point, ordinal),
            Err(flaw) => {
                tables.histograms.abandon();
                tables.exemplars.abandon();
                walk.ledger.reject(ordinal, message, "data point", flaw);
            }
        }
    }
    tables.points = points;
}
