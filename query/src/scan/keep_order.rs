//! Holds scans to the order that they promise.
//!
//! DataFusion 55 lets an idle partition read files of its neighbour, unless a scan keeps an order. A limit that is
//! pushed through a merge of ordered partitions makes it forget that the scan below does (`LimitPushdown` sets
//! `preserve_order` by the last limit that it saw), and `ORDER BY timestamp DESC LIMIT n` gives wrong rows. This
//! rule goes after that one and says it again; scans without an order share their files.

use datafusion::{
    common::{
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    datasource::{physical_plan::FileScanConfig, source::DataSourceExec},
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::ExecutionPlan,
};
use std::sync::Arc;

/// The rule; goes after those that come with DataFusion.
#[derive(Debug, Default)]
pub(crate) struct KeepOrder;

impl PhysicalOptimizerRule for KeepOrder {
    fn name(&self) -> &str {
        "keep_order"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let kept = |node: &Arc<dyn ExecutionPlan>| {
            let scan = node.downcast_ref::<DataSourceExec>()?;
            let files = scan.data_source().downcast_ref::<FileScanConfig>()?;
            // Not what the node shows as its order: a projection may have sunk into the scan that leaves the columns
            // of the order out, and somebody above still goes by it.
            match files.output_ordering.is_empty() {
                true => None,
                false => scan.with_preserve_order(true),
            }
        };
        plan.transform_up(|node| {
            Ok(match kept(&node) {
                Some(kept) => Transformed::yes(kept),
                None => Transformed::no(node),
            })
        })
        .data()
    }
}
