//! Tells scans below an aggregation that the order of their rows is of no use.
//!
//! Told of an order, DataFusion aggregates stretch by stretch and merges the partitions in order on the way to the
//! final aggregation. With groups of files that lie apart in time one side waits for the other, and what waits
//! fills the memory of the statement: a count by service and minute over two million rows failed at 256 MiB.

use super::shared_parts::provider;
use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    datasource::provider_as_source,
    error::Result,
    logical_expr::LogicalPlan,
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};
use std::sync::Arc;

/// The rule; goes after those that push filters and projections down.
#[derive(Debug, Default)]
pub struct Unordered;

impl OptimizerRule for Unordered {
    fn name(&self) -> &str {
        "unordered"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(mut aggregate) = plan else {
            return Ok(Transformed::no(plan));
        };
        let input = without_order(aggregate.input.as_ref().clone())?;
        aggregate.input = Arc::new(input.data);
        let plan = LogicalPlan::Aggregate(aggregate);
        Ok(Transformed::new(
            plan,
            input.transformed,
            TreeNodeRecursion::Continue,
        ))
    }
}

/// `plan` over scans without an order, as far down as only nodes stand between that keep rows as they come.
fn without_order(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    plan.transform_down(|node| match node {
        LogicalPlan::TableScan(mut scan) => match provider(&scan).and_then(|p| p.unordered()) {
            Some(table) => {
                scan.source = provider_as_source(Arc::new(table));
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            }
            None => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
        },
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Union(_) => Ok(Transformed::no(node)),
        // A sort, a limit, a join: what is below may need its order.
        other => Ok(Transformed::new(other, false, TreeNodeRecursion::Jump)),
    })
}
