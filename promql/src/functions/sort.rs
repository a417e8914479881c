//! `sort`, `sort_desc`, `sort_by_label`, `sort_by_label_desc`, of vectors at one step.

use super::natural;
use crate::row::{Row, Sample};
use std::cmp::Ordering;

fn value(row: &Row) -> f64 {
    row.samples
        .first()
        .and_then(Sample::float)
        .unwrap_or(f64::NAN)
}

/// By value; NaN comes last in either direction. Histograms are left out.
pub(crate) fn by_value(rows: &mut Vec<Row>, descending: bool) {
    rows.retain(|row| {
        row.samples
            .first()
            .is_some_and(|sample| sample.float().is_some())
    });
    rows.sort_by(|one, other| {
        let (left, right) = (value(one), value(other));
        match (left.is_nan(), right.is_nan()) {
            (false, false) if descending => right.total_cmp(&left),
            (false, false) => left.total_cmp(&right),
            (left, right) => left.cmp(&right),
        }
    });
}

/// By the values of these labels as a reader would, then by all labels.
pub(crate) fn by_labels(rows: &mut [Row], labels: &[String], descending: bool) {
    rows.sort_by(|one, other| {
        let listed = labels
            .iter()
            .map(|label| natural::compare(one.labels.get(label), other.labels.get(label)));
        let order = listed.fold(Ordering::Equal, Ordering::then);
        let order = order.then_with(|| one.labels.cmp(&other.labels));
        if descending { order.reverse() } else { order }
    });
}
