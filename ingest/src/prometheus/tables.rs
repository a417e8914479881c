//! The tables under construction, and the run of rows that are of one metric.
//!
//! What all rows of a metric share is written once a run: neighbours in a request are often of one metric.

use super::{family::MetricType, identity::PointForm, points};
use crate::otlp::{
    DecodeError,
    columns::Unfit,
    metrics::identity::{DIGEST_BYTES, SeriesSet, Spread, series_id},
    rows::{
        context::{Resource, Scope},
        metrics::{
            Exemplar, ExemplarRows, HistogramRows, Metric, MetricKind, Point, SampleRows,
            SeriesRows,
        },
    },
    tally::limit_rows,
};
use arrow::record_batch::RecordBatch;
use cairn_storage::signal::Table;

/// What is said of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Description<'a> {
    pub(super) of: MetricType,
    pub(super) unit: &'a [u8],
    pub(super) help: &'a [u8],
}

/// What all rows of a run share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run<'a> {
    pub(super) name: &'a [u8],
    pub(super) form: PointForm,
    pub(super) is_gauge: bool,
    pub(super) description: Description<'a>,
}

/// The tables of a request.
pub(super) struct Tables<'a> {
    series: SeriesRows,
    samples: SampleRows,
    pub(super) histograms: HistogramRows,
    pub(super) exemplars: ExemplarRows,
    /// Series that have their row.
    seen: SeriesSet,
    run: Option<Run<'a>>,
    job: Option<&'a [u8]>,
    resource: Resource,
    scope: Scope,
}

impl Run<'_> {
    fn metric(&self) -> Metric<'_> {
        let is_counter = self.description.of == MetricType::Counter;
        let (kind, temporality) = match self.form {
            PointForm::Numbers if is_counter => (MetricKind::Sum, CUMULATIVE),
            PointForm::Numbers => (MetricKind::Gauge, 0),
            form if self.is_gauge => (form.kind(), 0),
            form => (form.kind(), CUMULATIVE),
        };
        Metric {
            name: self.name,
            kind,
            unit: self.description.unit,
            description: self.description.help,
            temporality,
            monotonic: (kind == MetricKind::Sum).then_some(true),
            metadata: self.description.of.metadata(),
        }
    }
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

/// An empty map.
const EMPTY: &[u8] = b"{}";

impl<'a> Tables<'a> {
    /// Tables for a request of `bytes` bytes with `series` series.
    pub(super) fn new(series: usize, bytes: usize, seed: u64) -> Self {
        Tables {
            series: SeriesRows::with_capacity(series, bytes, seed),
            samples: SampleRows::with_capacity(series, seed),
            histograms: HistogramRows::new(seed),
            exemplars: ExemplarRows::new(seed),
            seen: SeriesSet::with_capacity_and_hasher(series, Spread::new(seed)),
            run: None,
            job: None,
            resource: Resource {
                attributes: EMPTY.to_vec(),
                ..Resource::default()
            },
            scope: Scope {
                attributes: EMPTY.to_vec(),
                ..Scope::default()
            },
        }
    }

    /// Begins rows of another metric, if `run` is one.
    #[inline]
    pub(super) fn begin(&mut self, run: Run<'a>) {
        if self.run != Some(run) {
            self.end_run();
            self.run = Some(run);
        }
    }

    /// Begins series of another job, if `job` is one.
    #[inline]
    pub(super) fn begin_job(&mut self, job: Option<&'a [u8]>) {
        if self.job != job {
            self.end_run();
            self.end_job();
            self.job = job;
        }
    }

    /// The id of the series whose identity is a digest with the attributes behind it; its row, where it has none yet.
    #[inline]
    pub(super) fn series(&mut self, identity: &[u8]) -> i64 {
        let id = series_id(identity);
        if self.seen.insert(id) {
            self.series.push(id, &identity[DIGEST_BYTES..]);
        }
        id
    }

    /// Whether the series with this identity has its row.
    pub(super) fn has(&self, identity: &[u8]) -> bool {
        self.seen.contains(&series_id(identity))
    }

    #[inline]
    pub(super) fn sample(&mut self, (series_id, ordinal): (i64, u32), sample: points::Sample) {
        let point = Point {
            series_id,
            time: sample.time,
            start: sample.start,
            flags: sample.flags,
            ordinal,
        };
        self.samples.push(&point, sample.value);
    }

    pub(super) fn histogram(
        &mut self,
        (series_id, ordinal): (i64, u32),
        read: &super::histogram::Read,
    ) {
        let point = Point {
            series_id,
            time: read.time,
            start: read.start,
            flags: read.flags,
            ordinal,
        };
        self.histograms.push(read.form.kind(), &point, &read.of);
    }

    /// Completes an exemplar whose attributes are in the table.
    pub(super) fn exemplar(&mut self, (series_id, ordinal): (i64, u32), exemplar: &Exemplar<'_>) {
        let point = Point {
            series_id,
            time: exemplar.time,
            ordinal,
            ..Point::default()
        };
        self.exemplars.push(&point, exemplar);
    }

    pub(super) fn limit_rows(&self, offered: usize) -> Result<(), DecodeError> {
        limit_rows("samples, histograms and exemplars", offered)
    }

    /// The batches of the tables that have rows.
    pub(super) fn finish(mut self) -> Result<Vec<(Table, RecordBatch)>, Unfit> {
        self.end_run();
        self.end_job();
        let tables = [
            self.samples.finish()?,
            self.series.finish()?,
            self.histograms.finish()?,
            self.exemplars.finish()?,
        ];
        Ok(tables.into_iter().flatten().collect())
    }

    fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        self.samples.end_metric(run.name);
        self.histograms.end_metric(run.name);
        self.exemplars.end_metric(run.name);
        self.series.end_metric(&run.metric());
    }

    fn end_job(&mut self) {
        let name = self.job.take().map(<[u8]>::to_vec);
        self.resource.service_name = name;
        self.series.end_scope(&self.resource, &self.scope);
    }
}
