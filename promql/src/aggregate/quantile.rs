//! `quantile`: the values of a group at a step are held until all are known.

use super::grouping::Call;
use crate::{
    error::Result,
    expr::Span,
    row::{Row, Rows, Sample},
    summation,
};

/// The quantile, which may differ from step to step.
pub(crate) fn aggregate(rows: Rows, call: &Call, q: (&[f64], Span)) -> Result<Vec<Row>> {
    let (quantiles, span) = q;
    for q in quantiles {
        if !(0.0..=1.0).contains(q) {
            call.notes.bad_quantile(span, *q);
        }
    }
    let mut groups = call.groups::<Vec<Vec<f64>>>();
    for row in rows {
        let row = row?;
        if row
            .samples
            .iter()
            .any(|sample| sample.histogram().is_some())
        {
            call.note_ignored();
        }
        if row.samples.iter().all(|sample| sample.float().is_none()) {
            continue;
        }
        let values = groups.of(&row.labels, || vec![Vec::new(); call.steps]);
        for (values, sample) in values.iter_mut().zip(&row.samples) {
            values.extend(sample.float());
        }
    }
    let sample = |(values, q): (&mut Vec<f64>, &f64)| match values.is_empty() {
        true => Sample::Absent,
        false => Sample::Float(summation::quantile(*q, values)),
    };
    let states = groups.states.into_iter();
    Ok(states
        .map(|(labels, mut values)| {
            Row::new(
                labels,
                values.iter_mut().zip(quantiles).map(sample).collect(),
            )
        })
        .collect())
}
