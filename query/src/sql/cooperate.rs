//! Makes joins yield, so that a stopped statement stops.
//!
//! DataFusion lets leaves of a plan yield. Between two batches of a leaf a cross join may make as many batches
//! as its other side has rows, and `count(*)` over it takes them without ever coming up for air. A node above
//! each such operator counts its batches against tokio's budget and yields when that is used up.

use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    error::Result,
    physical_plan::{ExecutionPlan, coop::CooperativeExec},
};
use std::sync::Arc;

/// Operators that can give many batches for one that they take.
const MULTIPLYING: [&str; 6] = [
    "CrossJoinExec",
    "NestedLoopJoinExec",
    "HashJoinExec",
    "SortMergeJoinExec",
    "PiecewiseMergeJoinExec",
    "UnnestExec",
];

/// `plan` with a yielding node above each operator that can give many batches for one.
pub(super) fn cooperate(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|node| {
        if MULTIPLYING.contains(&node.name()) {
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as _));
        }
        Ok(Transformed::no(node))
    })?;
    Ok(wrapped.data)
}
