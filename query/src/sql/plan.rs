//! What a plan may hold: node kinds, tables, functions and types by allow-list. Safety rests on this check.
//!
//! It sees the plan as the SQL planner made it, with views and WITH queries in place. Everything that is not
//! named here is refused, so that what an upgrade of DataFusion adds is refused until somebody looks at it.

use super::{allow, limits};
use crate::{
    error::{Error, Result},
    functions,
};
use arrow::datatypes::DataType;
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::Result as PlanResult,
    logical_expr::{Expr, LogicalPlan, TableScan, WindowFunctionDefinition},
};
use std::collections::HashSet;

/// Says whether a scan reads one of the tenant's own tables.
pub(super) type IsOurs<'a> = &'a dyn Fn(&TableScan) -> bool;

/// Refuses a plan with anything that is not allowed.
pub(super) fn check(plan: &LogicalPlan, is_ours: IsOurs<'_>) -> Result<()> {
    let own = functions::all()
        .iter()
        .map(|f| f.name().to_string())
        .collect();
    let check = Check { is_ours, own };
    plan.apply_with_subqueries(|node| {
        check.node(node)?;
        node.apply_expressions(|expr| expr.apply(|expr| check.expression(expr)))
    })?;
    Ok(())
}

struct Check<'a> {
    is_ours: IsOurs<'a>,
    /// Names of our own functions.
    own: HashSet<String>,
}

fn denied(what: impl Into<String>, detail: &str) -> Error {
    Error::Denied {
        what: what.into(),
        detail: detail.to_string(),
        place: None,
    }
}

impl Check<'_> {
    fn node(&self, node: &LogicalPlan) -> PlanResult<()> {
        match node {
            LogicalPlan::TableScan(scan) if (self.is_ours)(scan) => Ok(()),
            LogicalPlan::TableScan(scan) => {
                let what = format!("reading {}", scan.table_name);
                Err(denied(what, "it is none of the tables that SHOW TABLES lists").into())
            }
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_) => Ok(()),
            other => {
                let name = other.display().to_string();
                let name = name.split([':', ' ']).next().unwrap_or("this").to_string();
                Err(denied(format!("the step {name}"), "only queries can be asked here").into())
            }
        }
    }

    fn expression(&self, expr: &Expr) -> PlanResult<TreeNodeRecursion> {
        match expr {
            Expr::ScalarFunction(call) => self.function(call.func.name(), allow::SCALAR)?,
            Expr::AggregateFunction(call) => self.function(call.func.name(), allow::AGGREGATE)?,
            Expr::WindowFunction(call) => match &call.fun {
                WindowFunctionDefinition::AggregateUDF(f) => {
                    self.function(f.name(), allow::AGGREGATE)?;
                }
                WindowFunctionDefinition::WindowUDF(f) => self.function(f.name(), allow::WINDOW)?,
            },
            Expr::Cast(cast) => data_type(cast.field.data_type())?,
            Expr::TryCast(cast) => data_type(cast.field.data_type())?,
            Expr::Placeholder(placeholder) => {
                let detail = format!("no value is given for {}", placeholder.id);
                return Err(Error::invalid(detail).into());
            }
            Expr::Alias(_)
            | Expr::Column(_)
            | Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::InList(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::ScalarSubquery(_)
            | Expr::GroupingSet(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Unnest(_) => {}
            // Variables (they read settings), lambdas, wildcards that planning left, and what is not known yet.
            other => {
                let what = format!("an expression of kind {}", other.variant_name());
                return Err(denied(what, "it has no use in a query over telemetry").into());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn function(&self, name: &str, allowed: &[&str]) -> PlanResult<()> {
        if allowed.contains(&name) || self.own.contains(name) {
            return Ok(());
        }
        let reason = allow::refusal(name).unwrap_or("it is not in the list of allowed functions");
        Err(denied(format!("the function {name}"), reason).into())
    }
}

/// Refuses types of which one NULL takes much memory, and types that telemetry has no use for.
fn data_type(to: &DataType) -> PlanResult<()> {
    match to {
        DataType::FixedSizeBinary(size) if !(0..=limits::FIXED_SIZE).contains(size) => {}
        DataType::FixedSizeList(_, size) if !(0..=limits::FIXED_SIZE).contains(size) => {}
        DataType::FixedSizeList(item, _) if is_nested(item.data_type()) => {}
        DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => {
            return data_type(item.data_type());
        }
        DataType::Struct(fields) => {
            return fields
                .iter()
                .try_for_each(|field| data_type(field.data_type()));
        }
        DataType::Map(entries, _) => return data_type(entries.data_type()),
        DataType::Union(..) | DataType::RunEndEncoded(..) => {}
        DataType::Dictionary(_, value) => return data_type(value),
        _ => return Ok(()),
    }
    Err(denied(
        format!("a cast to {to}"),
        "its size or kind is not supported",
    )
    .into())
}

fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::FixedSizeList(..))
}

#[cfg(test)]
mod tests;
