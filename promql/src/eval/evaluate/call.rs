//! Calls of functions that take vectors and scalars.

use super::{
    arguments::{argument, text},
    held,
    names::nameless,
    ranged, rows, scalar, selected,
};
use crate::{
    error::{Error, Result},
    eval::{context::Context, select::Finder},
    expr::{Call, Expr, Kind, Shift, Type},
    functions::{clamp, date, histogram, info, label, math, quantile, range, sort},
    labels::{Labels, METRIC_NAME},
    row::{Row, Rows, Sample, Steps, collect, distinct},
    source::Selection,
};

pub(super) fn called<'a>(
    ctx: &'a Context<'a>,
    expr: &'a Expr,
    call: &'a Call,
    steps: Steps,
) -> Result<Rows<'a>> {
    let name = call.function.name;
    if let Some(apply) = range::find(name) {
        return ranged::over_range(ctx, call, steps, apply);
    }
    if let Some(change) = math::find(name) {
        let vector = argument(call, 0)?;
        let inner = rows(ctx, vector, steps)?;
        let changed =
            inner.map(move |row| Ok(row?.map_floats(|_, value| Sample::Float(change(value)))));
        return Ok(nameless(ctx, vector, Box::new(changed)));
    }
    if let Some(apply) = clamp::find(name) {
        return clamped(ctx, call, steps, apply);
    }
    if let Some(read) = date::find(name) {
        return dated(ctx, call, steps, read);
    }
    if let Some(value) = histogram::find(name) {
        let vector = argument(call, 0)?;
        let inner = rows(ctx, vector, steps)?;
        return Ok(nameless(
            ctx,
            vector,
            Box::new(inner.map(move |row| Ok(histogram::map(row?, value)))),
        ));
    }
    match name {
        "absent" | "absent_over_time" => Ok(held(vec![ranged::is_absent(ctx, call, steps)?])),
        "vector" => {
            let values = scalar(ctx, argument(call, 0)?, steps)?;
            let samples = values.into_iter().map(Sample::Float).collect();
            Ok(held(vec![Row::new(Labels::default(), samples)]))
        }
        "timestamp" => selected::timestamps(ctx, call, steps),
        "label_replace" | "label_join" => relabelled(ctx, call, steps),
        "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
            quantiles(ctx, call, steps)
        }
        "info" => with_info(ctx, call, steps),
        _ if name.starts_with("sort") => sorted(ctx, expr, call, steps),
        _ => Err(Error::Evaluation(format!(
            "{name} is no function that yields a vector"
        ))),
    }
}

fn clamped<'a>(
    ctx: &'a Context<'a>,
    call: &'a Call,
    steps: Steps,
    apply: clamp::Apply,
) -> Result<Rows<'a>> {
    let vector = argument(call, 0)?;
    let args: Vec<Vec<f64>> = call.args[1..]
        .iter()
        .map(|arg| scalar(ctx, arg, steps))
        .collect::<Result<_>>()?;
    let inner = rows(ctx, vector, steps)?;
    let mut at_step = vec![0.0; args.len()];
    let changed = inner.map(move |row| {
        Ok(row?.map_floats(|step, value| {
            for (at, values) in at_step.iter_mut().zip(&args) {
                *at = values[step];
            }
            apply(value, &at_step).map_or(Sample::Absent, Sample::Float)
        }))
    });
    Ok(nameless(ctx, vector, Box::new(changed)))
}

fn dated<'a>(
    ctx: &'a Context<'a>,
    call: &'a Call,
    steps: Steps,
    read: fn(f64) -> f64,
) -> Result<Rows<'a>> {
    let Some(vector) = call.args.first() else {
        let samples = steps
            .seconds()
            .map(|now| Sample::Float(read(now)))
            .collect();
        return Ok(held(vec![Row::new(Labels::default(), samples)]));
    };
    let inner = rows(ctx, vector, steps)?;
    let changed = inner.map(move |row| Ok(row?.map_floats(|_, value| Sample::Float(read(value)))));
    Ok(nameless(ctx, vector, Box::new(changed)))
}

