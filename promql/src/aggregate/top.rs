//! `topk`, `bottomk`: the largest or smallest samples of each group, with their own labels.

use super::{
    grouping::Call,
    limit::{Picked, counts},
};
use crate::{
    error::Result,
    expr::AggregateOp,
    row::{Row, Rows, Sample},
};
use std::cmp::Ordering;

/// How many of each group, which may differ from step to step.
pub(crate) fn aggregate(rows: Rows, call: &Call, k: &[f64]) -> Result<Vec<Row>> {
    let counts = counts(k)?;
    let descending = call.aggregate.op == AggregateOp::Topk;
    let mut groups = call.groups::<Vec<usize>>();
    let mut held: Vec<Row> = Vec::new();
    for row in rows {
        let mut row = row?;
        for sample in &mut row.samples {
            if sample.histogram().is_some() {
                call.note_ignored();
                *sample = Sample::Absent;
            }
        }
        if !row.is_empty() {
            groups.of(&row.labels, Vec::new).push(held.len());
            held.push(row);
        }
    }
    let mut picked = Picked::new(held);
    for (_, members) in groups.states {
        for (step, count) in counts.iter().enumerate() {
            let mut ranked = picked.floats(&members, step);
            ranked.sort_by(|one, other| order(one.1, other.1, descending));
            ranked.truncate(*count);
            for (member, _) in ranked {
                picked.pick(member, step);
            }
        }
    }
    Ok(picked.rows())
}

/// NaN comes last in either direction.
fn order(one: f64, other: f64, descending: bool) -> Ordering {
    match (one.is_nan(), other.is_nan()) {
        (false, false) if descending => other.total_cmp(&one),
        (false, false) => one.total_cmp(&other),
        (one, other) => one.cmp(&other),
    }
}
