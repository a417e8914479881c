//! The scan of rows that are still in the buffer.
//!
//! Requests are small, so they are put together to batches before anything is evaluated, and of the columns only those
//! that the query needs. Filters go first; order is made only when the answer's order can be told at all.

mod gather;

use super::{BufferedPart, Outline};
use crate::scope::Scope;
use cairn_storage::signal::Table;
use datafusion::{
    arrow::datatypes::SchemaRef,
    common::{
        Statistics,
        config::ConfigOptions,
        stats::Precision,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    datasource::source::{DataSource, DataSourceExec},
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{
        EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, conjunction,
        expressions::Column, projection::ProjectionExprs, utils::reassign_expr_columns,
    },
    physical_plan::{
        DisplayFormatType, ExecutionPlan,
        filter_pushdown::{FilterPushdownPropagation, PushedDown},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet},
        stream::RecordBatchStreamAdapter,
    },
};
use gather::Gather;
use std::{fmt, sync::Arc};

/// Fewer rows than this are not worth a second partition.
const PARTITION_ROWS: usize = 64 * 1024;

/// Plans the scan of buffered rows.
pub(super) fn plan(
    outline: &Outline<'_>,
    parts: Vec<BufferedPart>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let request = outline.request;
    let rows: usize = parts.iter().map(|part| rows(part, request.table)).sum();
    let partitions = (rows / PARTITION_ROWS).clamp(1, outline.partitions.max(1));
    let all: Vec<usize> = (0..request.schema.fields().len()).collect();
    let columns = request.projection.unwrap_or(&all);
    let mut source = BufferedSource {
        scope: request.scope.clone(),
        table: request.table,
        schema: request.schema.clone(),
        partitions: distribute(parts, request.table, partitions),
        projection: ProjectionExprs::from_indices(columns, request.schema),
        predicate: outline.predicate.clone(),
        ordering: outline.ordering.clone(),
        ordered: false,
        limit: request.limit,
        metrics: outline.metrics.clone(),
    };
    source.ordered = source.eq_properties().output_ordering().is_some();
    Ok(DataSourceExec::from_data_source(source))
}

fn rows(part: &BufferedPart, table: Table) -> usize {
    part.request
        .batch(table)
        .map_or(0, |batch| batch.num_rows())
}

/// Stretches of requests with about the same number of rows.
fn distribute(parts: Vec<BufferedPart>, table: Table, partitions: usize) -> Vec<Stretch> {
    let total: usize = parts.iter().map(|part| rows(part, table)).sum();
    let mut stretches = vec![Vec::new(); partitions];
    let mut before = 0;
    for part in parts {
        let stretch = (before * partitions / total.max(1)).min(partitions - 1);
        before += rows(&part, table);
        stretches[stretch].push(Arc::new(part));
    }
    stretches.into_iter().map(Stretch::from).collect()
}

/// The requests of one partition.
type Stretch = Arc<[Arc<BufferedPart>]>;

/// Buffered rows of one table.
#[derive(Clone)]
struct BufferedSource {
    scope: Arc<Scope>,
    table: Table,
    /// The columns of the table.
    schema: SchemaRef,
    partitions: Vec<Stretch>,
    /// Over `schema`.
    projection: ProjectionExprs,
    /// Over `schema`.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Over `schema`.
    ordering: Option<LexOrdering>,
    /// Whether rows come in this order. Once promised it is kept: the planner takes a sort away and may then let a
    /// projection sink into this source that leaves the columns of the order out.
    ordered: bool,
    limit: Option<usize>,
    metrics: ExecutionPlanMetricsSet,
}

impl fmt::Debug for BufferedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferedSource")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl BufferedSource {
    fn total_rows(&self) -> usize {
        self.partitions
            .iter()
            .flat_map(|s| s.iter())
            .map(|p| rows(p, self.table))
            .sum()
    }

    fn output_schema(&self) -> Result<SchemaRef> {
        Ok(Arc::new(self.projection.project_schema(&self.schema)?))
    }
}

