//! Native histograms with custom buckets, made of the classic histograms of a load.

use super::model::{ScriptSeries, ScriptValue};
use crate::{
    histogram::{Buckets, Histogram},
    labels::{Labels, METRIC_NAME},
    source::Temporality,
};
use std::{collections::BTreeMap, sync::Arc};

/// What a classic histogram says at one time.
#[derive(Default)]
struct Classic {
    /// Upper bound and cumulated count; bounds of two spellings are one.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: Option<f64>,
}

/// Which of a classic histogram's series one is.
enum Role {
    Bucket(f64),
    Count,
    Sum,
}

/// The native histograms that the classic ones among `series` are, under the name without suffix.
pub(super) fn native(series: &[ScriptSeries]) -> Result<Vec<ScriptSeries>, String> {
    let mut found: BTreeMap<Labels, BTreeMap<i64, Classic>> = BTreeMap::new();
    for one in series {
        let Some((labels, role)) = role(&one.labels) else {
            continue;
        };
        let times = found.entry(labels).or_default();
        for (time, value) in &one.points {
            let ScriptValue::Float(value) = value else {
                continue;
            };
            let classic = times.entry(*time).or_default();
            match role {
                Role::Bucket(bound) => classic.set(bound, *value),
                Role::Count => classic.count = Some(*value),
                Role::Sum => classic.sum = Some(*value),
            }
        }
    }
    let natives = found.into_iter().map(|(labels, times)| {
        let points = times.into_iter().map(|(time, classic)| {
            let histogram = classic.native()?;
            Ok((time, ScriptValue::Histogram(Arc::new(histogram))))
        });
        Ok(ScriptSeries {
            labels,
            temporality: Temporality::Cumulative,
            points: points.collect::<Result<_, String>>()?,
        })
    });
    natives.collect()
}

fn role(labels: &Labels) -> Option<(Labels, Role)> {
    let metric = labels.metric();
    let (name, role) = if let Some(name) = metric.strip_suffix("_bucket") {
        let bound: f64 = labels.get("le").parse().ok()?;
        if bound.is_nan() {
            return None;
        }
        (name, Role::Bucket(bound))
    } else if let Some(name) = metric.strip_suffix("_count") {
        (name, Role::Count)
    } else {
        (metric.strip_suffix("_sum")?, Role::Sum)
    };
    let others = labels
        .iter()
        .filter(|(label, _)| !matches!(label.as_ref(), METRIC_NAME | "le"))
        .map(|(label, value)| (label.as_ref(), value.as_ref()));
    Some((Labels::new(others.chain([(METRIC_NAME, name)])), role))
}

impl Classic {
    /// Of two buckets with the same bound the later counts.
    fn set(&mut self, bound: f64, count: f64) {
        match self.buckets.iter_mut().find(|(own, _)| *own == bound) {
            Some(bucket) => bucket.1 = count,
            None => self.buckets.push((bound, count)),
        }
    }

    fn native(mut self) -> Result<Histogram, String> {
        self.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let last = self.buckets.last().map_or(0.0, |bucket| bucket.1);
        let count = self.count.unwrap_or(last);
        if self
            .buckets
            .last()
            .is_none_or(|bucket| bucket.0 != f64::INFINITY)
        {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let mut counts = Vec::with_capacity(self.buckets.len());
        for (_, cumulated) in &self.buckets {
            if *cumulated < before {
                return Err(
                    "a bucket of a classic histogram has less than the one below it".to_owned(),
                );
            }
            counts.push(cumulated - before);
            before = *cumulated;
        }
        let bounds: Vec<f64> = self.buckets.iter().map(|bucket| bucket.0).collect();
        let mut histogram = Histogram::custom(&bounds[..bounds.len() - 1]);
        histogram.positive = Buckets::dense(0, counts);
        histogram.count = count;
        histogram.sum = self.sum.unwrap_or(0.0);
        Ok(histogram)
    }
}
