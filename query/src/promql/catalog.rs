//! The stored series that a selector may mean, with the labels that they have in Prometheus' terms.

use super::{
    collected::NANOS_PER_MILLI,
    identity::{Described, TARGET, Texts, resource_identity},
    metric::{Metric, Part, Spelling},
};
use crate::{
    batches::{self, column, text, value},
    error::{Error, Result},
    session::TenantSession,
    tables::SegmentTable,
};
use arrow::{
    array::{
        Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray,
        TimestampNanosecondArray,
    },
    datatypes::{Int64Type, TimestampNanosecondType},
};
use cairn_promql::{labels::Labels, matcher::Matcher, source::Selection, source::Temporality};
use cairn_storage::{
    segment::layout::{MAX_TIMESTAMP, MIN_TIMESTAMP},
    signal::Table,
};
use datafusion::{
    datasource::provider_as_source,
    logical_expr::{Expr, LogicalPlanBuilder, col, lit},
};
use futures::StreamExt;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Names that are told to the scan one by one; with more of them it reads every metric.
pub(super) const LISTED_METRICS: usize = 1_000;

/// What one selector means in the store.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// Sorted by metric and series, as the points lie.
    pub(super) groups: Vec<Group>,
    /// By series id: the groups that its points go to, and the part that they are there.
    pub(super) members: HashMap<i64, Vec<(usize, Part)>>,
    /// Whether every group is made of series of one stored metric.
    pub(super) one_metric_each: bool,
    /// Resources, as the series that Prometheus' users join with, and the stretches of time (ms, both ends included)
    /// in which each has points.
    pub(super) targets: HashMap<Labels, BTreeSet<(i64, i64)>>,
}

/// One set of labels and the stored series that it is made of.
#[derive(Debug)]
pub(super) struct Group {
    /// Without the label that points give ([`Part::own_label`]).
    pub(super) labels: Labels,
    pub(super) part: Part,
    pub(super) temporality: Temporality,
    /// The stored metric.
    pub(super) metric: Arc<str>,
    /// The lowest of its series' ids.
    pub(super) first_id: i64,
}

/// Where series are read from.
pub(super) struct Reading<'a> {
    pub(super) session: &'a TenantSession,
    /// Series of one selector; more is an error.
    pub(super) most_series: usize,
}

/// The time of `selection` as filters on a table of points, from `earlier_ms` before it on.
pub(super) fn in_time(selection: &Selection, earlier_ms: i64) -> [Expr; 2] {
    let from = selection.from_ms.saturating_sub(earlier_ms);
    let from = from.saturating_mul(NANOS_PER_MILLI);
    let through = selection.through_ms.saturating_mul(NANOS_PER_MILLI);
    batches::in_time(from, through.saturating_add(NANOS_PER_MILLI - 1))
}

