//! Buffered requests -> the batches of an answer: put together, filtered, put in order, projected.

use super::{BufferedPart, Stretch};
use crate::{
    columns::{self, PART},
    completeness::ScanReport,
    scan::adapt::Adapt,
};
use arrow::{
    array::{
        ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
        TimestampNanosecondArray,
    },
    compute::{concat_batches, filter_record_batch, interleave_record_batch, max, min},
    datatypes::{Int32Type, Int64Type, Schema, SchemaRef, TimestampNanosecondType},
};
use cairn_storage::{
    buffered::BufferedRequest,
    schema::{ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE},
    segment::layout::{MAX_TIMESTAMP, MIN_TIMESTAMP},
    signal::Table,
};
use datafusion::{
    error::{DataFusionError, Result},
    physical_expr::{
        PhysicalExpr, PhysicalExprSimplifier,
        projection::{ProjectionExprs, Projector},
        utils::{collect_columns, reassign_expr_columns},
    },
    physical_expr_adapter::PhysicalExprAdapterFactory,
};
use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

/// Requests of about this size are put together in one batch: rows may hold long values.
const CHUNK_BYTES: usize = 16 << 20;

/// The first and the last instant (ns) of the points of a request.
fn extent(request: &BufferedRequest) -> Option<(i64, i64)> {
    let of_table = |table| {
        let times = request.batch(table)?.column_by_name("timestamp")?;
        let times = times.as_primitive_opt::<TimestampNanosecondType>()?;
        Some((min(times)?, max(times)?))
    };
    let extents = [Table::Samples, Table::Histograms].into_iter();
    extents
        .filter_map(of_table)
        .reduce(|(first, last), (min, max)| (first.min(min), last.max(max)))
}

/// What is made of the requests of one partition.
pub(super) struct Gather<'a> {
    pub(super) table: Table,
    /// The columns of the table.
    pub(super) schema: &'a SchemaRef,
    /// The columns of the answer.
    pub(super) output: SchemaRef,
    pub(super) projection: &'a ProjectionExprs,
    pub(super) predicate: Option<&'a Arc<dyn PhysicalExpr>>,
    pub(super) ordered: bool,
    pub(super) limit: Option<usize>,
    pub(super) batch_rows: usize,
}

/// [`Gather`] in terms of the columns that buffered batches have and the query needs.
struct Plan {
    table: Table,
    /// The columns needed, out of [`columns::buffered_schema`].
    needed: SchemaRef,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    projector: Projector,
    output: SchemaRef,
    ordered: bool,
    batch_rows: usize,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl Gather<'_> {
    /// The batches, made one after another when they are asked for.
    pub(super) fn batches(&self, parts: Stretch, report: Arc<ScanReport>) -> Result<Batches> {
        let plan = Arc::new(self.plan()?);
        let limit = self.limit.unwrap_or(usize::MAX);
        let chunks = plan.clone().chunks(parts, report);
        let rows: Batches = match self.ordered {
            true => plan.clone().in_order(chunks, limit),
            false => chunks,
        };
        let mut left = limit;
        let projected = rows.map_while(move |rows| {
            if left == 0 {
                return None;
            }
            Some(rows.and_then(|rows| {
                let rows = rows.slice(0, rows.num_rows().min(left));
                left -= rows.num_rows();
                plan.project(&rows)
            }))
        });
        Ok(Box::new(projected))
    }

    fn plan(&self) -> Result<Plan> {
        let physical = columns::buffered_schema(self.table);
        let adapter = Adapt::of_batches().create(self.schema.clone(), physical.clone())?;
        let simplifier = PhysicalExprSimplifier::new(&physical);
        let adapt = |expr: Arc<dyn PhysicalExpr>| simplifier.simplify(adapter.rewrite(expr)?);
        let predicate = self.predicate.cloned().map(adapt).transpose()?;
        let projection = self.projection.clone().try_map_exprs(adapt)?;

        let mut names = BTreeSet::new();
        for expr in predicate.iter().cloned().chain(projection.expr_iter()) {
            names.extend(
                collect_columns(&expr)
                    .into_iter()
                    .map(|c| c.name().to_string()),
            );
        }
        if self.ordered {
            let keys = ["timestamp", ROW_EPOCH, ROW_SEQUENCE, ROW_ORDINAL];
            names.extend(keys.map(str::to_string));
        }
        let needed = physical
            .fields()
            .iter()
            .filter(|field| names.contains(field.name()));
        let needed = Arc::new(Schema::new(needed.cloned().collect::<Vec<_>>()));
        let reassign = |expr| reassign_expr_columns(expr, &needed);
        let projection = projection.try_map_exprs(reassign)?;
        Ok(Plan {
            table: self.table,
            predicate: predicate.map(reassign).transpose()?,
            projector: projection.make_projector(&needed)?,
            needed,
            output: self.output.clone(),
            ordered: self.ordered,
            batch_rows: self.batch_rows,
        })
    }
}

