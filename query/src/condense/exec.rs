//! The operator that condenses.

use super::one_shot::OneShot;
use crate::codes;
use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, RecordBatch},
        compute::BatchCoalescer,
        datatypes::SchemaRef,
    },
    common::{cast::as_boolean_array, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{EmitTo, GroupsAccumulator},
    physical_expr::PhysicalExpr,
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        ReplaceChildrenOptions,
        aggregates::AggregateExec,
        metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use std::{fmt, sync::Arc};

/// Stands for a partial aggregation.
#[derive(Debug)]
pub(super) struct CondenseExec {
    /// What it stands for, with its input.
    partial: AggregateExec,
    metrics: ExecutionPlanMetricsSet,
}

impl CondenseExec {
    pub(super) fn new(partial: AggregateExec) -> CondenseExec {
        CondenseExec {
            partial,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for CondenseExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CondenseExec: ")?;
        self.partial.fmt_as(kind, f)
    }
}

impl ExecutionPlan for CondenseExec {
    fn name(&self) -> &str {
        "CondenseExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.partial.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.partial.input()]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.partial.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partial = over(&self.partial, children, options)?;
        Ok(Arc::new(CondenseExec::new(partial)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self
            .partial
            .input()
            .execute(partition, Arc::clone(&context))?;
        let schema = self.partial.schema();
        let condensing = Condensing {
            input: Some(input),
            condenser: Condenser::new(&self.partial)?,
            output: BatchCoalescer::new(Arc::clone(&schema), context.session_config().batch_size()),
            rest: None,
            repeats: Repeats::default(),
            partial: self.partial.clone(),
            partition,
            context,
            baseline: BaselineMetrics::new(&self.metrics, partition),
            handed_over: MetricBuilder::new(&self.metrics).counter("handed_over", partition),
        };
        let batches = futures::stream::try_unfold(condensing, |mut condensing| async move {
            let batch = condensing.next().await?;
            Ok(batch.map(|batch| (batch, condensing)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// `partial` over another input.
fn over(
    partial: &AggregateExec,
    children: Vec<Arc<dyn ExecutionPlan>>,
    options: ReplaceChildrenOptions,
) -> Result<AggregateExec> {
    let plan = Arc::new(partial.clone()).replace_children(children, options)?;
    let partial = plan.downcast_ref::<AggregateExec>().cloned();
    partial.ok_or_else(|| {
        DataFusionError::Internal("an aggregation became something else".to_string())
    })
}

/// One partition on its way.
struct Condensing {
    /// Until the rest is handed over.
    input: Option<SendableRecordBatchStream>,
    condenser: Condenser,
    output: BatchCoalescer,
    /// What the partial aggregation makes of rows that do not repeat.
    rest: Option<SendableRecordBatchStream>,
    repeats: Repeats,
    partial: AggregateExec,
    partition: usize,
    context: Arc<TaskContext>,
    baseline: BaselineMetrics,
    handed_over: Count,
}

impl Condensing {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.output.next_completed_batch() {
                self.baseline.record_output(batch.num_rows());
                return Ok(Some(batch));
            }
            if let Some(rest) = &mut self.rest {
                let batch = rest.next().await.transpose()?;
                if let Some(batch) = &batch {
                    self.baseline.record_output(batch.num_rows());
                }
                return Ok(batch);
            }
            let Some(input) = &mut self.input else {
                return Ok(None);
            };
            match input.next().await.transpose()? {
                Some(batch) => self.take(&batch)?,
                None => {
                    self.input = None;
                    self.output.finish_buffered_batch()?;
                }
            }
        }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let compute = self.baseline.elapsed_compute().clone();
        let _timer = compute.timer();
        let condensed = self.condenser.condense(batch)?;
        self.repeats.add(batch.num_rows(), condensed.num_rows());
        self.output.push_batch(condensed)?;
        if self.repeats.too_few()
            && let Some(input) = self.input.take()
        {
            self.output.finish_buffered_batch()?;
            let properties = Arc::clone(self.partial.input().properties());
            let rest = OneShot::new(input, self.partition, properties);
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            let partial = over(&self.partial, vec![Arc::new(rest)], options)?;
            self.rest = Some(partial.execute(self.partition, Arc::clone(&self.context))?);
            self.handed_over.add(1);
        }
        Ok(())
    }
}

/// Makes one batch of groups out of one of rows.
struct Condenser {
    schema: SchemaRef,
    groups: Vec<Arc<dyn PhysicalExpr>>,
    aggregates: Vec<Aggregate>,
}

struct Aggregate {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    /// Empty between two batches.
    states: Box<dyn GroupsAccumulator>,
}

impl Condenser {
    fn new(partial: &AggregateExec) -> Result<Condenser> {
        let aggregates = partial.aggr_expr().iter().zip(partial.filter_expr());
        let aggregates = aggregates.map(|(aggregate, filter)| {
            Ok(Aggregate {
                arguments: aggregate.expressions(),
                filter: filter.clone(),
                states: aggregate.create_groups_accumulator()?,
            })
        });
        Ok(Condenser {
            schema: partial.schema(),
            groups: partial.group_expr().input_exprs(),
            aggregates: aggregates.collect::<Result<_>>()?,
        })
    }

    fn condense(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let groups = values(&self.groups, batch)?;
        let codes = codes::codes(&groups, batch.num_rows())?;
        let distinct = codes.firsts.len();
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for group in &groups {
            columns.push(codes.gather(group)?);
        }
        for aggregate in &mut self.aggregates {
            let arguments = values(&aggregate.arguments, batch)?;
            let filter = match &aggregate.filter {
                Some(filter) => Some(holds(filter, batch)?),
                None => None,
            };
            let states = &mut aggregate.states;
            states.update_batch(&arguments, &codes.of_row, filter.as_ref(), distinct)?;
            columns.extend(states.state(EmitTo::All)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

fn values(of: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let value = |of: &Arc<dyn PhysicalExpr>| of.evaluate(batch)?.into_array(batch.num_rows());
    of.iter().map(value).collect()
}

fn holds(filter: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let holds = filter.evaluate(batch)?.into_array(batch.num_rows())?;
    Ok(as_boolean_array(&holds)?.clone())
}

/// How often rows repeat, of late.
#[derive(Default)]
struct Repeats {
    rows: usize,
    groups: usize,
}

/// Fewer rows say nothing.
const SAMPLE_ROWS: usize = 4 * 1024;
/// What is older than about so many rows counts less and less.
const MEMORY_ROWS: usize = 128 * 1024;
/// Where a group has fewer rows, an aggregation over the whole stream does better than one of each batch.
const ROWS_PER_GROUP: usize = 4;

impl Repeats {
    fn add(&mut self, rows: usize, groups: usize) {
        self.rows += rows;
        self.groups += groups;
        if self.rows > MEMORY_ROWS {
            self.rows /= 2;
            self.groups /= 2;
        }
    }

    fn too_few(&self) -> bool {
        self.rows >= SAMPLE_ROWS && self.groups * ROWS_PER_GROUP > self.rows
    }
}
