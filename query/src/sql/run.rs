//! One statement from its text to its last row, on a lane.

use super::{
    answer::{AnswerEnd, Part, Truncated},
    cooperate::cooperate,
    describe,
    guard::{self, Asked},
    missing::Missing,
    nesting, parameters, place, plan,
    scrub::Scrub,
    size, width,
};
use crate::{
    error::{Error, Result},
    session::{self, EngineParts, TenantSession},
    tables::SegmentTable,
};
use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray},
    datatypes::{DataType, SchemaRef},
};
use cairn_storage::id::TenantId;
use datafusion::{
    common::config::ConfigNonZeroUsize,
    datasource::source_as_provider,
    error::DataFusionError,
    execution::context::SQLOptions,
    logical_expr::{LogicalPlan, TableScan},
    sql::{
        parser::Statement,
        sqlparser::dialect::{GenericDialect, dialect_from_str},
    },
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use serde_json::Value;
use std::{any::Any, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A statement, its limits, and what it needs.
pub(crate) struct Job {
    pub(crate) parts: EngineParts,
    pub(crate) tenant: TenantId,
    pub(crate) statement: String,
    pub(crate) parameters: Value,
    pub(crate) max_rows: u64,
    pub(crate) max_bytes: u64,
    pub(crate) scrub: Scrub,
    /// Nobody waits for the statement any more.
    pub(crate) stop: CancellationToken,
}

/// Where the answer goes: the schema once, then the rows. The receiver being gone ends the statement.
pub(crate) struct Reply {
    pub(crate) schema: oneshot::Sender<SchemaRef>,
    pub(crate) parts: mpsc::Sender<Result<Part>>,
}

type Rows = BoxStream<'static, Result<RecordBatch>>;

/// Runs `job` until its last row is sent, and says how it ended, `elapsed` left at zero. An error is what the
/// caller should get, wherever in the answer it happens.
pub(crate) async fn run(job: Job, reply: Reply) -> Result<AnswerEnd> {
    let mut session = session::open(&job.parts, &job.tenant);
    let (schema, rows) = rows(&job, &mut session).await?;
    // Nobody listens any more: the first row will find out too.
    let _ = reply.schema.send(schema);
    let (rows, truncated) = send(&job, rows, &reply.parts).await?;
    let mut completeness = session.report.completeness();
    for missing in &mut completeness.missing {
        missing.reason = job.scrub.paths(&missing.reason);
    }
    Ok(AnswerEnd {
        completeness,
        rows,
        truncated,
        ..AnswerEnd::default()
    })
}

async fn rows(job: &Job, session: &mut TenantSession) -> Result<(SchemaRef, Rows)> {
    let batch = match asked(job, session)? {
        Asked::Query(mut statement) => {
            parameters::bind(&mut statement, &job.parameters)?;
            return start(job, session, *statement).await;
        }
        Asked::Tables => describe::tables(session).await?,
        Asked::Columns(name) => describe::columns(session, &name).await?,
    };
    let rows = futures::stream::iter([Ok(batch.clone())]);
    Ok((batch.schema(), rows.boxed()))
}

/// Parses in the dialect of the session, so that guard and planner read the same statement.
fn asked(job: &Job, session: &TenantSession) -> Result<Asked> {
    let name = session.options().sql_parser.dialect.to_string();
    let dialect = dialect_from_str(name).unwrap_or_else(|| Box::new(GenericDialect {}));
    guard::check(&job.statement, dialect.as_ref())
}

/// Plans `statement`, checks the plan and starts it.
async fn start(
    job: &Job,
    session: &mut TenantSession,
    statement: Statement,
) -> Result<(SchemaRef, Rows)> {
    session.options_mut().sql_parser.collect_spans = true;
    let planned = session.plan(statement).await;
    let planned = planned.map_err(|error| located(error, job, session))?;
    let nothing_but_queries = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    nothing_but_queries.verify_plan(&planned)?;
    nesting::check(&planned)?;
    plan::check(&planned, &is_ours)?;
    let row_bytes = width::check(&planned)?;
    let configured = job.parts.config.batch_rows;
    let batch_rows = ConfigNonZeroUsize::try_new(width::batch_rows(row_bytes, configured))?;
    session.options_mut().execution.batch_size = batch_rows;
    let physical = session.physical(&planned).await;
    let physical = physical.map_err(|error| located(error, job, session))?;
    let physical = cooperate(physical, &job.stop)?;
    let schema = physical.schema();
    let rows = session.execute(physical)?.map_err(place::locate);
    if !is_explain(&planned) {
        return Ok((schema, rows.boxed()));
    }
    let scrub = job.scrub.clone();
    let clean = rows.map(move |batch| without_paths(&batch?, &scrub));
    Ok((schema, clean.boxed()))
}

/// An error of planning with its place in the text, where one can be found.
fn located(error: Error, job: &Job, session: &TenantSession) -> Error {
    let Error::Engine(source) = error else {
        return error;
    };
    place::locate_or(*source, |error| {
        let missing = Missing::of(error)?;
        match asked(job, session) {
            Ok(Asked::Query(statement)) => missing.place(&statement),
            _ => None,
        }
    })
}

/// Whether a scan reads a table of the session's tenant: no other provider of that type is in reach.
fn is_ours(scan: &TableScan) -> bool {
    let provider = source_as_provider(&scan.source);
    provider.is_ok_and(|provider| (provider.as_ref() as &dyn Any).is::<SegmentTable>())
}

fn is_explain(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_))
}

