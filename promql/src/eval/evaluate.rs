//! The recursion over the tree.

use super::{context::Context, invariant::is_invariant, range::Windows, select::Finder, subquery};
use crate::{
    aggregate::{self, grouping},
    binary::{
        matching::{Join, stream},
        operate::{Operator, numbers},
        scalar::{self as scalar_binary, Side},
        set,
    },
    error::{Error, Result},
    expr::{
        Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Extension, Kind, Selector, Type,
    },
    functions::{
        absent, clamp, date, histogram, info, label, math, quantile, range, sort, window::RangeCall,
    },
    histogram::detect_hints,
    labels::Labels,
    row::{Row, Rows, Sample, Steps, collect, distinct},
    source::{Selection, Series, Temporality},
};

/// Series, one at a time.
type Matrix<'a> = Box<dyn Iterator<Item = Result<Series>> + 'a>;

/// What a range is, beside its series.
struct Range {
    windows: Windows,
    lookback_of_labels: bool,
}

/// A vector at all steps.
pub(crate) fn rows<'a>(ctx: &'a Context<'a>, expr: &'a Expr, steps: Steps) -> Result<Rows<'a>> {
    ctx.admit(steps)?;
    if steps.count == 0 {
        return Ok(Box::new(std::iter::empty()));
    }
    if steps.count > 1 && is_invariant(expr) {
        let once = vector(ctx, expr, steps.first())?;
        return Ok(Box::new(once.map(move |row| {
            let mut row = row?;
            let sample = row.samples.pop().unwrap_or_default();
            row.samples = vec![sample; steps.count];
            Ok(row)
        })));
    }
    vector(ctx, expr, steps)
}

fn vector<'a>(ctx: &'a Context<'a>, expr: &'a Expr, steps: Steps) -> Result<Rows<'a>> {
    match &expr.kind {
        Kind::Paren(inner) => rows(ctx, inner, steps),
        Kind::Selector(selector) => Ok(ctx.counted(select(ctx, selector, steps, false)?)),
        Kind::Unary { negative, operand } => {
            let inner = rows(ctx, operand, steps)?;
            if !negative {
                return Ok(inner);
            }
            Ok(nameless(
                ctx,
                operand,
                Box::new(inner.map(|row| Ok(negate(row?)))),
            ))
        }
        Kind::Binary(binary) => operate(ctx, binary, steps),
        Kind::Aggregate(aggregate) => aggregated(ctx, aggregate, steps),
        Kind::Call(call) => called(ctx, expr, call, steps),
        Kind::Number(_) | Kind::String(_) | Kind::Range(_) | Kind::Subquery(_) => Err(
            Error::Evaluation(format!("expected an instant vector, got {expr}")),
        ),
    }
}

/// Rows that are held, as rows that come.
fn held<'a>(rows: Vec<Row>) -> Rows<'a> {
    Box::new(rows.into_iter().map(Ok))
}

fn negate(mut row: Row) -> Row {
    for sample in &mut row.samples {
        *sample = match std::mem::take(sample) {
            Sample::Float(value) => Sample::Float(-value),
            Sample::Histogram(histogram) => histogram.neg().into(),
            Sample::Absent => Sample::Absent,
        };
    }
    row
}

/// Whether the rows of an expression may differ in nothing but their names.
fn many_names(expr: &Expr) -> bool {
    match &expr.unwrapped().kind {
        Kind::Selector(selector) => !one_name(selector),
        Kind::Range(range) => !one_name(&range.selector),
        Kind::Subquery(subquery) => many_names(&subquery.expr),
        Kind::Aggregate(aggregate) => match aggregate.op.has_param() {
            true => many_names(&aggregate.expr),
            false => aggregate
                .grouping
                .iter()
                .any(|label| label == crate::labels::METRIC_NAME),
        },
        _ => true,
    }
}

fn one_name(selector: &Selector) -> bool {
    selector.matchers.iter().any(|matcher| {
        matcher.name == crate::labels::METRIC_NAME && matcher.op == crate::matcher::MatchOp::Equal
    })
}

/// The rows without names, which `source` had given them.
fn nameless<'a>(ctx: &'a Context<'a>, source: &Expr, rows: Rows<'a>) -> Rows<'a> {
    if ctx.delayed_name_removal {
        return Box::new(rows.map(|row| {
            let mut row = row?;
            row.drop_name = true;
            Ok(row)
        }));
    }
    let rows: Rows<'a> = Box::new(rows.map(|row| {
        let mut row = row?;
        row.labels = row.labels.without_metric();
        Ok(row)
    }));
    if many_names(source) {
        distinct(rows)
    } else {
        rows
    }
}

