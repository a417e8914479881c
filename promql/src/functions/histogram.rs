//! Functions of native histograms: count, sum, mean, variance, fractions.

use super::classic::{self, Bucket};
use crate::{
    annotations::Notes,
    expr::Span,
    histogram::Histogram,
    labels::{Labels, METRIC_NAME},
    row::{Row, Sample},
};
use std::collections::HashMap;

/// The function of this name, of a histogram alone.
pub(crate) fn find(name: &str) -> Option<fn(&Histogram) -> f64> {
    Some(match name {
        "histogram_avg" => Histogram::avg,
        "histogram_count" => |histogram| histogram.count,
        "histogram_stddev" => Histogram::deviation,
        "histogram_stdvar" => Histogram::variance,
        "histogram_sum" => |histogram| histogram.sum,
        _ => return None,
    })
}

/// The row of what `value` says of the histograms; floats are left out.
pub(crate) fn map(mut row: Row, value: fn(&Histogram) -> f64) -> Row {
    for sample in &mut row.samples {
        *sample = match sample.histogram() {
            Some(histogram) => Sample::Float(value(histogram)),
            None => Sample::Absent,
        };
    }
    row
}

/// A histogram at one step, of either kind.
pub(crate) enum Observed<'h> {
    Native(&'h Histogram),
    /// Sorted by bound, each bound once.
    Classic(Vec<Bucket>),
}

/// The histograms of a vector: native ones, and classic ones put together from their buckets.
pub(crate) struct Histograms {
    rows: Vec<Row>,
    groups: Vec<Group>,
}

/// What may be one histogram.
struct Group {
    /// With the name, without `le`.
    labels: Labels,
    native: Option<usize>,
    /// Upper bounds, and which rows have their counts.
    buckets: Vec<(f64, usize)>,
}

impl Histograms {
    /// Groups the rows; notes what has a wrong `le`.
    pub(crate) fn new(rows: Vec<Row>, notes: &Notes, span: Span) -> Histograms {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let native = row
                .samples
                .iter()
                .any(|sample| sample.histogram().is_some());
            let classic = row.samples.iter().any(|sample| sample.float().is_some());
            if native {
                let place = group(&mut places, &mut groups, &row.labels);
                groups[place].native = Some(at);
            }
            let le = row.labels.get("le");
            match classic::bound(le) {
                _ if !classic => {}
                Some(bound) => {
                    let place = group(
                        &mut places,
                        &mut groups,
                        &row.labels.filtered(|name| name != "le"),
                    );
                    groups[place].buckets.push((bound, at));
                }
                None => notes.bad_bucket(span, row.labels.metric(), le),
            }
        }
        Histograms { rows, groups }
    }

    /// Calls `each` with the labels of a histogram (they have the name, and no `le`), the step, and what it is there.
    pub(crate) fn for_each<'h>(
        &'h self,
        steps: usize,
        (notes, span): (&Notes, Span),
        mut each: impl FnMut(&'h Labels, usize, Observed<'h>),
    ) {
        for group in &self.groups {
            for step in 0..steps {
                let native = group
                    .native
                    .and_then(|at| self.rows[at].samples[step].histogram());
                let buckets = group.buckets.iter().filter_map(|(bound, at)| {
                    let count = self.rows[*at].samples[step].float()?;
                    Some(Bucket {
                        bound: *bound,
                        count,
                    })
                });
                let buckets: Vec<Bucket> = buckets.collect();
                match native {
                    Some(_) if !buckets.is_empty() => {
                        notes.mixed_histograms(span, group.labels.metric());
                    }
                    Some(native) => each(&group.labels, step, Observed::Native(native)),
                    None if buckets.is_empty() => {}
                    None => each(
                        &group.labels,
                        step,
                        Observed::Classic(classic::sorted(buckets)),
                    ),
                }
            }
        }
    }
}

fn group(places: &mut HashMap<Labels, usize>, groups: &mut Vec<Group>, labels: &Labels) -> usize {
    *places.entry(labels.clone()).or_insert_with(|| {
        groups.push(Group {
            labels: labels.clone(),
            native: None,
            buckets: Vec::new(),
        });
        groups.len() - 1
    })
}

/// Rows by labels, filled step by step.
pub(crate) struct Filled {
    steps: usize,
    places: HashMap<Labels, usize>,
    rows: Vec<Row>,
    /// Two samples met; the caller refuses that.
    pub(crate) collided: bool,
}

impl Filled {
    pub(crate) fn new(steps: usize) -> Filled {
        Filled {
            steps,
            places: HashMap::new(),
            rows: Vec::new(),
            collided: false,
        }
    }

    pub(crate) fn put(&mut self, labels: &Labels, step: usize, value: f64) {
        let place = *self.places.entry(labels.clone()).or_insert_with(|| {
            let samples = vec![Sample::Absent; self.steps];
            self.rows.push(Row::new(labels.clone(), samples));
            self.rows.len() - 1
        });
        let sample = &mut self.rows[place].samples[step];
        self.collided |= !sample.is_absent();
        *sample = Sample::Float(value);
    }

    pub(crate) fn rows(self) -> Vec<Row> {
        self.rows
    }
}

/// Labels as the result of a function has them.
pub(crate) fn nameless(labels: &Labels, delayed: bool) -> Labels {
    match delayed {
        true => labels.clone(),
        false => labels.filtered(|name| name != METRIC_NAME),
    }
}
