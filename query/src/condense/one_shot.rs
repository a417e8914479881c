//! What is left of a stream, as the input of a plan.

use datafusion::{
    common::tree_node::TreeNodeRecursion,
    error::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    },
};
use parking_lot::Mutex;
use std::{fmt, sync::Arc};

/// Gives its stream to whoever asks for its partition first.
pub(super) struct OneShot {
    stream: Mutex<Option<SendableRecordBatchStream>>,
    partition: usize,
    properties: Arc<PlanProperties>,
}

impl OneShot {
    /// The rest of `partition` of a plan with `properties`.
    pub(super) fn new(
        stream: SendableRecordBatchStream,
        partition: usize,
        properties: Arc<PlanProperties>,
    ) -> OneShot {
        OneShot {
            stream: Mutex::new(Some(stream)),
            partition,
            properties,
        }
    }
}

impl fmt::Debug for OneShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneShot")
    }
}

impl DisplayAs for OneShot {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneShot")
    }
}

impl ExecutionPlan for OneShot {
    fn name(&self) -> &str {
        "OneShot"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let stream = match partition == self.partition {
            true => self.stream.lock().take(),
            false => None,
        };
        stream.ok_or_else(|| {
            DataFusionError::Internal("the rest of a stream is there once only".to_string())
        })
    }
}
