//! Which expressions have the same value at all steps, so that one step is enough.

use crate::expr::{Expr, Kind};

/// Functions whose value depends on the time of the evaluation whatever their arguments are.
const TIMELY: [&str; 10] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
];

/// Whether the value is the same at all steps.
pub(super) fn is_invariant(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Selector(selector) => selector.shift.at.is_some(),
        Kind::Range(range) => range.selector.shift.at.is_some(),
        Kind::Subquery(subquery) => subquery.shift.at.is_some(),
        Kind::Call(call) if TIMELY.contains(&call.function.name) => false,
        // The time of a sample is that of the evaluation, but for those that a selector finds.
        Kind::Call(call) if call.function.name == "timestamp" => {
            let selector = call.args.first().map(Expr::unwrapped);
            selector.is_some_and(|arg| matches!(arg.kind, Kind::Selector(_)) && is_invariant(arg))
        }
        _ => expr.children().into_iter().all(is_invariant),
    }
}
