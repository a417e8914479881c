//! How results lose the name of the metric.

use crate::{
    eval::context::Context,
    expr::{Expr, Kind, Selector},
    labels::METRIC_NAME,
    matcher::MatchOp,
    row::{Rows, distinct},
};

/// The rows without names, which `source` had given them.
pub(super) fn nameless<'a>(ctx: &'a Context<'a>, source: &Expr, rows: Rows<'a>) -> Rows<'a> {
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

/// Whether the rows of an expression may differ in nothing but their names.
fn many_names(expr: &Expr) -> bool {
    match &expr.unwrapped().kind {
        Kind::Selector(selector) => !one_name(selector),
        Kind::Range(range) => !one_name(&range.selector),
        Kind::Subquery(subquery) => many_names(&subquery.expr),
        Kind::Aggregate(aggregate) => match aggregate.op.has_param() {
            true => many_names(&aggregate.expr),
            false => aggregate.grouping.iter().any(|label| label == METRIC_NAME),
        },
        _ => true,
    }
}

fn one_name(selector: &Selector) -> bool {
    selector
        .matchers
        .iter()
        .any(|matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal)
}
