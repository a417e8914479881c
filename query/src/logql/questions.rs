//! Questions about the streams: which there are, and how much is in them.

use super::{
    lower::{self, Interval},
    streams::{self, Chosen, Pairs, Streams},
};
use crate::{
    error::{Error, Result},
    workplace::Workplace,
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Int32Type, Int64Type},
};
use cairn_logql::{
    Labels, Pipeline,
    ast::{LogExpr, Matcher},
};
use cairn_storage::{id::TenantId, signal::Table};
use datafusion::{
    datasource::provider_as_source,
    error::DataFusionError,
    functions::string::expr_fn::octet_length,
    functions_aggregate::expr_fn::{count, sum},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast as as_type, col, lit},
};
use futures::StreamExt;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A question about streams and who asks it.
#[derive(Debug, Clone)]
pub struct Asking {
    pub tenant: TenantId,
    pub which: Which,
    /// From now to the answer; the configured limit where `None` or longer than that.
    pub deadline: Option<Duration>,
}

/// Which streams a question is about. Times in nanoseconds since 1970, both included.
#[derive(Debug, Clone)]
pub struct Which {
    /// Selectors, each as its matchers: a stream that one of them selects is meant. All streams where there are none.
    pub selectors: Vec<Vec<Matcher>>,
    pub from_ns: i64,
    pub through_ns: i64,
    pub counting: Counting,
}

/// What is told of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Their labels only.
    Labels,
    /// How much is in them.
    All,
    /// How much is in each piece of the time, so many nanoseconds long, above 0.
    Every(i64),
}

/// A stream with what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub labels: Labels,
    /// The number of the piece of time, from 0.
    pub piece: i64,
    pub entries: u64,
    /// Of the lines.
    pub bytes: u64,
}

/// A stream's number and the piece of time.
type Place = (usize, i64);

/// What is in the streams that are meant, each once a piece.
pub(crate) fn tallies(which: &Which, place: &Workplace) -> Result<Vec<Tally>> {
    let selectors = which.selectors.iter().map(|selector| {
        let log = LogExpr {
            selector: selector.clone(),
            stages: Vec::new(),
        };
        Pipeline::new(&log, 0)
    });
    let selectors: Vec<Pipeline> = selectors.collect::<Result<_, _>>()?;
    let (mut streams, mut chosen) = (Streams::default(), Chosen::default());
    let mut counted: BTreeMap<Place, (u64, u64)> = BTreeMap::new();
    let plan = plan(which, place)?;
    let mut batches = place.wait(place.session.rows(plan))?;
    while let Some(batch) = place.wait(async { batches.next().await.transpose() })? {
        let rows = rows(&batch, which.counting, &mut streams)?;
        let mut pairs = Pairs::of(&streams);
        for (at, (entries, bytes)) in rows {
            let is_chosen = chosen.is(at.0, || {
                let stream = pairs.get(at.0);
                selectors.is_empty() || selectors.iter().any(|one| one.selects(stream))
            });
            if is_chosen {
                let sums = counted.entry(at).or_default();
                *sums = (sums.0 + entries, sums.1 + bytes);
            }
        }
    }
    let tally = |((stream, piece), (entries, bytes)): (Place, (u64, u64))| Tally {
        labels: streams.get(stream).labels.iter().cloned().collect(),
        piece,
        entries,
        bytes,
    };
    Ok(counted.into_iter().map(tally).collect())
}

fn plan(which: &Which, place: &Workplace) -> Result<LogicalPlan> {
    let table = provider_as_source(Arc::new(place.session.table(Table::Logs)));
    let mut plan = LogicalPlanBuilder::scan("logs", table, None)?;
    let interval = Interval {
        from: which.from_ns,
        through: which.through_ns,
    };
    let mut filters = lower::in_time(interval).to_vec();
    if let [selector] = which.selectors.as_slice() {
        filters.extend(lower::streams(selector));
    }
    for filter in filters {
        plan = plan.filter(filter)?;
    }
    let mut groups = vec![
        col("resource_attributes"),
        col("severity_number"),
        col("severity_text"),
    ];
    if let Counting::Every(width) = which.counting {
        let since = as_type(col("timestamp"), DataType::Int64) - lit(which.from_ns);
        groups.push((since / lit(width.max(1))).alias("piece"));
    }
    let counts: Vec<Expr> = match which.counting {
        Counting::Labels => Vec::new(),
        Counting::All | Counting::Every(_) => vec![
            count(lit(1_i64)).alias("entries"),
            sum(as_type(octet_length(col("body")), DataType::Int64)).alias("bytes"),
        ],
    };
    Ok(plan.aggregate(groups, counts)?.build()?)
}

/// The rows of a batch: where each counts, and how much.
fn rows(
    batch: &RecordBatch,
    counting: Counting,
    streams: &mut Streams,
) -> Result<Vec<(Place, (u64, u64))>> {
    let texts = |at: usize| cast(batch.column(at), &DataType::Utf8View).map_err(failed);
    let (resources, severity_texts) = (texts(0)?, texts(2)?);
    let (resources, severity_texts) = (resources.as_string_view(), severity_texts.as_string_view());
    let numbers = batch.column(1).as_primitive::<Int32Type>();
    let whole = |name: &str, row: usize| {
        let column = batch
            .column_by_name(name)?
            .as_primitive_opt::<Int64Type>()?;
        (!column.is_null(row)).then(|| column.value(row))
    };
    let size = |name: &str, row: usize| {
        let value = whole(name, row).unwrap_or(0);
        u64::try_from(value).unwrap_or(0)
    };
    let of_row = |row: usize| {
        let text = match severity_texts.is_null(row) {
            true => "",
            false => severity_texts.value(row),
        };
        let resource = match resources.is_null(row) {
            true => "",
            false => resources.value(row),
        };
        let stream = streams.number(resource, streams::level(numbers.value(row), text));
        let piece = match counting {
            Counting::Every(_) => whole("piece", row).unwrap_or(0),
            Counting::Labels | Counting::All => 0,
        };
        ((stream, piece), (size("entries", row), size("bytes", row)))
    };
    Ok((0..batch.num_rows()).map(of_row).collect())
}

fn failed(error: arrow::error::ArrowError) -> Error {
    Error::from(DataFusionError::from(error))
}
