//! What of a plan makes the work of planning explode although it is short: sub-selects in expressions and windows.
//!
//! Looked at in the plan and not in the text, since a WITH query brings its sub-selects to each of its uses.

use super::limits;
use crate::error::{Error, Result};
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    logical_expr::{Expr, LogicalPlan, Window},
};

/// Refuses a plan that optimizing would take too long for.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    let mut found = Found::default();
    found.look_at(plan, 0)?;
    within(
        "the number of window functions",
        found.windows,
        limits::WINDOWS,
    )
}

#[derive(Default)]
struct Found {
    windows: usize,
}

impl Found {
    /// Goes through `plan`, which stands in `depth` sub-selects.
    fn look_at(&mut self, plan: &LogicalPlan, depth: usize) -> Result<()> {
        within(
            "the depth of sub-selects in expressions",
            depth,
            limits::SUB_SELECTS,
        )?;
        plan.apply(|node| {
            if let LogicalPlan::Window(window) = node {
                self.windows += window.window_expr.len();
                no_collecting(window)?;
            }
            node.apply_subqueries(|inner| {
                self.look_at(inner, depth + 1)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(())
    }
}

/// Refuses functions that collect values where each row gets a collection of its own: n rows would take n² values, all of
/// them at once, and no pool is asked for them.
fn no_collecting(window: &Window) -> Result<()> {
    for expr in &window.window_expr {
        expr.apply(|expr| match expr {
            Expr::WindowFunction(call) if is_collecting(call.fun.name()) => Err(Error::Denied {
                what: format!("{} with OVER", call.fun.name()),
                detail: "collect values with GROUP BY".to_string(),
                place: None,
            }
            .into()),
            _ => Ok(TreeNodeRecursion::Continue),
        })?;
    }
    Ok(())
}

fn is_collecting(name: &str) -> bool {
    matches!(name, "array_agg" | "string_agg")
}

fn within(what: &str, count: usize, limit: usize) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::TooLarge {
        what: what.to_string(),
        limit: limit as u64,
        place: None,
    })
}
