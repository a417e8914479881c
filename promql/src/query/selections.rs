//! What the selectors of a query will ask of a source.

use crate::{
    error::Result,
    expr::{Expr, Kind, Selector},
    functions::info::{self, Wanted},
    row::Steps,
    source::Selection,
    timing::Timing,
};

/// Of all selectors, in the order of the text.
pub(super) fn all(expr: &Expr, timing: &Timing) -> Result<Vec<Selection>> {
    let mut found = Vec::new();
    walk(expr, timing, timing.steps(), &mut found)?;
    Ok(found)
}

fn walk(expr: &Expr, timing: &Timing, steps: Steps, found: &mut Vec<Selection>) -> Result<()> {
    match &expr.kind {
        Kind::Selector(selector) => found.push(selection(selector, None, timing, steps)?),
        Kind::Range(range) => {
            let range_ms = timing.positive(&range.range)?;
            found.push(selection(&range.selector, Some(range_ms), timing, steps)?);
        }
        Kind::Subquery(subquery) => {
            walk(
                &subquery.expr,
                timing,
                timing.inner_steps(subquery, steps)?,
                found,
            )?;
        }
        Kind::Call(call) if call.function.name == "info" => {
            walk(&call.args[0], timing, steps, found)?;
            let selector = call.args.get(1).and_then(|arg| match &arg.kind {
                Kind::Selector(selector) => Some(selector),
                _ => None,
            });
            let shift = info::shift_of(&call.args[0]);
            let (from_ms, through_ms) = timing.span_of_infos(&shift, steps)?;
            found.push(Selection {
                matchers: Wanted::new(selector)?.matchers(),
                from_ms,
                through_ms,
            });
        }
        _ => {
            for child in expr.children() {
                walk(child, timing, steps, found)?;
            }
        }
    }
    Ok(())
}

fn selection(
    selector: &Selector,
    range_ms: Option<i64>,
    timing: &Timing,
    steps: Steps,
) -> Result<Selection> {
    let (from_ms, through_ms) = timing.span_of(selector, range_ms, steps)?;
    Ok(Selection {
        matchers: selector.matchers.clone(),
        from_ms,
        through_ms,
    })
}