/// The samples that a selector finds, or their times.
fn select<'a>(
    ctx: &'a Context<'a>,
    selector: &'a Selector,
    steps: Steps,
    timestamps: bool,
) -> Result<Rows<'a>> {
    if selector.extension == Some(Extension::Anchored) {
        let message = "anchored modifier can only be used with a range".to_owned();
        return Err(Error::Evaluation(message));
    }
    let (from_ms, through_ms) = ctx.timing.span_of(selector, None, steps)?;
    let finder = Finder {
        steps,
        reference: ctx.timing.reference(&selector.shift)?,
        lookback_ms: ctx.timing.lookback_ms,
        timestamps,
        smoothed: selector.extension.is_some(),
    };
    let series = ctx.series(&Selection {
        matchers: selector.matchers.clone(),
        from_ms,
        through_ms,
    })?;
    Ok(Box::new(series.filter_map(move |series| match series {
        Ok(mut series) => {
            if selector.statistics_only {
                detect_hints(&mut series.histograms);
            }
            let row = Row::new(series.labels.clone(), finder.samples(&series));
            (!row.is_empty()).then_some(Ok(row))
        }
        Err(error) => Some(Err(error)),
    })))
}

/// The series of a range with its windows.
pub(crate) fn matrix<'a>(
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

/// A number at all steps.
pub(crate) fn scalar<'a>(ctx: &'a Context<'a>, expr: &'a Expr, steps: Steps) -> Result<Vec<f64>> {
    ctx.admit(steps)?;
    let constant = |value: f64| Ok(vec![value; steps.count]);
    match &expr.kind {
        Kind::Number(number) => constant(number.value),
        Kind::Paren(inner) => scalar(ctx, inner, steps),
        Kind::Unary { negative, operand } => {
            let mut values = scalar(ctx, operand, steps)?;
            if *negative {
                values.iter_mut().for_each(|value| *value = -*value);
            }
            Ok(values)
        }
        Kind::Binary(binary) => {
            let left = scalar(ctx, &binary.lhs, steps)?;
            let right = scalar(ctx, &binary.rhs, steps)?;
            let pairs = left.into_iter().zip(right);
            Ok(pairs
                .map(|(left, right)| numbers(binary.op, left, right))
                .collect())
        }
        Kind::Call(call) => scalar_call(ctx, call, steps),
        _ => Err(Error::Evaluation(format!("expected a scalar, got {expr}"))),
    }
}

fn scalar_call<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Vec<f64>> {
    let timing = &ctx.timing;
    let constant = |value: f64| Ok(vec![value; steps.count]);
    let pair = |choose: fn(f64, f64) -> f64| -> Result<Vec<f64>> {
        let left = scalar(ctx, argument(call, 0)?, steps)?;
        let right = scalar(ctx, argument(call, 1)?, steps)?;
        Ok(left
            .into_iter()
            .zip(right)
            .map(|(left, right)| choose(left, right))
            .collect())
    };
    match call.function.name {
        "pi" => constant(std::f64::consts::PI),
        "time" => Ok(steps.seconds().collect()),
        "start" => constant(timing.start_ms as f64 / 1000.0),
        "end" => constant(timing.end_ms as f64 / 1000.0),
        "step" => constant(timing.step_ms as f64 / 1000.0),
        "range" => constant((timing.end_ms - timing.start_ms) as f64 / 1000.0),
        "min_of" => pair(math::min_of),
        "max_of" => pair(math::max_of),
        "scalar" => only_element(rows(ctx, argument(call, 0)?, steps)?, steps),
        name => Err(Error::Evaluation(format!(
            "{name} is no function that yields a scalar"
        ))),
    }
}

/// The value of the only float at each step, otherwise NaN.
fn only_element(rows: Rows, steps: Steps) -> Result<Vec<f64>> {
    let mut values = vec![f64::NAN; steps.count];
    let mut counts = vec![0_u64; steps.count];
    for row in rows {
        for (step, sample) in row?.samples.iter().enumerate() {
            if let Some(value) = sample.float() {
                values[step] = value;
                counts[step] += 1;
            }
        }
    }
    for (value, count) in values.iter_mut().zip(counts) {
        if count != 1 {
            *value = f64::NAN;
        }
    }
    Ok(values)
}

fn argument(call: &Call, at: usize) -> Result<&Expr> {
    call.args
        .get(at)
        .ok_or_else(|| Error::Evaluation(format!("{} lacks an argument", call.function.name)))
}

fn text(expr: &Expr) -> Result<String> {
    match &expr.unwrapped().kind {
        Kind::String(text) => Ok(text.clone()),
        _ => Err(Error::Evaluation(format!("expected a string, got {expr}"))),
    }
}