impl Plan {
    /// Batches of the needed columns, filtered, in the order of receipt (newest first where order is wanted).
    fn chunks(self: Arc<Self>, parts: Stretch, report: Arc<ScanReport>) -> Batches {
        let mut at = 0;
        Box::new(std::iter::from_fn(move || {
            let mut batches = Vec::new();
            let (mut rows, mut bytes) = (0, 0);
            while rows < self.batch_rows && bytes < CHUNK_BYTES && at < parts.len() {
                // The newest requests come last: with them first, runs are nearly in order.
                let part = if self.ordered {
                    parts.len() - 1 - at
                } else {
                    at
                };
                at += 1;
                match self.columns_of(&parts[part]) {
                    Ok(batch) => {
                        rows += batch.num_rows();
                        bytes += batch.get_array_memory_size();
                        batches.push(batch);
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
            report.buffered_rows_seen(rows as u64);
            (!batches.is_empty()).then(|| self.chunk(&batches))
        }))
    }

    fn chunk(&self, batches: &[RecordBatch]) -> Result<RecordBatch> {
        let chunk = match batches {
            [only] => only.clone(),
            // Without any column there is nothing to put together but counts.
            _ if self.needed.fields().is_empty() => {
                let rows = batches.iter().map(RecordBatch::num_rows).sum();
                batch(self.needed.clone(), Vec::new(), rows)?
            }
            _ => concat_batches(&self.needed, batches)?,
        };
        let Some(predicate) = &self.predicate else {
            return Ok(chunk);
        };
        let accepted = predicate.evaluate(&chunk)?.into_array(chunk.num_rows())?;
        let accepted: &BooleanArray = accepted.as_boolean_opt().ok_or_else(|| {
            DataFusionError::Internal("a filter gives something other than yes or no".to_string())
        })?;
        Ok(filter_record_batch(&chunk, accepted)?)
    }

    fn columns_of(&self, part: &BufferedPart) -> Result<RecordBatch> {
        let missing = || DataFusionError::Internal("a buffered batch lacks a column".to_string());
        let rows = part.request.batch(self.table).ok_or_else(missing)?;
        let count = rows.num_rows();
        let column = |field: &Arc<arrow::datatypes::Field>| -> Result<ArrayRef> {
            Ok(match field.name().as_str() {
                ROW_EPOCH => Arc::new(Int64Array::from_value(part.request.epoch as i64, count)),
                ROW_SEQUENCE => {
                    Arc::new(Int64Array::from_value(part.request.sequence as i64, count))
                }
                PART => Arc::new(Int32Array::from_value(part.number, count)),
                MIN_TIMESTAMP | MAX_TIMESTAMP => {
                    let (min, max) = extent(&part.request).unwrap_or_default();
                    let instant = match field.name().as_str() {
                        MIN_TIMESTAMP => min,
                        _ => max,
                    };
                    let instants = TimestampNanosecondArray::from_value(instant, count);
                    Arc::new(instants.with_data_type(field.data_type().clone()))
                }
                name => rows.column_by_name(name).ok_or_else(missing)?.clone(),
            })
        };
        let columns = self
            .needed
            .fields()
            .iter()
            .map(column)
            .collect::<Result<Vec<_>>>()?;
        batch(self.needed.clone(), columns, count)
    }

    /// All rows of `chunks`, newest first, at most `limit`.
    fn in_order(self: Arc<Self>, chunks: Batches, limit: usize) -> Batches {
        let mut source = Some(chunks);
        let mut sorted: Option<Sorted> = None;
        Box::new(std::iter::from_fn(move || {
            if let Some(chunks) = source.take() {
                match chunks
                    .collect::<Result<Vec<_>>>()
                    .and_then(|c| Sorted::new(c, limit))
                {
                    Ok(rows) => sorted = Some(rows),
                    Err(error) => return Some(Err(error)),
                }
            }
            sorted
                .as_mut()
                .and_then(|sorted| sorted.next(self.batch_rows))
        }))
    }

    fn project(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let projected = self.projector.project_batch(rows)?;
        batch(
            self.output.clone(),
            projected.columns().to_vec(),
            rows.num_rows(),
        )
    }
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

/// Where a row is: its chunk and its position there.
type Place = (u32, u32);

/// Rows in the order of the answer.
struct Sorted {
    chunks: Vec<RecordBatch>,
    order: Vec<(usize, usize)>,
    done: usize,
}

impl Sorted {
    fn new(chunks: Vec<RecordBatch>, limit: usize) -> Result<Sorted> {
        let mut keys = Vec::with_capacity(chunks.iter().map(RecordBatch::num_rows).sum());
        for (position, chunk) in chunks.iter().enumerate() {
            push_keys(&mut keys, position as u32, chunk)?;
        }
        // Runs of rows that are in order already cost this sort next to nothing.
        keys.sort();
        keys.truncate(limit);
        let order = keys
            .into_iter()
            .map(|(_, (chunk, row))| (chunk as usize, row as usize));
        Ok(Sorted {
            chunks,
            order: order.collect(),
            done: 0,
        })
    }

    fn next(&mut self, rows: usize) -> Option<Result<RecordBatch>> {
        let end = (self.done + rows).min(self.order.len());
        let places = &self.order[self.done..end];
        if places.is_empty() {
            return None;
        }
        self.done = end;
        let chunks: Vec<&RecordBatch> = self.chunks.iter().collect();
        Some(interleave_record_batch(&chunks, places).map_err(DataFusionError::from))
    }
}

/// Timestamp, epoch, sequence, ordinal; the greatest first.
type Key = Reverse<(i64, i64, i64, i32)>;

fn push_keys(keys: &mut Vec<(Key, Place)>, position: u32, chunk: &RecordBatch) -> Result<()> {
    let column = |name: &str| {
        chunk.column_by_name(name).ok_or_else(|| {
            DataFusionError::Internal(format!("a buffered batch lacks the column {name}"))
        })
    };
    let times = column("timestamp")?
        .as_primitive::<TimestampNanosecondType>()
        .values();
    let epochs = column(ROW_EPOCH)?.as_primitive::<Int64Type>().values();
    let sequences = column(ROW_SEQUENCE)?.as_primitive::<Int64Type>().values();
    let ordinals = column(ROW_ORDINAL)?.as_primitive::<Int32Type>().values();
    for row in 0..chunk.num_rows() {
        let key = (times[row], epochs[row], sequences[row], ordinals[row]);
        keys.push((Reverse(key), (position, row as u32)));
    }
    Ok(())
}
