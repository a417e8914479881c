//! Questions about the series themselves: which there are, what labels they have, how many.

use super::{
    collected::NANOS_PER_MILLI,
    identity::TARGET,
    metric::{Metric, Spelling},
    remembered::Site,
    source::StoredSeries,
};
use crate::{
    batches,
    error::{Error, Result},
};
use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int64Type, TimestampNanosecondType},
};
use cairn_promql::{
    labels::{Labels, METRIC_NAME},
    matcher::Matcher,
    source::{Selection, Series},
};
use cairn_storage::{
    attributes::{convert, decode},
    id::TenantId,
    signal::Table,
};
use datafusion::{
    datasource::provider_as_source,
    logical_expr::{LogicalPlanBuilder, col, lit},
};
use futures::StreamExt;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

/// Which series a question is about. Times in milliseconds since 1970, both included.
#[derive(Debug, Clone)]
pub struct Asking {
    pub tenant: TenantId,
    /// Selectors, each as its matchers: a series that one of them selects is meant. All series where there are none.
    pub selectors: Vec<Vec<Matcher>>,
    pub from_ms: i64,
    pub through_ms: i64,
    pub deadline: Option<Duration>,
}

/// A metric's name with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Family {
    pub name: String,
    /// As Prometheus says it: `counter`, `gauge`, `histogram`, `summary`, `unknown`, ….
    pub kind: String,
    pub help: String,
    pub unit: String,
}

/// The exemplars of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplars {
    pub series: Labels,
    /// By time.
    pub exemplars: Vec<Exemplar>,
}

/// A measurement with the trace that it was made in.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    pub labels: Labels,
    pub value: f64,
    pub time_ms: i64,
}

/// How many series there are, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cardinality {
    pub series: u64,
    pub label_pairs: u64,
    /// Largest first: metrics by series, labels by different values, pairs (`name=value`) by series.
    pub by_metric: Vec<(String, u64)>,
    pub by_label: Vec<(String, u64)>,
    pub by_pair: Vec<(String, u64)>,
}

impl Asking {
    /// One selection a selector; one of everything where there are none.
    fn selections(&self) -> Vec<Selection> {
        let everything = [Vec::new()];
        let selectors = match self.selectors.is_empty() {
            true => &everything[..],
            false => &self.selectors,
        };
        let selection = |matchers: &Vec<Matcher>| Selection {
            matchers: matchers.clone(),
            from_ms: self.from_ms,
            through_ms: self.through_ms,
        };
        selectors.iter().map(selection).collect()
    }
}

/// Calls `see` with the labels of each series that is meant, some perhaps more than once.
fn each(asking: &Asking, site: Site, mut see: impl FnMut(&Labels)) -> Result<()> {
    let source = StoredSeries::at(site);
    for selection in asking.selections() {
        let selected = source.selected(&selection)?;
        if selected
            .groups
            .iter()
            .any(|group| group.part.own_label().is_some())
        {
            // Their points say what the buckets are.
            for series in source.read(&selection)? {
                see(&series?.labels);
            }
            continue;
        }
        selected.groups.iter().for_each(|group| see(&group.labels));
        selected.targets.keys().for_each(&mut see);
    }
    Ok(())
}

pub(crate) fn select(selection: &Selection, site: Site) -> Result<Vec<Series>> {
    StoredSeries::at(site).read(selection)?.collect()
}

pub(crate) fn series(asking: &Asking, site: Site) -> Result<BTreeSet<Labels>> {
    let mut seen = BTreeSet::new();
    each(asking, site, |labels| {
        seen.insert(labels.clone());
    })?;
    Ok(seen)
}

pub(crate) fn label_names(asking: &Asking, site: Site) -> Result<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    each(asking, site, |labels| {
        for (name, _) in labels.iter() {
            if !seen.contains(name.as_ref()) {
                seen.insert(name.to_string());
            }
        }
    })?;
    Ok(seen)
}

pub(crate) fn label_values(asking: &Asking, label: &str, site: Site) -> Result<BTreeSet<String>> {
    if label == METRIC_NAME && asking.selectors.is_empty() {
        return names(asking, site);
    }
    let mut seen = BTreeSet::new();
    each(asking, site, |labels| {
        let value = labels.get(label);
        if !value.is_empty() && !seen.contains(value) {
            seen.insert(value.to_owned());
        }
    })?;
    Ok(seen)
}

/// The names of all series, which metrics alone tell.
fn names(asking: &Asking, site: Site) -> Result<BTreeSet<String>> {
    let source = StoredSeries::at(site);
    let mut seen = BTreeSet::new();
    for selection in asking.selections() {
        let metrics = source.metrics(&selection)?;
        let parts = metrics
            .iter()
            .flat_map(|metric| metric.parts(Spelling::Translated));
        seen.extend(parts.map(|(_, name)| name));
        if source.has_targets(&selection)? {
            seen.insert(TARGET.to_owned());
        }
    }
    Ok(seen)
}

pub(crate) fn metadata(asking: &Asking, site: Site) -> Result<Vec<Family>> {
    let source = StoredSeries::at(site);
    let mut families = BTreeSet::new();
    let family = |metric: &Metric| Family {
        name: metric.family(Spelling::Translated),
        kind: metric.api_type().to_owned(),
        help: metric.description.clone(),
        unit: metric.unit.clone(),
    };
    for selection in asking.selections() {
        families.extend(source.metrics(&selection)?.iter().map(family));
    }
    Ok(families.into_iter().collect())
}

