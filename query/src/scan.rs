//! One table of one snapshot as a physical plan: the segments that may match, and the buffered rows.
//!
//! Segments are ruled out before any file is opened: by time and column statistics and absent attributes
//! (`prune`), then by the index sidecar for ids and words (`probe`, `search`). What remains becomes one Parquet scan with our own
//! readers, newest first (`files`), adapted to each file's columns (`adapt`), beside one scan of the buffer
//! (`buffered`). Both take over every filter, and both declare the order of their rows where it is of use.

mod adapt;
mod buffered;
mod deleted;
mod files;
mod groups;
mod keep_order;
mod probe;
mod reader;
mod search;
mod statistics;
mod time_parts;

pub(crate) use files::STORE_URL;
pub(crate) use keep_order::KeepOrder;

use crate::{columns, prune, scope::Scope};
use cairn_storage::{
    segment::ObjectMeta,
    signal::Table,
    snapshot::{BufferedRequest, LiveSegment, Snapshot},
};
use datafusion::{
    arrow::{
        compute::SortOptions,
        datatypes::{Schema, SchemaRef},
    },
    catalog::Session,
    error::Result,
    logical_expr::{Expr, utils::conjunction},
    physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr, expressions::Column},
    physical_plan::{
        ExecutionPlan,
        metrics::{ExecutionPlanMetricsSet, MetricBuilder},
        union::UnionExec,
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// What is asked of a table.
pub(crate) struct ScanRequest<'a> {
    pub(crate) scope: &'a Arc<Scope>,
    pub(crate) table: Table,
    /// The columns of the table, the hidden part number included where it has one.
    pub(crate) schema: &'a SchemaRef,
    /// The parts (see [`columns::PART`]) that are of interest; all where `None`.
    pub(crate) parts: Option<&'a BTreeSet<i32>>,
    /// Whether the order of rows is of use.
    pub(crate) ordered: bool,
    /// Columns of `schema`, by position.
    pub(crate) projection: Option<&'a Vec<usize>>,
    /// All of them are taken over.
    pub(crate) filters: &'a [Expr],
    pub(crate) limit: Option<usize>,
}

/// A segment's object of the table asked for, and its part number.
pub(crate) struct SegmentPart {
    pub(crate) number: i32,
    pub(crate) segment: Arc<LiveSegment>,
    /// Position in the segment's objects.
    object: usize,
}

impl SegmentPart {
    pub(crate) fn object(&self) -> &ObjectMeta {
        &self.segment.meta.objects[self.object]
    }
}

/// A buffered request with rows of the table asked for, and its part number.
pub(crate) struct BufferedPart {
    pub(crate) number: i32,
    pub(crate) request: Arc<BufferedRequest>,
}

/// What both scans are made of.
struct Outline<'a> {
    request: &'a ScanRequest<'a>,
    /// Over all columns of the table.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    ordering: Option<LexOrdering>,
    /// Parts of the query that run at the same time.
    partitions: usize,
    metrics: ExecutionPlanMetricsSet,
}

/// Plans the scan of a table.
pub(crate) async fn plan(
    state: &dyn Session,
    request: &ScanRequest<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let snapshot = request.scope.snapshot(request.table.signal());
    request.scope.report().table_read(&snapshot, request.table);
    let outline = outline(state, request)?;
    let asked = prune::asked(request.filters)?;
    request.scope.note_asked(request.table.signal(), &asked);
    let all = segments(&snapshot, request.table);
    let considered = all.len();
    let segments = prune_segments(request, all)?;
    let asked = probe::Asked::of(request.filters, outline.predicate.as_ref());
    let files = probe::probe(segments, &asked, request.scope).await?;
    let pruned = considered - files.len();
    let files = deleted::leave_out(files, &snapshot, request.scope).await?;
    request
        .scope
        .report()
        .segments_planned(considered as u64, pruned as u64);
    let count = |name, count| {
        MetricBuilder::new(&outline.metrics)
            .global_counter(name)
            .add(count)
    };
    count("segments_considered", considered);
    count("segments_pruned", pruned);
    let buffered = buffered_parts(request, &snapshot)?;
    let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(2);
    if !buffered.is_empty() || files.is_empty() {
        // Without anything to read this gives no rows, and still says what was pruned.
        inputs.push(buffered::plan(&outline, buffered)?);
    }
    if !files.is_empty() {
        inputs.push(files::plan(&outline, files)?);
    }
    UnionExec::try_new(inputs)
}

