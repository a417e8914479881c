//! `info`: a vector with the labels of the info metrics that belong to it, joined by `instance` and `job`.

use crate::{
    error::{Error, Result},
    expr::{Expr, Kind, Selector, Shift},
    labels::{Labels, METRIC_NAME},
    matcher::{MatchOp, Matcher},
    row::{Row, Sample},
    source::{Floats, Series},
};
use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

/// The labels by which a series and its info metric are the same thing.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// The info metric where no name is asked for.
const DEFAULT_METRIC: &str = "target_info";

/// What is asked of the info metrics.
pub(crate) struct Wanted {
    /// Of the name.
    names: Vec<Matcher>,
    /// Whether series of such a name stay as they are; as in Prometheus not where labels are asked for and no name.
    is_named: bool,
    /// Of the labels that are to be taken over; of none, all are.
    labels: Vec<Matcher>,
}

impl Wanted {
    pub(crate) fn new(selector: Option<&Selector>) -> Result<Wanted> {
        let matchers = selector.map_or(&[][..], |selector| &selector.matchers);
        let (mut names, labels): (Vec<Matcher>, Vec<Matcher>) = matchers
            .iter()
            .cloned()
            .partition(|matcher| matcher.name == METRIC_NAME);
        let is_named = selector.is_none() || !names.is_empty();
        if names.is_empty() {
            names.push(Matcher::new(METRIC_NAME, MatchOp::Equal, DEFAULT_METRIC)?);
        }
        Ok(Wanted {
            names,
            is_named,
            labels,
        })
    }

    /// The matchers of the info metrics.
    pub(crate) fn matchers(&self) -> Vec<Matcher> {
        self.names.iter().chain(&self.labels).cloned().collect()
    }

    fn is_info(&self, labels: &Labels) -> bool {
        let accepts = |matcher: &Matcher| matcher.accepts(labels.metric());
        self.is_named && self.names.iter().all(accepts)
    }

    /// Whether a series without these labels would be accepted, so that it stays without an info metric.
    fn accepts_none(&self) -> bool {
        self.labels.iter().all(|matcher| matcher.accepts(""))
    }

    fn takes(&self, name: &str) -> bool {
        name != METRIC_NAME
            && !IDENTIFYING.contains(&name)
            && (self.labels.is_empty() || self.labels.iter().any(|matcher| matcher.name == name))
    }
}

/// How the times of the first selector in the first argument are shifted: from there come the info metrics.
///
/// As in Prometheus 3.5 only what is read follows it. The evaluation looks for info metrics at its own times, so it finds
/// none where the two are further apart than points count.
pub(crate) fn shift_of(base: &Expr) -> Shift {
    match &base.kind {
        Kind::Selector(selector) => selector.shift.clone(),
        Kind::Range(range) => range.selector.shift.clone(),
        _ => {
            let children = base.children();
            let mut selecting = children.into_iter().filter(|child| has_selector(child));
            selecting.next().map(shift_of).unwrap_or_default()
        }
    }
}

/// The points of those times alone: a source may give more.
pub(crate) fn within(mut series: Series, times_ms: RangeInclusive<i64>) -> Series {
    let floats = series.floats.times_ms.into_iter();
    let floats = floats.zip(series.floats.values);
    let (times, values) = floats.filter(|(time, _)| times_ms.contains(time)).unzip();
    series.floats = Floats {
        times_ms: times,
        values,
    };
    series
        .histograms
        .retain(|(time, _)| times_ms.contains(time));
    series.stale_ms.retain(|time| times_ms.contains(time));
    series
}

fn has_selector(expr: &Expr) -> bool {
    matches!(expr.kind, Kind::Selector(_) | Kind::Range(_))
        || expr.children().into_iter().any(has_selector)
}

fn identity(labels: &Labels) -> Labels {
    labels.filtered(|name| IDENTIFYING.contains(&name))
}

/// The rows of `base` with the labels of `infos`.
pub(crate) fn join(base: Vec<Row>, infos: &[Row], wanted: &Wanted) -> Result<Vec<Row>> {
    let mut by_identity: HashMap<Labels, Vec<&Row>> = HashMap::new();
    for info in infos {
        by_identity
            .entry(identity(&info.labels))
            .or_default()
            .push(info);
    }
    let mut joined = Vec::new();
    for row in base {
        if wanted.is_info(&row.labels) {
            joined.push(row);
            continue;
        }
        let infos = by_identity
            .get(&identity(&row.labels))
            .map_or(&[][..], Vec::as_slice);
        join_row(&row, infos, wanted, &mut joined)?;
    }
    Ok(joined)
}

/// One row may become several: its labels differ from step to step.
fn join_row(row: &Row, infos: &[&Row], wanted: &Wanted, joined: &mut Vec<Row>) -> Result<()> {
    let mut results: BTreeMap<Labels, Row> = BTreeMap::new();
    for (step, sample) in row.samples.iter().enumerate() {
        if sample.is_absent() {
            continue;
        }
        let Some(labels) = labels_at(row, infos, wanted, step)? else {
            continue;
        };
        let result = results.entry(labels).or_insert_with_key(|labels| Row {
            labels: labels.clone(),
            drop_name: row.drop_name,
            samples: vec![Sample::Absent; row.samples.len()],
        });
        result.samples[step] = sample.clone();
    }
    joined.extend(results.into_values());
    Ok(())
}

/// The labels of a row at one step; nothing where none is added and one is asked for.
fn labels_at(row: &Row, infos: &[&Row], wanted: &Wanted, step: usize) -> Result<Option<Labels>> {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    let mut names: BTreeMap<&str, &Labels> = BTreeMap::new();
    for info in infos.iter().filter(|info| !info.samples[step].is_absent()) {
        if names.insert(info.labels.metric(), &info.labels).is_some() {
            return Err(Error::Evaluation(format!(
                "found duplicate series for info metric {}: it must be unique by instance and job",
                identity(&info.labels)
            )));
        }
        let others = info.labels.iter().filter(|(name, _)| wanted.takes(name));
        for (name, value) in others.filter(|(name, _)| row.labels.get(name).is_empty()) {
            if taken
                .insert(name, value)
                .is_some_and(|before| before != value.as_ref())
            {
                return Err(Error::Evaluation(format!(
                    "conflicting label {name} of info metrics"
                )));
            }
        }
    }
    if taken.is_empty() && !wanted.accepts_none() {
        return Ok(None);
    }
    Ok(Some(
        taken
            .iter()
            .fold(row.labels.clone(), |labels, (name, value)| {
                labels.with(name, value)
            }),
    ))
}
