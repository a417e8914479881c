//! What one selector means in the store: sets of labels in Prometheus' terms, and the stored series that each is made of.

use super::{
    described::Rows,
    identity::{TARGET, Texts, resource_identity},
    metric::{Metric, Part, Spelling},
    remembered::{Listed, SeriesMemory},
};
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use cairn_promql::{
    labels::Labels,
    matcher::{MatchOp, Matcher},
    source::Temporality,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

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

/// Which parts of which metrics a selector may mean.
pub(super) struct Wanted {
    pub(super) parts: HashMap<Metric, Vec<(Part, String)>>,
    /// Whether [`TARGET`] is meant.
    pub(super) targets: bool,
}

impl Wanted {
    pub(super) fn of(metrics: &[Metric], matchers: &[Matcher], spelling: Spelling) -> Wanted {
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

    /// The stored metrics.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.parts
            .keys()
            .map(|metric| metric.name.as_str())
            .collect()
    }
}

/// Series as they come.
pub(super) struct Building<'a> {
    wanted: &'a Wanted,
    matchers: &'a [Matcher],
    spelling: Spelling,
    most_series: usize,
    memory: &'a SeriesMemory,
    texts: Texts,
    /// By matcher: what it says of shared texts, by where they lie.
    answers: Vec<HashMap<usize, bool>>,
    selected: Selected,
    /// Groups by the hash of their labels.
    by_labels: HashMap<(u64, Part), Vec<usize>>,
    /// The labels of the resources that were looked at, of those that are meant.
    by_resource: HashMap<String, Option<Labels>>,
    /// Series that were looked at: a series stands in every part that has points of it.
    seen: HashSet<i64>,
}

impl<'a> Building<'a> {
    pub(super) fn new(
        wanted: &'a Wanted,
        matchers: &'a [Matcher],
        memory: &'a SeriesMemory,
        most_series: usize,
    ) -> Building<'a> {
        Building {
            wanted,
            matchers,
            spelling: Spelling::of(matchers),
            most_series,
            memory,
            texts: Texts::default(),
            answers: vec![HashMap::new(); matchers.len()],
            selected: Selected {
                one_metric_each: true,
                ..Selected::default()
            },
            by_labels: HashMap::new(),
            by_resource: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    /// Series that are remembered.
    pub(super) fn listed(&mut self, listed: &Listed) -> Result<()> {
        for (id, known) in &listed.series {
            if !self.seen.insert(*id) {
                continue;
            }
            for (part, labels, hash) in &known.parts {
                if self.accepts(*part, labels) {
                    self.member((labels, *hash), *part, &known.metric, *id);
                }
            }
        }
        for (labels, stretches) in &listed.targets {
            let mut matchers = self.matchers.iter();
            if self.wanted.targets && matchers.all(|m| m.accepts(labels.get(&m.name))) {
                let targets = &mut self.selected.targets;
                let known = targets.entry(labels.clone()).or_default();
                known.extend(stretches.iter().copied());
            }
        }
        self.within_limit()
    }

    /// Whether the matchers accept labels that many series share the texts of.
    fn accepts(&mut self, part: Part, labels: &Labels) -> bool {
        let mut matchers = self.matchers.iter().zip(&mut self.answers);
        matchers.all(|(matcher, answers)| {
            if part.own_label() == Some(matcher.name.as_str()) {
                return true;
            }
            let value = labels.get(&matcher.name);
            match matcher.op {
                MatchOp::Equal | MatchOp::NotEqual => matcher.accepts(value),
                MatchOp::Matches | MatchOp::NotMatches => *answers
                    .entry(value.as_ptr() as usize)
                    .or_insert_with(|| matcher.accepts(value)),
            }
        })
    }

    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
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
            let hash = self.memory.hash(&labels);
            self.member((&labels, hash), *part, metric, rows.id.value(row));
        }
        self.within_limit()
    }

    fn within_limit(&self) -> Result<()> {
        if self.selected.groups.len() > self.most_series {
            return Err(Error::TooLarge {
                what: "the number of series that a selector matches".to_owned(),
                limit: self.most_series as u64,
                place: None,
            });
        }
        Ok(())
    }

    /// Makes a stored series a member of the group of its labels.
    fn member(&mut self, labels: (&Labels, u64), part: Part, metric: &Metric, id: i64) {
        let group = self.group(labels, part, metric, id);
        let members = self.selected.members.entry(id).or_default();
        members.push((group, part));
    }

    /// The group of these labels, which are hashed. Floats and native histograms of the same labels are one series.
    fn group(
        &mut self,
        (labels, hash): (&Labels, u64),
        part: Part,
        metric: &Metric,
        id: i64,
    ) -> usize {
        let kind = match part {
            Part::Native => Part::Value,
            other => other,
        };
        let groups = &mut self.selected.groups;
        let alike = self.by_labels.entry((hash, kind)).or_default();
        let known = alike.iter().find(|at| groups[**at].labels == *labels);
        let at = match known.copied() {
            Some(at) => at,
            None => {
                alike.push(groups.len());
                groups.push(Group {
                    labels: labels.clone(),
                    part: kind,
                    temporality: match metric.delta {
                        true => Temporality::Delta,
                        false => Temporality::Cumulative,
                    },
                    metric: self.texts.share(&metric.name),
                    first_id: id,
                });
                groups.len() - 1
            }
        };
        let group = &mut groups[at];
        let is_same = metric.name.as_str() == &*group.metric;
        self.selected.one_metric_each &= is_same;
        if (metric.name.as_str(), id) < (&*group.metric, group.first_id) {
            if !is_same {
                group.metric = self.texts.share(&metric.name);
            }
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
    pub(super) fn finish(self) -> Selected {
        let mut selected = self.selected;
        let mut order: Vec<usize> = (0..selected.groups.len()).collect();
        let key = |at: usize| {
            let group = &selected.groups[at];
            (&*group.metric, group.first_id, group.part)
        };
        // Mostly in order, as in the files.
        order.sort_by(|one, other| key(*one).cmp(&key(*other)));
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