/// The numbers of the parts in which `request` may find rows.
pub(crate) fn parts(request: &ScanRequest<'_>) -> Result<BTreeSet<i32>> {
    let snapshot = request.scope.snapshot(request.table.signal());
    let segments = prune_segments(request, segments(&snapshot, request.table))?;
    let buffered = buffered_parts(request, &snapshot)?;
    let numbers = segments
        .iter()
        .map(|s| s.number)
        .chain(buffered.iter().map(|b| b.number));
    Ok(numbers.collect())
}

fn outline<'a>(state: &dyn Session, request: &'a ScanRequest<'a>) -> Result<Outline<'a>> {
    let filter = conjunction(request.filters.iter().cloned());
    let predicate = filter
        .map(|filter| prune::physical(&filter, request.schema))
        .transpose()?;
    Ok(Outline {
        request,
        predicate,
        ordering: match request.ordered {
            true => ordering(request.table, request.schema),
            false => None,
        },
        partitions: state.config().target_partitions(),
        metrics: ExecutionPlanMetricsSet::new(),
    })
}

/// Newest first; rows of the same instant by their ids, so that the order is total.
fn ordering(table: Table, schema: &Schema) -> Option<LexOrdering> {
    use cairn_storage::schema::{ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE};
    if !columns::has_row_id(table) {
        return None;
    }
    let options = SortOptions {
        descending: true,
        nulls_first: true,
    };
    let by = |name: &str| {
        let column = Column::new_with_schema(name, schema).ok()?;
        Some(PhysicalSortExpr::new(Arc::new(column), options))
    };
    let columns = ["timestamp", ROW_EPOCH, ROW_SEQUENCE, ROW_ORDINAL].map(by);
    LexOrdering::new(columns.into_iter().collect::<Option<Vec<_>>>()?)
}

fn segments(snapshot: &Snapshot, table: Table) -> Vec<SegmentPart> {
    let part = |(number, segment): (usize, &Arc<LiveSegment>)| {
        let object = segment.meta.objects.iter().position(|o| o.table == table)?;
        Some(SegmentPart {
            number: number as i32,
            segment: segment.clone(),
            object,
        })
    };
    snapshot
        .segments
        .iter()
        .enumerate()
        .filter_map(part)
        .collect()
}

fn prune_segments(
    request: &ScanRequest<'_>,
    segments: Vec<SegmentPart>,
) -> Result<Vec<SegmentPart>> {
    let objects: Vec<_> = segments.iter().map(SegmentPart::object).collect();
    let mut keep = prune::may_match(request.filters, request.schema, &objects)?;
    for (keep, segment) in keep.iter_mut().zip(&segments) {
        *keep &= request
            .parts
            .is_none_or(|parts| parts.contains(&segment.number));
    }
    let kept = segments.into_iter().zip(keep).filter(|(_, keep)| *keep);
    Ok(kept.map(|(segment, _)| segment).collect())
}

fn buffered_parts(request: &ScanRequest<'_>, snapshot: &Snapshot) -> Result<Vec<BufferedPart>> {
    let first = snapshot.segments.len();
    let has_rows = |request_rows: &&Arc<BufferedRequest>| {
        request_rows
            .batch(request.table)
            .is_some_and(|batch| batch.num_rows() > 0)
    };
    let requests: Vec<_> = snapshot.buffered.iter().map(|r| r.as_ref()).collect();
    let keep = prune::may_match(request.filters, request.schema, &requests)?;
    let mut parts = Vec::new();
    for (position, rows) in snapshot.buffered.iter().enumerate() {
        let number = (first + position) as i32;
        let of_interest = request.parts.is_none_or(|parts| parts.contains(&number));
        if keep[position] && of_interest && has_rows(&rows) {
            parts.push(BufferedPart {
                number,
                request: rows.clone(),
            });
        }
    }
    Ok(parts)
}
