//! Ranges, and the functions that take one.

use super::{Matrix, arguments::argument, names::nameless, rows, scalar};
use crate::{
    error::{Error, Result},
    eval::{context::Context, range::Windows, subquery},
    expr::{Call, Expr, Kind, Type},
    functions::{absent, range, window::RangeCall},
    histogram::detect_hints,
    row::{Row, Rows, Sample, Steps, collect},
    source::{Selection, Temporality},
};

/// What a range is, beside its series.
struct Range {
    windows: Windows,
    lookback_of_labels: bool,
}

/// The series of a range with its windows.
pub(super) fn matrix<'a>(
    ctx: &'a Context<'a>,
    expr: &'a Expr,
    steps: Steps,
) -> Result<(Matrix<'a>, (i64, i64))> {
    let (series, range) = ranged(ctx, expr, steps)?;
    let end_ms = range.windows.reference.of(steps.start_ms);
    Ok((series, (end_ms - range.windows.range_ms, end_ms)))
}

fn ranged<'a>(ctx: &'a Context<'a>, expr: &'a Expr, steps: Steps) -> Result<(Matrix<'a>, Range)> {
    let timing = &ctx.timing;
    match &expr.unwrapped().kind {
        Kind::Range(range) => {
            let selector = &range.selector;
            let range_ms = timing.positive(&range.range)?;
            let (from_ms, through_ms) = timing.span_of(selector, Some(range_ms), steps)?;
            let series = ctx.series(&Selection {
                matchers: selector.matchers.clone(),
                from_ms,
                through_ms,
            })?;
            let windows = Windows {
                steps,
                reference: timing.reference(&selector.shift)?,
                range_ms,
                lookback_ms: timing.lookback_ms,
                extension: selector.extension,
            };
            let series = series.map(|series| {
                let mut series = series?;
                if selector.statistics_only {
                    detect_hints(&mut series.histograms);
                }
                Ok(series)
            });
            Ok((
                Box::new(series),
                Range {
                    windows,
                    lookback_of_labels: true,
                },
            ))
        }
        Kind::Subquery(inner) => {
            let inner_steps = timing.inner_steps(inner, steps)?;
            let inner_rows = collect(rows(ctx, &inner.expr, inner_steps)?)?;
            let windows = Windows {
                steps,
                reference: timing.reference(&inner.shift)?,
                range_ms: timing.positive(&inner.range)?,
                lookback_ms: timing.lookback_ms,
                extension: None,
            };
            let series = inner_rows
                .into_iter()
                .map(move |row| Ok(subquery::series(row, inner_steps)));
            Ok((
                Box::new(series),
                Range {
                    windows,
                    lookback_of_labels: false,
                },
            ))
        }
        _ => Err(Error::Evaluation(format!(
            "expected a range vector, got {expr}"
        ))),
    }
}

pub(super) fn over_range<'a>(
    ctx: &'a Context<'a>,
    call: &'a Call,
    steps: Steps,
    apply: range::Apply,
) -> Result<Rows<'a>> {
    let name = call.function.name;
    let of_type = |wanted: Type| call.args.iter().find(|arg| arg.value_type() == wanted);
    let Some(arg) = of_type(Type::Matrix) else {
        return Err(Error::Evaluation(format!("{name} lacks a range")));
    };
    let params = params(ctx, call, steps)?;
    let (series, range) = ranged(ctx, arg, steps)?;
    let windows = range.windows;
    if let Some(message) = windows
        .extension
        .and_then(|extension| range::refuse_extension(name, extension))
    {
        return Err(Error::Evaluation(message));
    }
    let span = arg.span;
    let param_span = of_type(Type::Scalar).map_or(span, |param| param.span);
    let wants_counter = matches!(name, "rate" | "increase");
    let results = series.filter_map(move |series| {
        let series = match series {
            Ok(series) => series,
            Err(error) => return Some(Err(error)),
        };
        let metric = series.labels.metric();
        let mut samples = vec![Sample::Absent; steps.count];
        let mut found = false;
        let mut floats = false;
        windows.for_each(&series, |step, window| {
            if window.count() == 0 {
                return;
            }
            floats |= !window.times_ms.is_empty();
            let param = |at: usize| params.get(at).map_or(0.0, |values| values[step]);
            let call = RangeCall {
                notes: &ctx.notes,
                span,
                param_span,
                metric,
                range_ms: windows.range_ms,
                now_ms: steps.at(step),
                params: [param(0), param(1)],
                temporality: series.temporality,
                extension: windows.extension,
            };
            samples[step] = apply(&window, &call);
            found |= !samples[step].is_absent();
        });
        let named = metric.is_empty() || range::named_as_counter(metric);
        if wants_counter && floats && !named && series.temporality == Temporality::Cumulative {
            ctx.notes.maybe_no_counter(span, metric);
        }
        found.then(|| Ok(Row::new(series.labels, samples)))
    });
    let results: Rows<'a> = Box::new(results);
    let results = if range.lookback_of_labels {
        ctx.counted(results)
    } else {
        results
    };
    Ok(match range::keeps_name(name) {
        true => results,
        false => nameless(ctx, arg, results),
    })
}

/// The scalar arguments of a function of a range, by step.
fn params<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Vec<Vec<f64>>> {
    let scalars = call
        .args
        .iter()
        .filter(|arg| arg.value_type() == Type::Scalar);
    let params: Vec<Vec<f64>> = scalars
        .map(|arg| scalar(ctx, arg, steps))
        .collect::<Result<_>>()?;
    if call.function.name == "double_exponential_smoothing" {
        for (word, factors) in ["smoothing", "trend"].iter().zip(&params) {
            if let Some(wrong) = factors
                .iter()
                .find(|factor| !(**factor > 0.0 && **factor < 1.0))
            {
                return Err(Error::Evaluation(format!(
                    "invalid {word} factor. Expected: 0 < factor < 1, got: {wrong}"
                )));
            }
        }
    }
    Ok(params)
}

pub(super) fn is_absent<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Row> {
    let arg = argument(call, 0)?;
    let mut present = vec![false; steps.count];
    if call.function.name == "absent" {
        for row in rows(ctx, arg, steps)? {
            let samples = row?.samples;
            present
                .iter_mut()
                .zip(&samples)
                .for_each(|(present, sample)| *present |= !sample.is_absent());
        }
    } else {
        let (series, range) = ranged(ctx, arg, steps)?;
        for series in series {
            range
                .windows
                .for_each(&series?, |step, window| present[step] |= window.count() > 0);
        }
    }
    Ok(absent::row(absent::labels(arg), &present))
}
