//! Makes a plan yield and end, so that a stopped statement stops.
//!
//! DataFusion lets leaves of a plan yield. Between two batches of a leaf a cross join may make as many batches
//! as its other side has rows, and `count(*)` over it takes them without ever coming up for air. A node above
//! each such operator counts its batches against tokio's budget, yields when that is used up, and ends in an error
//! when nobody waits for the statement any more. A join whose condition keeps no row gives no batch to count, so
//! its condition looks, too.

mod condition;
mod stopping;

use condition::Condition;
use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    error::Result,
    physical_plan::{
        ExecutionPlan,
        filter::{FilterExec, FilterExecBuilder},
        joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder, utils::JoinFilter},
    },
};
use std::sync::Arc;
use stopping::Stopping;
use tokio_util::sync::CancellationToken;

/// Operators that can give many batches for one that they take.
const MULTIPLYING: [&str; 6] = [
    "CrossJoinExec",
    "NestedLoopJoinExec",
    "HashJoinExec",
    "SortMergeJoinExec",
    "PiecewiseMergeJoinExec",
    "UnnestExec",
];

/// `plan` so that all that can take long in it looks at `stop`.
pub(super) fn cooperate(
    plan: Arc<dyn ExecutionPlan>,
    stop: &CancellationToken,
) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|node| {
        let checked = checked(&node, stop)?;
        let is_changed = checked.is_some();
        let node = checked.unwrap_or(node);
        if MULTIPLYING.contains(&node.name()) {
            return Ok(Transformed::yes(Stopping::over(node, stop) as _));
        }
        Ok(match is_changed {
            true => Transformed::yes(node),
            false => Transformed::no(node),
        })
    })?;
    Ok(wrapped.data)
}

/// `node` with a condition that looks at `stop`, if it has one.
fn checked(
    node: &Arc<dyn ExecutionPlan>,
    stop: &CancellationToken,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let condition = Condition::over(filter.predicate().clone(), stop);
        let builder = FilterExecBuilder::from(filter).with_predicate(condition);
        return Ok(Some(Arc::new(builder.build()?)));
    }
    let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else {
        return Ok(None);
    };
    let Some(filter) = join.filter() else {
        return Ok(None);
    };
    let filter = JoinFilter::new(
        Condition::over(filter.expression().clone(), stop),
        filter.column_indices().to_vec(),
        filter.schema().clone(),
    );
    let builder = NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter));
    Ok(Some(Arc::new(builder.build()?)))
}

/// What a statement ends in that nobody waits for. Nobody reads it.
fn stopped() -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::Execution("the statement was stopped".to_string())
}
