//! The table `series`, and the identity of a series as `docs/formats/segment.md` and the decoder have it.

use crate::decode::plain::{
    Repeated,
    context::{Context, Group},
};
use anyhow::Result;
use arrow::array::{ArrayRef, BooleanBuilder, Int64Builder, RecordBatch, StringBuilder};
use cairn_storage::{schema::batch_schema, signal::Table};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use std::{collections::HashSet, sync::Arc};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const KINDS: [&str; 5] = [
    "gauge",
    "sum",
    "histogram",
    "exponential_histogram",
    "summary",
];

/// What all points of a metric share.
pub(super) struct Shared<'a> {
    metric: &'a Metric,
    kind: usize,
    temporality: i32,
    monotonic: Option<bool>,
    metadata: String,
    digest: [u8; 16],
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        metric: &'a Metric,
        data: &Data,
        group: &Group<'_>,
        metadata: String,
    ) -> Shared<'a> {
        let (kind, temporality, monotonic) = match data {
            Data::Gauge(_) => (0, 0, None),
            Data::Sum(of) => (1, of.aggregation_temporality, Some(of.is_monotonic)),
            Data::Histogram(of) => (2, of.aggregation_temporality, None),
            Data::ExponentialHistogram(of) => (3, of.aggregation_temporality, None),
            Data::Summary(_) => (4, 0, None),
        };
        let mut identity = vec![1, kind as u8];
        identity.extend(temporality.to_le_bytes());
        identity.push(monotonic.map_or(0, |monotonic| 1 + u8::from(monotonic)));
        for text in [
            metric.name.as_str(),
            &metric.unit,
            &group.resource_attributes,
            group.scope_name(),
            group.scope_version(),
            &group.scope_attributes,
        ] {
            identity.extend((text.len() as u32).to_le_bytes());
            identity.extend(text.bytes());
        }
        Shared {
            metric,
            kind,
            temporality,
            monotonic,
            metadata,
            digest: xxh3_128(&identity).to_le_bytes(),
        }
    }

    /// The id of the series with these attributes; `scratch` is overwritten.
    pub(super) fn series_id(&self, attributes: &str, scratch: &mut Vec<u8>) -> i64 {
        scratch.clear();
        scratch.extend_from_slice(&self.digest);
        scratch.extend_from_slice(attributes.as_bytes());
        xxh3_64(scratch) as i64
    }
}

/// The table `series` under construction.
pub(super) struct Series {
    seen: HashSet<i64>,
    series_id: Int64Builder,
    metric: Repeated,
    kind: Repeated,
    unit: Repeated,
    description: Repeated,
    temporality: Repeated,
    monotonic: BooleanBuilder,
    metadata: Repeated,
    attributes: StringBuilder,
    context: Context,
    /// Rows whose scope has been appended.
    in_scope: usize,
}

impl Series {
    pub(super) fn new() -> Series {
        Series {
            seen: HashSet::new(),
            series_id: Int64Builder::new(),
            metric: Repeated::new(),
            kind: Repeated::new(),
            unit: Repeated::new(),
            description: Repeated::new(),
            temporality: Repeated::new(),
            monotonic: BooleanBuilder::new(),
            metadata: Repeated::new(),
            attributes: StringBuilder::new(),
            context: Context::default(),
            in_scope: 0,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.seen.len()
    }

    /// Appends a series that is new.
    pub(super) fn append(&mut self, series_id: i64, attributes: &str) {
        if self.seen.insert(series_id) {
            self.series_id.append_value(series_id);
            self.attributes.append_value(attributes);
        }
    }

    /// Completes the rows of a metric, all since row `before`.
    pub(super) fn end_metric(&mut self, shared: &Shared<'_>, before: usize) {
        let count = self.rows() - before;
        let or_null = |text: &'_ str| (!text.is_empty()).then(|| text.to_string());
        let temporality = match shared.temporality {
            0 => None,
            1 => Some("delta".to_string()),
            2 => Some("cumulative".to_string()),
            other => Some(other.to_string()),
        };
        self.metric.append_values(&shared.metric.name, count);
        self.kind.append_values(KINDS[shared.kind], count);
        self.unit
            .append_options(or_null(&shared.metric.unit), count);
        self.description
            .append_options(or_null(&shared.metric.description), count);
        self.temporality.append_options(temporality, count);
        for _ in 0..count {
            self.monotonic.append_option(shared.monotonic);
        }
        self.metadata.append_values(&shared.metadata, count);
    }

    /// Completes the rows of a scope.
    pub(super) fn end_scope(&mut self, group: &Group<'_>) {
        self.context.append(group, self.rows() - self.in_scope);
        self.in_scope = self.rows();
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let (service_name, context) = self.context.finish();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.series_id.finish()),
            Arc::new(self.metric.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.unit.finish()),
            Arc::new(self.description.finish()),
            Arc::new(self.temporality.finish()),
            Arc::new(self.monotonic.finish()),
            Arc::new(self.metadata.finish()),
            service_name,
            Arc::new(self.attributes.finish()),
        ];
        columns.extend(context);
        Ok(RecordBatch::try_new(batch_schema(Table::Series), columns)?)
    }
}
