//! `histogram_quantile`, `histogram_quantiles`, `histogram_fraction`.

use super::{
    classic,
    histogram::{Filled, Histograms, Observed, nameless},
};
use crate::{
    annotations::Notes,
    error::{Error, Result},
    expr::Span,
    histogram::{NanEffect, shortest},
    row::{Row, same_labels},
};

/// What the functions know beside the vector.
pub(crate) struct Call<'c> {
    pub(crate) notes: &'c Notes,
    /// Where the vector stands in the query.
    pub(crate) span: Span,
    pub(crate) steps: usize,
    pub(crate) delayed_name_removal: bool,
}

/// One quantile: its value at each step, where it stands, and the label that tells it from others.
pub(crate) struct Wanted {
    pub(crate) values: Vec<f64>,
    pub(crate) span: Span,
}

/// The quantiles of all histograms. With several, `label` has which one it is.
pub(crate) fn quantiles(
    rows: Vec<Row>,
    wanted: &[Wanted],
    label: Option<&str>,
    call: &Call,
) -> Result<Vec<Row>> {
    for wanted in wanted {
        for q in &wanted.values {
            if !(0.0..=1.0).contains(q) {
                call.notes.bad_quantile(wanted.span, *q);
            }
        }
    }
    if let Some(label) = label {
        super::label::check_name(label)
            .map_err(|name| Error::Evaluation(format!("invalid label name {name}")))?;
    }
    let histograms = Histograms::new(rows, call.notes, call.span);
    let mut filled = Filled::new(call.steps);
    histograms.for_each(
        call.steps,
        (call.notes, call.span),
        |labels, step, observed| {
            let metric = labels.metric();
            let labels = nameless(labels, call.delayed_name_removal);
            for wanted in wanted {
                let q = wanted.values[step];
                let value = quantile(q, &observed, metric, call);
                match label {
                    Some(label) => filled.put(&labels.with(label, &number(q)), step, value),
                    None => filled.put(&labels, step, value),
                }
            }
        },
    );
    finish(filled, call)
}

/// A quantile as the value of a label: `0.5`, and `1.0` rather than `1`, as of `le`.
fn number(q: f64) -> String {
    let text = shortest(q);
    let whole = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    if whole { format!("{text}.0") } else { text }
}

fn quantile(q: f64, observed: &Observed, metric: &str, call: &Call) -> f64 {
    match observed {
        Observed::Native(histogram) => {
            let quantile = histogram.quantile(q);
            match quantile.nan {
                NanEffect::None => {}
                NanEffect::ResultIsNan => call.notes.quantile_is_nan(call.span, metric),
                NanEffect::SkewedHigher => call.notes.quantile_is_skewed(call.span, metric),
            }
            quantile.value
        }
        Observed::Classic(buckets) => {
            let (value, forced) = classic::quantile(q, buckets.clone());
            if forced {
                call.notes.forced_monotonicity(call.span, metric);
            }
            value
        }
    }
}

/// The share of the observations between two values, which may differ from step to step.
pub(crate) fn fractions(rows: Vec<Row>, bounds: [&[f64]; 2], call: &Call) -> Result<Vec<Row>> {
    let histograms = Histograms::new(rows, call.notes, call.span);
    let mut filled = Filled::new(call.steps);
    histograms.for_each(
        call.steps,
        (call.notes, call.span),
        |labels, step, observed| {
            let (lower, upper) = (bounds[0][step], bounds[1][step]);
            let value = match observed {
                Observed::Native(histogram) => {
                    let fraction = histogram.fraction(lower, upper);
                    if fraction.excludes_nan {
                        call.notes.fraction_without_nan(call.span, labels.metric());
                    }
                    fraction.value
                }
                Observed::Classic(buckets) => classic::fraction(lower, upper, &buckets),
            };
            filled.put(&nameless(labels, call.delayed_name_removal), step, value);
        },
    );
    finish(filled, call)
}

fn finish(filled: Filled, call: &Call) -> Result<Vec<Row>> {
    if filled.collided {
        return Err(same_labels());
    }
    let mut rows = filled.rows();
    rows.iter_mut()
        .for_each(|row| row.drop_name = call.delayed_name_removal);
    Ok(rows)
}