impl Reading<'_> {
    /// The metrics of which there are series in the time of `selection`, each once.
    pub(super) async fn metrics(&self, selection: &Selection) -> Result<Vec<Metric>> {
        let series = self.series(selection)?;
        let columns = OF_METRIC;
        let source = provider_as_source(Arc::new(series));
        let plan = LogicalPlanBuilder::scan("series", source, None)?
            .project(columns.map(col))?
            .aggregate(columns.map(col), Vec::<Expr>::new())?
            .build()?;
        let mut metrics = Vec::new();
        let mut rows = self.session.rows(plan).await?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let columns = MetricColumns::of(&batch)?;
            metrics.extend((0..batch.num_rows()).map(|row| columns.metric(row)));
        }
        metrics.sort_unstable();
        Ok(metrics)
    }

    /// Whether a resource with series in the time of `selection` has an identity.
    pub(super) async fn has_targets(&self, selection: &Selection) -> Result<bool> {
        const RESOURCE: &str = "resource_attributes";
        let source = provider_as_source(Arc::new(self.series(selection)?));
        let plan = LogicalPlanBuilder::scan("series", source, None)?
            .project([col(RESOURCE)])?
            .distinct()?
            .build()?;
        let mut rows = self.session.rows(plan).await?;
        while let Some(batch) = rows.next().await {
            let resources = text(&batch?, RESOURCE)?;
            let mut rows = 0..resources.len();
            if rows.any(|row| !resource_identity(value(&resources, row)).is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The series of `metrics` that the matchers of `selection` accept.
    pub(super) async fn select(
        &self,
        selection: &Selection,
        metrics: &[Metric],
    ) -> Result<Selected> {
        let spelling = Spelling::of(&selection.matchers);
        let wanted = Wanted::of(metrics, &selection.matchers, spelling);
        let mut building = Building {
            wanted: &wanted,
            matchers: &selection.matchers,
            spelling,
            most_series: self.most_series,
            texts: Texts::default(),
            selected: Selected {
                one_metric_each: true,
                ..Selected::default()
            },
            by_labels: HashMap::new(),
            by_resource: HashMap::new(),
            seen: HashSet::new(),
        };
        if wanted.parts.is_empty() && !wanted.targets {
            return Ok(building.selected);
        }
        let mut rows = self.described(selection, &wanted).await?;
        while let Some(batch) = rows.next().await {
            building.batch(&batch?)?;
        }
        Ok(building.finish())
    }

    async fn described(
        &self,
        selection: &Selection,
        wanted: &Wanted,
    ) -> Result<futures::stream::BoxStream<'static, Result<RecordBatch>>> {
        let series = self.series(selection)?;
        let source = provider_as_source(Arc::new(series));
        let mut plan = LogicalPlanBuilder::scan("series", source, None)?;
        let names: BTreeSet<&str> = wanted
            .parts
            .keys()
            .map(|metric| metric.name.as_str())
            .collect();
        if !wanted.targets && names.len() <= LISTED_METRICS {
            let list = names.into_iter().map(lit).collect();
            plan = plan.filter(col("metric").in_list(list, false))?;
        }
        self.session
            .rows(plan.project(DESCRIBED.map(col))?.build()?)
            .await
    }

    /// The table of series, narrowed to the parts that hold points in the time of `selection`.
    fn series(&self, selection: &Selection) -> Result<SegmentTable> {
        let filters = in_time(selection, 0);
        let mut parts = BTreeSet::new();
        for table in [Table::Samples, Table::Histograms] {
            parts.append(&mut self.session.table(table).parts(&filters)?);
        }
        Ok(self.session.table(Table::Series).narrowed(Arc::new(parts)))
    }
}

/// The columns that make a series.
const DESCRIBED: [&str; 15] = [
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

/// Which parts of which metrics a selector may mean.
struct Wanted {
    parts: HashMap<Metric, Vec<(Part, String)>>,
    /// Whether [`TARGET`] is meant.
    targets: bool,
}

impl Wanted {
    fn of(metrics: &[Metric], matchers: &[Matcher], spelling: Spelling) -> Wanted {
        let named: Vec<&Matcher> = matchers.iter().filter(|m| m.name == "__name__").collect();
        let accepts = |name: &str| named.iter().all(|matcher| matcher.accepts(name));
        let mut parts = HashMap::new();
        for metric in metrics {
            let mut of_metric = metric.parts(spelling);
            of_metric.retain(|(_, name)| accepts(name));
            if !of_metric.is_empty() {
                parts.insert(metric.clone(), of_metric);
            }
        }
        Wanted {
            parts,
            targets: accepts(TARGET),
        }
    }
}

/// Series as they come.
struct Building<'a> {
    wanted: &'a Wanted,
    matchers: &'a [Matcher],
    spelling: Spelling,
    most_series: usize,
    texts: Texts,
    selected: Selected,
    by_labels: HashMap<(Labels, Part), usize>,
    /// The labels of the resources that were looked at, of those that are meant.
    by_resource: HashMap<String, Option<Labels>>,
    /// Series that were looked at: a series stands in every part that has points of it.
    seen: HashSet<i64>,
}

impl Building<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = Rows::of(batch)?;
        // Neighbours are mostly of one metric.
        let mut before: Option<Metric> = None;
        for row in 0..batch.num_rows() {
            if self.wanted.targets {
                self.target(&rows, row);
            }
            let id = rows.id.value(row);
            if !self.seen.insert(id) {
                continue;
            }
            let metric = rows.metrics.metric(row);
            if before.as_ref() != Some(&metric) {
                before = Some(metric);
            }
            let Some(metric) = before.as_ref() else {
                continue;
            };
            if let Some(parts) = self.wanted.parts.get(metric) {
                self.series(&rows, row, metric, parts)?;
            }
        }
        Ok(())
    }

    fn series(
        &mut self,
        rows: &Rows<'_>,
        row: usize,
        metric: &Metric,
        parts: &[(Part, String)],
    ) -> Result<()> {
        // What came in Prometheus' own terms has its labels as they are to be.
        let spelling = match metric.prometheus_type() {
            Some(_) => Spelling::AsSent,
            None => self.spelling,
        };
        for (part, name) in parts {
            let labels = self.texts.labels(name, rows.described(row), spelling);
            let accepted = self.matchers.iter().all(|matcher| {
                part.own_label() == Some(matcher.name.as_str())
                    || matcher.accepts(labels.get(&matcher.name))
            });
            if !accepted {
                continue;
            }
            let id = rows.id.value(row);
            let group = self.group(labels, *part, metric, id);
            let members = self.selected.members.entry(id).or_default();
            members.push((group, *part));
        }
        if self.selected.groups.len() > self.most_series {
            return Err(Error::TooLarge {
                what: "the number of series that a selector matches".to_owned(),
                limit: self.most_series as u64,
                place: None,
            });
        }
        Ok(())
    }

    /// The group of these labels. Floats and native histograms of the same labels are one series.
    fn group(&mut self, labels: Labels, part: Part, metric: &Metric, id: i64) -> usize {
        let kind = match part {
            Part::Native => Part::Value,
            other => other,
        };
        let groups = &mut self.selected.groups;
        let at = *self
            .by_labels
            .entry((labels.clone(), kind))
            .or_insert_with(|| {
                groups.push(Group {
                    labels,
                    part: kind,
                    temporality: match metric.delta {
                        true => Temporality::Delta,
                        false => Temporality::Cumulative,
                    },
                    metric: metric.name.as_str().into(),
                    first_id: id,
                });
                groups.len() - 1
            });
        let group = &mut groups[at];
        self.selected.one_metric_each &= metric.name.as_str() == &*group.metric;
        if (metric.name.as_str(), id) < (&*group.metric, group.first_id) {
            group.metric = metric.name.as_str().into();
            group.first_id = id;
        }
        at
    }

    fn target(&mut self, rows: &Rows<'_>, row: usize) {
        let resource = rows.described(row).resource;
        if !self.by_resource.contains_key(resource) {
            let labels = self.meant(resource);
            self.by_resource.insert(resource.to_owned(), labels);
        }
        if let Some(Some(labels)) = self.by_resource.get(resource) {
            let stretches = match self.selected.targets.get_mut(labels) {
                Some(stretches) => stretches,
                None => self.selected.targets.entry(labels.clone()).or_default(),
            };
            stretches.insert(rows.extent(row));
        }
    }

    /// The labels of a resource, if it is meant. Without an identity there is nothing to join with.
    fn meant(&mut self, resource: &str) -> Option<Labels> {
        if resource_identity(resource).is_empty() {
            return None;
        }
        let labels = self.texts.target(resource, self.spelling);
        let mut matchers = self.matchers.iter();
        matchers
            .all(|m| m.accepts(labels.get(&m.name)))
            .then_some(labels)
    }

    /// The groups in the order in which their points lie.
    fn finish(self) -> Selected {
        let mut selected = self.selected;
        let mut order: Vec<usize> = (0..selected.groups.len()).collect();
        let key = |at: &usize| {
            let group = &selected.groups[*at];
            (group.metric.clone(), group.first_id, group.part)
        };
        order.sort_by_cached_key(key);
        let mut position = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            position[*old] = new;
        }
        let mut groups: Vec<Option<Group>> = selected.groups.into_iter().map(Some).collect();
        selected.groups = order.iter().filter_map(|old| groups[*old].take()).collect();
        for (group, _) in selected.members.values_mut().flatten() {
            *group = position[*group];
        }
        selected
    }
}

/// The columns of a batch with [`DESCRIBED`].
struct Rows<'a> {
    id: &'a Int64Array,
    /// The first and the last point.
    extent: [&'a TimestampNanosecondArray; 2],
    metrics: MetricColumns<'a>,
    /// Attributes, resource, and the scope's name, version and schema URL.
    texts: [StringViewArray; 5],
}

impl Rows<'_> {
    fn of(batch: &RecordBatch) -> Result<Rows<'_>> {
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
    fn extent(&self, row: usize) -> (i64, i64) {
        let [first, last] = self
            .extent
            .map(|times| times.value(row).div_euclid(NANOS_PER_MILLI));
        (first, last)
    }

    fn described(&self, row: usize) -> Described<'_> {
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
const OF_METRIC: [&str; 7] = [
    "metric",
    "type",
    "unit",
    "description",
    "temporality",
    "is_monotonic",
    "metadata",
];

struct MetricColumns<'a> {
    /// Name, type, unit, description, temporality and metadata.
    texts: [StringViewArray; 6],
    monotonic: &'a BooleanArray,
}

impl MetricColumns<'_> {
    fn of(batch: &RecordBatch) -> Result<MetricColumns<'_>> {
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

    fn metric(&self, row: usize) -> Metric {
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
