//! A node that yields, and that ends when its statement is stopped.

use super::stopped;
use datafusion::{
    arrow::datatypes::SchemaRef,
    common::tree_node::TreeNodeRecursion,
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, coop::make_cooperative,
        metrics::MetricsSet, stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use std::{fmt, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Gives the batches of its input.
#[derive(Debug)]
pub(super) struct Stopping {
    input: Arc<dyn ExecutionPlan>,
    stop: CancellationToken,
}

impl Stopping {
    pub(super) fn over(input: Arc<dyn ExecutionPlan>, stop: &CancellationToken) -> Arc<Stopping> {
        Arc::new(Stopping {
            input,
            stop: stop.clone(),
        })
    }
}

impl DisplayAs for Stopping {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoppingExec")
    }
}

impl ExecutionPlan for Stopping {
    fn name(&self) -> &'static str {
        "StoppingExec"
    }

    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| self.input.clone());
        Ok(Stopping::over(input, &self.stop))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, context)?;
        let (schema, stop) = (batches.schema(), self.stop.clone());
        let checked = batches.map(move |batch| match stop.is_cancelled() {
            true => Err(stopped()),
            false => batch,
        });
        let checked = RecordBatchStreamAdapter::new(schema, checked);
        Ok(make_cooperative(Box::pin(checked)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        None
    }
}
