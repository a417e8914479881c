//! The tables `samples`, `series`, `histograms` and `exemplars`.

mod points;
mod series;

use super::{
    context::Group,
    json::{Entries, object},
};
use anyhow::Result;
use arrow::array::RecordBatch;
use cairn_storage::signal::Table;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{Exemplar, Metric, metric::Data},
};
use points::{Exemplars, Histograms, Point, Samples};
use series::{Series, Shared};

/// The tables, and what is kept from point to point.
struct Tables<'a> {
    samples: Samples,
    series: Series,
    histograms: Histograms,
    exemplars: Exemplars,
    entries: Entries<'a>,
    json: Vec<u8>,
    identity: Vec<u8>,
    ordinal: i32,
}

/// What all kinds of data points have.
struct Head<'a> {
    attributes: &'a [KeyValue],
    start: u64,
    time: u64,
    flags: u32,
    exemplars: &'a [Exemplar],
}

/// The head of a data point, whose fields have one name in all kinds.
macro_rules! head {
    ($point:expr) => {
        head!($point, &$point.exemplars)
    };
    ($point:expr, $exemplars:expr) => {
        Head {
            attributes: &$point.attributes,
            start: $point.start_time_unix_nano,
            time: $point.time_unix_nano,
            flags: $point.flags,
            exemplars: $exemplars,
        }
    };
}

pub(super) fn tables(request: &ExportMetricsServiceRequest) -> Result<Vec<(Table, RecordBatch)>> {
    // A point with its share of the metric takes about 100 bytes; the builders grow from there.
    let mut tables = Tables {
        samples: Samples::new(),
        series: Series::new(),
        histograms: Histograms::new(),
        exemplars: Exemplars::new(),
        entries: Entries::new(),
        json: Vec::new(),
        identity: Vec::new(),
        ordinal: 0,
    };
    for of in &request.resource_metrics {
        let mut group = Group::new(of.resource.as_ref(), &of.schema_url);
        for scope in &of.scope_metrics {
            group.enter(scope.scope.as_ref(), &scope.schema_url);
            for metric in &scope.metrics {
                tables.metric(metric, &group)?;
            }
            tables.series.end_scope(&group);
        }
    }
    Ok(vec![
        (Table::Samples, tables.samples.finish()?),
        (Table::Series, tables.series.finish()?),
        (Table::Histograms, tables.histograms.finish()?),
        (Table::Exemplars, tables.exemplars.finish()?),
    ])
}

impl<'a> Tables<'a> {
    fn metric(&mut self, metric: &'a Metric, group: &Group<'_>) -> Result<()> {
        let Some(data) = &metric.data else {
            return Ok(());
        };
        let metadata = object(&mut self.json, &mut self.entries, &metric.metadata).to_string();
        let shared = Shared::new(metric, data, group, metadata);
        let before = self.series.rows();
        match data {
            Data::Gauge(of) => {
                for point in &of.data_points {
                    let head = self.point(&shared, &head!(point))?;
                    self.samples.append(&head, point.value);
                }
            }
            Data::Sum(of) => {
                for point in &of.data_points {
                    let head = self.point(&shared, &head!(point))?;
                    self.samples.append(&head, point.value);
                }
            }
            Data::Histogram(of) => {
                for point in &of.data_points {
                    let head = self.point(&shared, &head!(point))?;
                    self.histograms.append_explicit(&head, point);
                }
            }
            Data::ExponentialHistogram(of) => {
                for point in &of.data_points {
                    let head = self.point(&shared, &head!(point))?;
                    self.histograms.append_exponential(&head, point);
                }
            }
            Data::Summary(of) => {
                for point in &of.data_points {
                    let head = self.point(&shared, &head!(point, &[]))?;
                    self.histograms.append_summary(&head, point);
                }
            }
        }
        self.samples.of.end_metric(&metric.name);
        self.histograms.of.end_metric(&metric.name);
        self.exemplars.end_metric(&metric.name);
        self.series.end_metric(&shared, before);
        Ok(())
    }

    /// Appends the series of a point where it is new, and its exemplars.
    fn point(&mut self, shared: &Shared<'_>, head: &Head<'a>) -> Result<Point> {
        let attributes = object(&mut self.json, &mut self.entries, head.attributes);
        let series_id = shared.series_id(attributes, &mut self.identity);
        self.series.append(series_id, attributes);
        let point = Point {
            series_id,
            time: head.time,
            start: head.start,
            flags: head.flags,
            ordinal: self.ordinal,
        };
        self.ordinal += 1;
        for exemplar in head.exemplars {
            let attributes = object(
                &mut self.json,
                &mut self.entries,
                &exemplar.filtered_attributes,
            );
            self.exemplars.append(&point, exemplar, attributes)?;
        }
        Ok(point)
    }
}
