//! An expression whose selectors stay at one time, so that it has the same answer whenever it is evaluated.

use crate::expr::{At, Expr, Kind, Shift};

/// The functions whose result depends on the time of the evaluation or of the points, whatever they are given; the info
/// metrics of `info` stand nowhere in the query.
const TIMED: [&str; 15] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "info",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "time",
    "timestamp",
    "year",
];

/// `expr` with `@ at_ms` for each selector that has none; nothing where its answer is another at another time even so.
pub(super) fn pinned(expr: &Expr, at_ms: i64) -> Option<Expr> {
    let mut pinned = expr.clone();
    pin(&mut pinned, at_ms).then_some(pinned)
}

fn pin(expr: &mut Expr, at_ms: i64) -> bool {
    match &mut expr.kind {
        Kind::Number(_) | Kind::String(_) => true,
        Kind::Selector(selector) => set(&mut selector.shift, at_ms),
        Kind::Range(range) => set(&mut range.selector.shift, at_ms),
        // What is inside is evaluated at the times of the subquery, which are those of its `@`.
        Kind::Subquery(subquery) => set(&mut subquery.shift, at_ms),
        Kind::Call(call) if TIMED.contains(&call.function.name) => false,
        Kind::Call(call) => call.args.iter_mut().all(|arg| pin(arg, at_ms)),
        Kind::Aggregate(aggregate) => {
            pin(&mut aggregate.expr, at_ms)
                && aggregate
                    .param
                    .as_mut()
                    .is_none_or(|param| pin(param, at_ms))
        }
        Kind::Binary(binary) => pin(&mut binary.lhs, at_ms) && pin(&mut binary.rhs, at_ms),
        Kind::Unary { operand, .. } => pin(operand, at_ms),
        Kind::Paren(inner) => pin(inner, at_ms),
    }
}

/// `start()` and `end()` would move with the time of the evaluation, too.
fn set(shift: &mut Shift, at_ms: i64) -> bool {
    if shift.at.is_none() {
        shift.at = Some(At::Time(at_ms));
    }
    matches!(shift.at, Some(At::Time(_)))
}