fn relabelled<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Rows<'a>> {
    let texts: Vec<String> = call.args[1..].iter().map(text).collect::<Result<_>>()?;
    let mut relabel = match call.function.name {
        "label_replace" => label::Relabel::replace(&texts)?,
        _ => label::Relabel::join(&texts)?,
    };
    let inner = rows(ctx, argument(call, 0)?, steps)?;
    let renames = relabel.target() == METRIC_NAME;
    Ok(distinct(Box::new(inner.map(move |row| {
        let mut row = row?;
        row.labels = relabel.apply(&row.labels);
        row.drop_name &= !renames;
        Ok(row)
    }))))
}

fn quantiles<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Rows<'a>> {
    let vector = call
        .args
        .iter()
        .find(|arg| arg.value_type() == Type::Vector);
    let Some(vector) = vector else {
        return Err(Error::Evaluation(format!(
            "{} lacks a vector",
            call.function.name
        )));
    };
    let mut scalars = Vec::new();
    for arg in call
        .args
        .iter()
        .filter(|arg| arg.value_type() == Type::Scalar)
    {
        scalars.push(quantile::Wanted {
            values: scalar(ctx, arg, steps)?,
            span: arg.span,
        });
    }
    let inner = collect(rows(ctx, vector, steps)?)?;
    let known = quantile::Call {
        notes: &ctx.notes,
        span: vector.span,
        steps: steps.count,
        delayed_name_removal: ctx.delayed_name_removal,
    };
    Ok(held(match (call.function.name, &scalars[..]) {
        ("histogram_fraction", [lower, upper]) => {
            quantile::fractions(inner, [&lower.values, &upper.values], &known)?
        }
        ("histogram_quantiles", wanted) => {
            let label = text(argument(call, 1)?)?;
            quantile::quantiles(inner, wanted, Some(&label), &known)?
        }
        (_, wanted) => quantile::quantiles(inner, wanted, None, &known)?,
    }))
}

fn with_info<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Rows<'a>> {
    let base = collect(rows(ctx, argument(call, 0)?, steps)?)?;
    let selector = match call.args.get(1).map(|arg| &arg.kind) {
        Some(Kind::Selector(selector)) => Some(selector),
        _ => None,
    };
    let wanted = info::Wanted::new(selector)?;
    let finder = Finder {
        steps,
        reference: ctx.timing.reference(&Shift::default())?,
        lookback_ms: ctx.timing.lookback_ms,
        timestamps: false,
        smoothed: false,
    };
    let shift = info::shift_of(argument(call, 0)?);
    let (from_ms, through_ms) = ctx.timing.span_of_infos(&shift, steps)?;
    let series = ctx.series(&Selection {
        matchers: wanted.matchers(),
        from_ms,
        through_ms,
    })?;
    let mut infos = Vec::new();
    for series in series {
        let series = info::within(series?, from_ms..=through_ms);
        infos.push(Row::new(series.labels.clone(), finder.samples(&series)));
    }
    Ok(held(info::join(base, &infos, &wanted)?))
}

fn sorted<'a>(
    ctx: &'a Context<'a>,
    expr: &'a Expr,
    call: &'a Call,
    steps: Steps,
) -> Result<Rows<'a>> {
    let inner = rows(ctx, argument(call, 0)?, steps)?;
    if ctx.timing.step_ms != 0 {
        ctx.notes.sort_in_range(expr.span);
    }
    // The rows of other steps than one are sorted by labels in the end.
    if steps.count != 1 {
        let by_value = matches!(call.function.name, "sort" | "sort_desc");
        return Ok(match by_value {
            true => Box::new(inner.map(|row| Ok(row?.map_floats(|_, value| Sample::Float(value))))),
            false => inner,
        });
    }
    let mut rows = collect(inner)?;
    match call.function.name {
        "sort" => sort::by_value(&mut rows, false),
        "sort_desc" => sort::by_value(&mut rows, true),
        name => {
            let labels: Vec<String> = call.args[1..].iter().map(text).collect::<Result<_>>()?;
            sort::by_labels(&mut rows, &labels, name == "sort_by_label_desc");
        }
    }
    Ok(held(rows))
}
