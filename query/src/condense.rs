//! Groups each batch of a scan by what its values are bit by bit, before they are aggregated by what they mean.
//!
//! Columns of telemetry repeat: a service, a severity, a route. Read from a Parquet dictionary, equal values of a
//! batch are equal views, so rows are told apart without looking at text, and an aggregation gets a row for each
//! different value of a batch instead of one for each row. Values that are equal but not bit by bit (text from two
//! dictionaries, two zeros) become two of these rows, which the final aggregation merges like those of two partitions.
//!
//! The operator takes the place of a partial aggregation and gives what that gives. A stream whose batches do not
//! repeat is handed over to the partial aggregation that would have stood there.

mod exec;
mod one_shot;

use crate::codes;
use datafusion::{
    arrow::datatypes::{DataType, Schema},
    common::{
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    error::Result,
    physical_expr::aggregate::AggregateFunctionExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan, InputOrderMode,
        aggregates::{AggregateExec, AggregateMode},
    },
};
use exec::CondenseExec;
use std::sync::Arc;

/// The rule that puts the operator into plans; goes after those that come with DataFusion.
#[derive(Debug, Default)]
pub(crate) struct Condense;

impl PhysicalOptimizerRule for Condense {
    fn name(&self) -> &str {
        "condense"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let partial = node.downcast_ref::<AggregateExec>();
            match partial.map(condensed).transpose()?.flatten() {
                Some(condensed) => Ok(Transformed::yes(condensed)),
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }
}

/// What stands for `partial`; `None` where only the aggregation itself will do.
fn condensed(partial: &AggregateExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let groups = partial.group_expr();
    let plain = *partial.mode() == AggregateMode::Partial
        && *partial.input_order_mode() == InputOrderMode::Linear
        && partial.limit_options().is_none()
        && groups.is_single()
        && !groups.is_empty();
    if !plain {
        return Ok(None);
    }
    let input: &Schema = &partial.input().schema();
    for (group, _) in groups.expr() {
        if !codes::are_of(&group.data_type(input)?) {
            return Ok(None);
        }
    }
    for aggregate in partial.aggr_expr() {
        if !has_small_states(aggregate)? {
            return Ok(None);
        }
    }
    Ok(Some(Arc::new(CondenseExec::new(partial.clone()))))
}

/// Whether the state of a group has one size, whatever rows went into it: what waits to be sent on is bounded
/// by a number of rows alone.
fn has_small_states(aggregate: &AggregateFunctionExpr) -> Result<bool> {
    if !aggregate.groups_accumulator_supported() || !aggregate.order_bys().is_empty() {
        return Ok(false);
    }
    let fields = aggregate.state_fields()?;
    let small = |data_type: &DataType| data_type.is_primitive() || *data_type == DataType::Boolean;
    Ok(fields.iter().all(|field| small(field.data_type())))
}

#[cfg(test)]
mod tests;
