//! The columns of the table of series that say what a series is, read from a scan's batches.

use super::{collected::NANOS_PER_MILLI, identity::Described, metric::Metric};
use crate::{
    batches::{column, text, value},
    error::{Error, Result},
};
use arrow::{
    array::{
        Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray,
        TimestampNanosecondArray,
    },
    datatypes::{Int64Type, TimestampNanosecondType},
};
use cairn_storage::segment::layout::{MAX_TIMESTAMP, MIN_TIMESTAMP};

/// The columns that make a series.
pub(super) const DESCRIBED: [&str; 15] = [
    "series_id",
    MIN_TIMESTAMP,
    MAX_TIMESTAMP,
    "metric",
    "type",
    "unit",
    "description",
    "temporality",
    "is_monotonic",
    "metadata",
    "attributes",
    "resource_attributes",
    "scope_name",
    "scope_version",
    "scope_schema_url",
];

/// The columns of a batch with [`DESCRIBED`].
pub(super) struct Rows<'a> {
    pub(super) id: &'a Int64Array,
    /// The first and the last point.
    extent: [&'a TimestampNanosecondArray; 2],
    pub(super) metrics: MetricColumns<'a>,
    /// Attributes, resource, and the scope's name, version and schema URL.
    texts: [StringViewArray; 5],
}

impl Rows<'_> {
    pub(super) fn of(batch: &RecordBatch) -> Result<Rows<'_>> {
        let text = |name| text(batch, name);
        let instants =
            |name| Ok::<_, Error>(column(batch, name)?.as_primitive::<TimestampNanosecondType>());
        Ok(Rows {
            id: column(batch, "series_id")?.as_primitive::<Int64Type>(),
            extent: [instants(MIN_TIMESTAMP)?, instants(MAX_TIMESTAMP)?],
            metrics: MetricColumns::of(batch)?,
            texts: [
                text("attributes")?,
                text("resource_attributes")?,
                text("scope_name")?,
                text("scope_version")?,
                text("scope_schema_url")?,
            ],
        })
    }

    /// When the series has its first and its last point here (ms).
    pub(super) fn extent(&self, row: usize) -> (i64, i64) {
        let [first, last] = self
            .extent
            .map(|times| times.value(row).div_euclid(NANOS_PER_MILLI));
        (first, last)
    }

    pub(super) fn described(&self, row: usize) -> Described<'_> {
        let [attributes, resource, name, version, schema_url] = &self.texts;
        Described {
            attributes: value(attributes, row),
            resource: value(resource, row),
            scope_name: value(name, row),
            scope_version: value(version, row),
            scope_schema_url: value(schema_url, row),
        }
    }
}

/// The columns that say what metric a series is of.
pub(super) const OF_METRIC: [&str; 7] = [
    "metric",
    "type",
    "unit",
    "description",
    "temporality",
    "is_monotonic",
    "metadata",
];

pub(super) struct MetricColumns<'a> {
    /// Name, type, unit, description, temporality and metadata.
    texts: [StringViewArray; 6],
    monotonic: &'a BooleanArray,
}

impl MetricColumns<'_> {
    pub(super) fn of(batch: &RecordBatch) -> Result<MetricColumns<'_>> {
        let text = |name| text(batch, name);
        Ok(MetricColumns {
            texts: [
                text("metric")?,
                text("type")?,
                text("unit")?,
                text("description")?,
                text("temporality")?,
                text("metadata")?,
            ],
            monotonic: column(batch, "is_monotonic")?.as_boolean(),
        })
    }

    pub(super) fn metric(&self, row: usize) -> Metric {
        let [name, kind, unit, description, temporality, metadata] = &self.texts;
        let text = |texts| value(texts, row).to_owned();
        Metric {
            name: text(name),
            kind: text(kind),
            unit: text(unit),
            description: text(description),
            delta: value(temporality, row) == "delta",
            monotonic: !self.monotonic.is_null(row) && self.monotonic.value(row),
            metadata: text(metadata),
        }
    }
}
