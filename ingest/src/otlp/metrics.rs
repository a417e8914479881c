//! Metrics: `opentelemetry.proto.metrics.v1` to the tables `series`, `samples`, `histograms` and `exemplars`.
//!
//! A record is a data point. A metric whose own bytes are broken is one rejected record, since its points cannot
//! be told apart; so is one with data of a kind that we do not know. One without any data offers nothing.

pub(crate) mod identity;
pub(super) mod message;
mod points;

use self::{
    identity::{DIGEST_BYTES, SeriesSet, Spread},
    message::MetricMessage,
    points::Points,
};
use super::{
    columns::Unfit,
    error::DecodeError,
    rows::{
        context::{Resource, Scope},
        metrics::{ExemplarRows, HistogramRows, Metric, MetricKind, SampleRows, SeriesRows},
    },
    tally::limit_rows,
    walk::{self, Failure, Walk},
    wire::Flaw,
};
use arrow::record_batch::RecordBatch;
use cairn_storage::{append::Decoded, signal::Table};

/// The tables, and what is kept from point to point.
struct Tables<'a> {
    series: SeriesRows,
    samples: SampleRows,
    histograms: HistogramRows,
    exemplars: ExemplarRows,
    /// Series that have their row.
    seen: SeriesSet,
    /// The metric at hand.
    message: MetricMessage<'a>,
    parts: Points<'a>,
    metadata: Vec<u8>,
    scratch: Vec<u8>,
}

/// The rows of a metrics request.
pub(super) fn decode(walk: Walk<'_>) -> Result<Decoded, Failure> {
    let seed = walk.seed();
    // A point with its share of the metric takes about 100 bytes.
    let rows = walk.payload_bytes / 100;
    let tables = Tables {
        series: SeriesRows::with_capacity(rows, walk.payload_bytes, seed),
        samples: SampleRows::with_capacity(rows, seed),
        histograms: HistogramRows::new(seed),
        exemplars: ExemplarRows::new(seed),
        seen: SeriesSet::with_capacity_and_hasher(rows, Spread::new(seed)),
        message: MetricMessage::default(),
        parts: Points::default(),
        metadata: Vec::new(),
        scratch: Vec::new(),
    };
    walk.run(tables)
}

impl<'a> walk::Tables<'a> for Tables<'a> {
    fn decode(
        &mut self,
        walk: &mut Walk<'a>,
        message: &'a [u8],
        context: &(&Resource, Scope),
    ) -> Result<(), DecodeError> {
        match self.message.read(message) {
            Ok(()) => decode_metric(walk, self, message, context),
            Err(flaw) => reject_metric(walk, message, flaw),
        }
        self.limit_rows(walk)
    }

    fn reject(
        &mut self,
        walk: &mut Walk<'a>,
        message: &'a [u8],
        what: &str,
        flaw: Flaw,
    ) -> Result<(), DecodeError> {
        match self.message.read(message) {
            Ok(()) => reject_points(walk, &self.message.points, what, flaw),
            Err(flaw) => reject_metric(walk, message, flaw),
        }
        self.limit_rows(walk)
    }

    fn end_scope(&mut self, resource: &Resource, scope: &Scope) {
        self.series.end_scope(resource, scope);
    }

    fn finish(self) -> Result<Vec<Option<(Table, RecordBatch)>>, Unfit> {
        Ok(vec![
            self.samples.finish()?,
            self.series.finish()?,
            self.histograms.finish()?,
            self.exemplars.finish()?,
        ])
    }
}

impl Tables<'_> {
    fn limit_rows(&self, walk: &Walk<'_>) -> Result<(), DecodeError> {
        limit_rows("data points", walk.ledger.offered())?;
        limit_rows("exemplars", self.exemplars.rows())
    }
}

/// Rejects a metric whose points cannot be told apart, as one record.
fn reject_metric(walk: &mut Walk<'_>, message: &[u8], flaw: Flaw) {
    let ordinal = walk.ledger.offer();
    walk.ledger.reject(ordinal, message, "metric", flaw);
}

fn reject_points(walk: &mut Walk<'_>, points: &[&[u8]], what: &str, flaw: Flaw) {
    for point in points {
        let ordinal = walk.ledger.offer();
        walk.ledger.reject(ordinal, point, what, flaw);
    }
}

/// Writes the rows of a metric that has been read.
fn decode_metric<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    message: &'a [u8],
    (resource, scope): &(&Resource, Scope),
) {
    let Some(kind) = tables.message.kind else {
        if tables.message.unknown_fields {
            let ordinal = walk.ledger.offer();
            walk.ledger
                .reject_incomplete(ordinal, message, "a metric has no data of a known kind");
        }
        return;
    };
    if tables.message.name.is_empty() {
        for point in &tables.message.points {
            let ordinal = walk.ledger.offer();
            walk.ledger
                .reject_incomplete(ordinal, point, "the metric of a data point has no name");
        }
        return;
    }
    if tables.message.points.is_empty() {
        return;
    }
    let mut metadata = std::mem::take(&mut tables.metadata);
    metadata.clear();
    let written = walk.attempt(|walk| {
        walk.attributes.begin();
        let messages = &tables.message.metadata;
        messages
            .iter()
            .try_for_each(|message| walk.attributes.add(message))?;
        walk.attributes.write(&mut metadata)
    });
    if let Err(flaw) = written {
        reject_points(walk, &tables.message.points, "metadata of a metric", flaw);
        tables.metadata = metadata;
        return;
    }
    let name = walk.text(tables.message.name);
    let unit = walk.text(tables.message.unit);
    let description = walk.text(tables.message.description);
    let metric = Metric {
        name: &name,
        kind,
        unit: &unit,
        description: &description,
        temporality: tables.message.temporality,
        monotonic: (kind == MetricKind::Sum).then_some(tables.message.monotonic),
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
    let points = std::mem::take(&mut tables.message.points);
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
    tables.message.points = points;
}
