//! The recursion over the tree.

use super::{context::Context, invariant::is_invariant};
use crate::{
    aggregate::{self, grouping},
    binary::{
        matching::{Join, stream},
        operate::{Operator, numbers},
        scalar::{self as scalar_binary, Side},
        set,
    },
    error::{Error, Result},
    expr::{Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Kind, Type},
    functions::math,
    row::{Row, Rows, Sample, Steps},
    source::Series,
};
use arguments::{argument, text};
use names::nameless;

mod arguments;
mod call;
mod names;
mod ranged;
mod selected;

/// Series, one at a time.
pub(crate) type Matrix<'a> = Box<dyn Iterator<Item = Result<Series>> + 'a>;

/// The series of a range, and from after when to when its points are.
pub(crate) fn matrix<'a>(
    ctx: &'a Context<'a>,
    expr: &'a Expr,
    steps: Steps,
) -> Result<(Matrix<'a>, (i64, i64))> {
    ranged::matrix(ctx, expr, steps)
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
        Kind::Selector(selector) => Ok(ctx.counted(selected::select(ctx, selector, steps, false)?)),
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
        Kind::Call(call) => call::called(ctx, expr, call, steps),
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