impl DataSource for BufferedSource {
    fn open(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.output_schema()?;
        let gather = Gather {
            table: self.table,
            schema: &self.schema,
            output: schema.clone(),
            projection: &self.projection,
            predicate: self.predicate.as_ref(),
            ordered: self.ordered,
            limit: self.limit,
            batch_rows: context.session_config().batch_size(),
        };
        let report = self.scope.report().clone();
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let batches = gather.batches(self.partitions[partition].clone(), report)?;
        let counted = batches.inspect(move |batch| {
            if let Ok(batch) = batch {
                baseline.record_output(batch.num_rows());
            }
        });
        let stream = futures::stream::iter(counted);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }

    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(format, DisplayFormatType::TreeRender) {
            return writeln!(f, "buffered rows={}", self.total_rows());
        }
        let requests: usize = self.partitions.iter().map(|stretch| stretch.len()).sum();
        write!(
            f,
            "buffer of {}: requests={requests}, rows={}",
            self.table,
            self.total_rows()
        )?;
        let columns: Vec<String> = self.projection.iter().map(|p| p.alias.clone()).collect();
        write!(f, ", projection=[{}]", columns.join(", "))?;
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        if let Some(ordering) = self.eq_properties().output_ordering() {
            write!(f, ", output_ordering=[{ordering}]")?;
        }
        match &self.predicate {
            Some(predicate) => write!(f, ", predicate={predicate}"),
            None => Ok(()),
        }
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.partitions.len())
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        let ordering = self.ordering.clone();
        let table = EquivalenceProperties::new_with_orderings(self.schema.clone(), ordering);
        let mapping = self.projection.projection_mapping(&self.schema);
        match (mapping, self.output_schema()) {
            (Ok(mapping), Ok(output)) => table.project(&mapping, output),
            // The projection was made over this schema; without its mapping nothing is promised.
            (_, output) => EquivalenceProperties::new(output.unwrap_or(self.schema.clone())),
        }
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(self.output_schema()?.as_ref());
        let count = match partition {
            Some(partition) => self.partitions[partition]
                .iter()
                .map(|p| rows(p, self.table))
                .sum(),
            None => self.total_rows(),
        };
        statistics.num_rows = match self.predicate.is_none() && self.limit.is_none() {
            true => Precision::Exact(count),
            false => Precision::Inexact(count),
        };
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        Some(Arc::new(BufferedSource {
            limit,
            ..self.clone()
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.metrics.clone()
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        if repeats_work(&self.projection, projection) {
            return Ok(None);
        }
        let projection = self.projection.try_merge(projection)?;
        Ok(Some(Arc::new(BufferedSource {
            projection,
            ..self.clone()
        })))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        let taken = vec![PushedDown::Yes; filters.len()];
        let mut all: Vec<_> = self.predicate.iter().cloned().collect();
        for filter in filters {
            let filter = self.projection.unproject_expr(&filter)?;
            all.push(reassign_expr_columns(filter, &self.schema)?);
        }
        let source: Arc<dyn DataSource> = Arc::new(BufferedSource {
            predicate: Some(conjunction(all)),
            ..self.clone()
        });
        Ok(FilterPushdownPropagation::with_parent_pushdown_result(taken).with_updated_node(source))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expr in self
            .predicate
            .iter()
            .chain(self.projection.iter().map(|p| &p.expr))
        {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

/// Whether merging `outer` into `inner` would evaluate something more than once.
fn repeats_work(inner: &ProjectionExprs, outer: &ProjectionExprs) -> bool {
    let inner: Vec<_> = inner.iter().collect();
    let mut uses = vec![0usize; inner.len()];
    for projected in outer.iter() {
        let counted = projected.expr.apply(|expr| {
            if let Some(column) = expr.downcast_ref::<Column>() {
                uses[column.index()] += 1;
            }
            Ok(TreeNodeRecursion::Continue)
        });
        counted.expect("counting does not fail");
    }
    inner
        .iter()
        .zip(uses)
        .any(|(expr, uses)| uses > 1 && expr.expr.downcast_ref::<Column>().is_none())
}