/// Sends rows up to the limits of `job`. Returns how many, and at which limit it stopped.
async fn send(
    job: &Job,
    mut rows: Rows,
    parts: &mpsc::Sender<Result<Part>>,
) -> Result<(u64, Option<Truncated>)> {
    let (mut sent_rows, mut sent_bytes) = (0_u64, 0_u64);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        let (cut, limit) = fitting(&batch, job, sent_rows, sent_bytes);
        sent_rows += cut.num_rows() as u64;
        sent_bytes = sent_bytes.saturating_add(size::bytes(&cut));
        if cut.num_rows() > 0 && parts.send(Ok(Part::Rows(cut))).await.is_err() {
            // Nobody listens any more.
            return Ok((sent_rows, None));
        }
        if limit.is_some() {
            return Ok((sent_rows, limit));
        }
    }
    Ok((sent_rows, None))
}

/// The rows at the start of `batch` that still fit into the answer, and the limit that keeps out the rest.
fn fitting(
    batch: &RecordBatch,
    job: &Job,
    sent_rows: u64,
    sent_bytes: u64,
) -> (RecordBatch, Option<Truncated>) {
    let mut cut = batch.clone();
    let mut limit = None;
    let left_rows = usize::try_from(job.max_rows - sent_rows).unwrap_or(usize::MAX);
    if cut.num_rows() > left_rows {
        cut = cut.slice(0, left_rows);
        limit = Some(Truncated::Rows(job.max_rows));
    }
    // Rows differ in size: halving finds a start that fits, if not the longest.
    while cut.num_rows() > 0 && sent_bytes.saturating_add(size::bytes(&cut)) > job.max_bytes {
        cut = cut.slice(0, cut.num_rows() / 2);
        limit = Some(Truncated::Bytes(job.max_bytes));
    }
    (cut, limit)
}

/// `batch` of a plan's text, without paths in it.
fn without_paths(batch: &RecordBatch, scrub: &Scrub) -> Result<RecordBatch> {
    let clean = |text: Option<&str>| text.map(|text| scrub.paths(text));
    let column = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8 => Arc::new(
                column
                    .as_string::<i32>()
                    .iter()
                    .map(clean)
                    .collect::<StringArray>(),
            ),
            DataType::Utf8View => Arc::new(
                column
                    .as_string_view()
                    .iter()
                    .map(clean)
                    .collect::<StringViewArray>(),
            ),
            _ => Arc::clone(column),
        }
    };
    let columns = batch.columns().iter().map(column).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns).map_err(DataFusionError::from)?)
}

#[cfg(test)]
mod tests;