fn operate<'a>(ctx: &'a Context<'a>, binary: &'a Binary, steps: Steps) -> Result<Rows<'a>> {
    let operator = Operator::new(binary, &ctx.notes);
    let is_scalar = |expr: &Expr| expr.value_type() == Type::Scalar;
    let with_scalar = |vector: &'a Expr, other: &'a Expr, side: Side| -> Result<Rows<'a>> {
        let scalars = scalar(ctx, other, steps)?;
        let inner = rows(ctx, vector, steps)?;
        let results: Rows<'a> = Box::new(
            inner.map(move |row| Ok(scalar_binary::apply(row?, &scalars, side, operator))),
        );
        Ok(match operator.drops_name() {
            true => nameless(ctx, vector, results),
            false => results,
        })
    };
    if is_scalar(&binary.lhs) {
        return with_scalar(&binary.rhs, &binary.lhs, Side::Left);
    }
    if is_scalar(&binary.rhs) {
        return with_scalar(&binary.lhs, &binary.rhs, Side::Right);
    }
    let left = rows(ctx, &binary.lhs, steps)?;
    let right = rows(ctx, &binary.rhs, steps)?;
    if binary.op.joins_sets() {
        return set::join(binary.op, &binary.matching, left, right);
    }
    let swapped = binary.matching.cardinality == Cardinality::OneToMany;
    let (one, many) = if swapped {
        (left, right)
    } else {
        (right, left)
    };
    let join = Join::new(
        binary,
        operator,
        one,
        (steps.count, ctx.delayed_name_removal),
    )?;
    Ok(stream(join, many))
}

fn aggregated<'a>(
    ctx: &'a Context<'a>,
    aggregate: &'a Aggregate,
    steps: Steps,
) -> Result<Rows<'a>> {
    let call = grouping::Call {
        aggregate,
        notes: &ctx.notes,
        steps: steps.count,
    };
    let inner = || rows(ctx, &aggregate.expr, steps);
    let Some(param) = &aggregate.param else {
        return Ok(held(aggregate::simple::aggregate(inner()?, &call)?));
    };
    if aggregate.op == AggregateOp::CountValues {
        let label = text(param)?;
        return Ok(held(aggregate::count_values::aggregate(
            inner()?,
            &call,
            &label,
        )?));
    }
    let params = scalar(ctx, param, steps)?;
    let at = (&params[..], param.span);
    Ok(held(match aggregate.op {
        AggregateOp::Quantile => aggregate::quantile::aggregate(inner()?, &call, at)?,
        AggregateOp::Limitk => aggregate::limit::first(inner()?, &call, &params)?,
        AggregateOp::LimitRatio => aggregate::limit::ratio(inner()?, &call, at)?,
        _ => aggregate::top::aggregate(inner()?, &call, &params)?,
    }))
}

fn called<'a>(
    ctx: &'a Context<'a>,
    expr: &'a Expr,
    call: &'a Call,
    steps: Steps,
) -> Result<Rows<'a>> {
    let name = call.function.name;
    if let Some(apply) = range::find(name) {
        return over_range(ctx, call, steps, apply);
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
        "absent" | "absent_over_time" => Ok(held(vec![is_absent(ctx, call, steps)?])),
        "vector" => {
            let values = scalar(ctx, argument(call, 0)?, steps)?;
            let samples = values.into_iter().map(Sample::Float).collect();
            Ok(held(vec![Row::new(Labels::default(), samples)]))
        }
        "timestamp" => timestamps(ctx, call, steps),
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

fn over_range<'a>(
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
                metric: series.labels.metric(),
                range_ms: windows.range_ms,
                now_ms: steps.at(step),
                params: [param(0), param(1)],
                temporality: series.temporality,
                extension: windows.extension,
            };
            samples[step] = apply(&window, &call);
            found |= !samples[step].is_absent();
        });
        let metric = series.labels.metric();
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

fn is_absent<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Row> {
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

fn timestamps<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Rows<'a>> {
    let arg = argument(call, 0)?;
    if let Kind::Selector(selector) = &arg.unwrapped().kind {
        return Ok(nameless(
            ctx,
            arg,
            ctx.counted(select(ctx, selector, steps, true)?),
        ));
    }
    let inner = rows(ctx, arg, steps)?;
    let timed = inner.map(move |row| {
        let mut row = row?;
        for (sample, now) in row.samples.iter_mut().zip(steps.seconds()) {
            if !sample.is_absent() {
                *sample = Sample::Float(now);
            }
        }
        Ok(row)
    });
    Ok(nameless(ctx, arg, Box::new(timed)))
}

fn relabelled<'a>(ctx: &'a Context<'a>, call: &'a Call, steps: Steps) -> Result<Rows<'a>> {
    let texts: Vec<String> = call.args[1..].iter().map(text).collect::<Result<_>>()?;
    let mut relabel = match call.function.name {
        "label_replace" => label::Relabel::replace(&texts)?,
        _ => label::Relabel::join(&texts)?,
    };
    let inner = rows(ctx, argument(call, 0)?, steps)?;
    let renames = relabel.target() == crate::labels::METRIC_NAME;
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
    let shift = selector
        .map(|selector| selector.shift.clone())
        .unwrap_or_default();
    let finder = Finder {
        steps,
        reference: ctx.timing.reference(&shift)?,
        lookback_ms: ctx.timing.lookback_ms,
        timestamps: false,
        smoothed: false,
    };
    let (first, last) = (
        finder.reference.of(steps.start_ms),
        finder.reference.of(steps.last_ms()),
    );
    let series = ctx.series(&Selection {
        matchers: wanted.matchers(),
        from_ms: first - ctx.timing.lookback_ms + 1,
        through_ms: last,
    })?;
    let mut infos = Vec::new();
    for series in series {
        let series = series?;
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