pub(crate) fn cardinality(asking: &Asking, most: usize, site: Site) -> Result<Cardinality> {
    let mut seen = BTreeSet::new();
    each(asking, site, |labels| {
        seen.insert(labels.clone());
    })?;
    let mut by_metric: HashMap<&str, u64> = HashMap::new();
    let mut by_pair: HashMap<(&str, &str), u64> = HashMap::new();
    for labels in &seen {
        *by_metric.entry(labels.metric()).or_default() += 1;
        for (name, value) in labels.iter() {
            *by_pair.entry((name, value)).or_default() += 1;
        }
    }
    let mut by_label: HashMap<&str, u64> = HashMap::new();
    for (name, _) in by_pair.keys() {
        *by_label.entry(name).or_default() += 1;
    }
    Ok(Cardinality {
        series: seen.len() as u64,
        label_pairs: by_pair.len() as u64,
        by_metric: largest(by_metric, most, str::to_owned),
        by_label: largest(by_label, most, str::to_owned),
        by_pair: largest(by_pair, most, |(name, value)| format!("{name}={value}")),
    })
}

/// The `most` largest, those of equal counts by name.
fn largest<K>(
    counts: HashMap<K, u64>,
    most: usize,
    name: impl Fn(K) -> String,
) -> Vec<(String, u64)> {
    let named = counts.into_iter().map(|(key, count)| (name(key), count));
    let mut sorted: Vec<(String, u64)> = named.collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    sorted.truncate(most);
    sorted
}

/// The most exemplars of an answer.
const MOST_EXEMPLARS: usize = 100_000;

pub(crate) fn exemplars(asking: &Asking, site: Site) -> Result<Vec<Exemplars>> {
    let source = StoredSeries::at(site);
    let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
    for selection in asking.selections() {
        let selected = source.selected(&selection)?;
        let table = Arc::new(source.session.table(Table::Exemplars));
        let mut plan = LogicalPlanBuilder::scan("exemplars", provider_as_source(table), None)?;
        for filter in super::catalog::in_time(&selection, 0) {
            plan = plan.filter(filter)?;
        }
        let metrics: BTreeSet<&str> = selected.groups.iter().map(|g| &*g.metric).collect();
        if selected.one_metric_each {
            let names = metrics.into_iter().map(lit).collect();
            plan = plan.filter(col("metric").in_list(names, false))?;
        }
        let columns = [
            "series_id",
            "timestamp",
            "value",
            "value_int",
            "trace_id",
            "span_id",
            "attributes",
        ];
        let plan = plan.project(columns.map(col))?.build()?;
        source.wait(async {
            let mut rows = source.session.rows(plan).await?;
            while let Some(batch) = rows.next().await {
                for (id, exemplar) in read(&batch?)? {
                    let groups = selected.members.get(&id).map_or(&[][..], Vec::as_slice);
                    for (group, _) in groups {
                        let labels = selected.groups[*group].labels.clone();
                        found.entry(labels).or_default().push(exemplar.clone());
                    }
                }
                if found.values().map(Vec::len).sum::<usize>() > MOST_EXEMPLARS {
                    return Err(Error::TooLarge {
                        what: "the number of exemplars".to_owned(),
                        limit: MOST_EXEMPLARS as u64,
                        place: None,
                    });
                }
            }
            Ok(())
        })?;
    }
    let sorted = found.into_iter().map(|(series, mut exemplars)| {
        exemplars.sort_by_key(|exemplar| exemplar.time_ms);
        Exemplars { series, exemplars }
    });
    Ok(sorted.collect())
}

/// The exemplars of a batch, each with the id of its series.
fn read(batch: &arrow::record_batch::RecordBatch) -> Result<Vec<(i64, Exemplar)>> {
    let columns = batch.columns();
    let ids = columns[0].as_primitive::<Int64Type>();
    let times = columns[1].as_primitive::<TimestampNanosecondType>();
    let values = columns[2].as_primitive::<Float64Type>();
    let integers = columns[3].as_primitive::<Int64Type>();
    let attributes = batches::text(batch, "attributes")?;
    let mut exemplars = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let value = match (values.is_null(row), integers.is_null(row)) {
            (false, _) => values.value(row),
            (true, false) => integers.value(row) as f64,
            (true, true) => continue,
        };
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, column) in [("trace_id", 4), ("span_id", 5)] {
            let ids = columns[column].as_fixed_size_binary();
            if !ids.is_null(row) {
                pairs.push((name.to_owned(), hex::encode(ids.value(row))));
            }
        }
        for entry in decode::entries(batches::value(&attributes, row)) {
            if let Some(value) = convert::json_text(entry.value) {
                pairs.push((entry.key().into_owned(), value.into_owned()));
            }
        }
        let exemplar = Exemplar {
            labels: Labels::new(pairs),
            value,
            time_ms: times.value(row).div_euclid(NANOS_PER_MILLI),
        };
        exemplars.push((ids.value(row), exemplar));
    }
    Ok(exemplars)
}
