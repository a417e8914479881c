//! Aggregations over the series of a step.

use super::matrix::{Matrix, Row};
use crate::{
    ast::{Grouping, VectorAggregation, VectorOp},
    labels::Labels,
};
use std::{cmp::Ordering, collections::BTreeMap};

pub(super) fn aggregate(aggregation: &VectorAggregation, inner: Matrix, steps: usize) -> Matrix {
    match aggregation.op {
        VectorOp::Sort => sorted(inner, false),
        VectorOp::SortDesc => sorted(inner, true),
        VectorOp::Topk | VectorOp::ApproxTopk => best(aggregation, inner, steps, true),
        VectorOp::Bottomk => best(aggregation, inner, steps, false),
        _ => joined(aggregation, inner, steps),
    }
}

/// The labels of the group that a series belongs to.
fn group(grouping: Option<&Grouping>, labels: &Labels) -> Labels {
    let Some(grouping) = grouping else {
        return Labels::default();
    };
    labels.filtered(|name| grouping.labels.iter().any(|label| label == name) != grouping.without)
}

/// The series of every group.
fn groups(grouping: Option<&Grouping>, inner: Matrix) -> BTreeMap<Labels, Vec<Row>> {
    let mut groups: BTreeMap<Labels, Vec<Row>> = BTreeMap::new();
    for row in inner.series {
        groups
            .entry(group(grouping, &row.labels))
            .or_default()
            .push(row);
    }
    groups
}

fn joined(aggregation: &VectorAggregation, inner: Matrix, steps: usize) -> Matrix {
    let groups = groups(aggregation.grouping.as_ref(), inner);
    let series = groups.into_iter().map(|(labels, rows)| {
        let values = (0..steps).map(|step| {
            let present = rows.iter().filter_map(|row| row.values[step]);
            join(aggregation.op, present)
        });
        Row {
            labels,
            values: values.collect(),
        }
    });
    Matrix {
        series: series.collect(),
    }
}

fn join(op: VectorOp, values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut count, mut sum, mut mean, mut squares) = (0.0, 0.0, 0.0, 0.0);
    let (mut least, mut most) = (f64::NAN, f64::NAN);
    for value in values {
        count += 1.0;
        sum += value;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
        if value < least || least.is_nan() {
            least = value;
        }
        if value > most || most.is_nan() {
            most = value;
        }
    }
    let value = match op {
        VectorOp::Sum => sum,
        VectorOp::Avg => sum / count,
        VectorOp::Min => least,
        VectorOp::Max => most,
        VectorOp::Count => count,
        VectorOp::Stddev => (squares / count).sqrt(),
        _ => squares / count,
    };
    (count > 0.0).then_some(value)
}

/// The greatest or least values of every group and step; the series keep all their labels.
fn best(aggregation: &VectorAggregation, inner: Matrix, steps: usize, greatest: bool) -> Matrix {
    let wanted = aggregation
        .parameter
        .map_or(0, |parameter| parameter as usize);
    let mut series = Vec::new();
    for (_, mut rows) in groups(aggregation.grouping.as_ref(), inner) {
        for step in 0..steps {
            let mut order: Vec<usize> = (0..rows.len())
                .filter(|at| rows[*at].values[step].is_some())
                .collect();
            order.sort_by(|left, right| by_value(&rows[*left], &rows[*right], step, greatest));
            for left_out in order.into_iter().skip(wanted) {
                rows[left_out].values[step] = None;
            }
        }
        rows.retain(|row| row.values.iter().any(Option::is_some));
        let last = steps.saturating_sub(1);
        rows.sort_by(|left, right| by_value(left, right, last, greatest));
        series.append(&mut rows);
    }
    Matrix { series }
}

fn sorted(mut inner: Matrix, descending: bool) -> Matrix {
    inner
        .series
        .sort_by(|left, right| by_value(left, right, 0, descending));
    inner
}

/// By the values of a step, then by labels. What is no number, or not there, comes last.
fn by_value(left: &Row, right: &Row, step: usize, descending: bool) -> Ordering {
    let number = |row: &Row| {
        row.values
            .get(step)
            .copied()
            .flatten()
            .filter(|value| !value.is_nan())
    };
    let order = match (number(left), number(right)) {
        (Some(left), Some(right)) if descending => right.total_cmp(&left),
        (Some(left), Some(right)) => left.total_cmp(&right),
        (left, right) => right.is_some().cmp(&left.is_some()),
    };
    order.then_with(|| left.labels.cmp(&right.labels))
}
