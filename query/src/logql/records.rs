//! Log records as a pipeline takes them, batch by batch, in the order of time where that is asked for.

use super::{
    lower::{self, Interval},
    streams::{self, LEVEL, Streams},
};
use crate::{
    batches::{column, text, value},
    error::Result,
    session::TenantSession,
};
use arrow::{
    array::{
        Array, AsArray, FixedSizeBinaryArray, Int32Array, RecordBatch, StringViewArray,
        TimestampNanosecondArray,
    },
    datatypes::{Int32Type, TimestampNanosecondType},
};
use cairn_storage::{
    schema::{ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE},
    signal::Table,
};
use datafusion::{
    datasource::provider_as_source,
    logical_expr::{Expr, LogicalPlanBuilder, SortExpr, col},
};
use futures::stream::BoxStream;
use std::{collections::HashMap, sync::Arc};

/// The order of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they come.
    Any,
    NewestFirst,
    OldestFirst,
}

/// Which records are read, and how much of each.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) interval: Interval,
    /// All hold; see [`lower`].
    pub(super) filters: Vec<Expr>,
    pub(super) order: Order,
    /// Whether the line is wanted; it is "" where not.
    pub(super) line: bool,
    pub(super) metadata: Metadata,
}

/// Which labels of the record itself are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    /// Those that its severity gives, which cost nothing.
    Severity,
    All,
}

impl Metadata {
    /// What it takes to know labels of these names (`None`: of all names).
    pub(super) fn of(names: Option<&[String]>) -> Metadata {
        let is_known = |name: &String| OF_SEVERITY.contains(&name.as_str()) || name == LEVEL;
        match names.is_some_and(|names| names.iter().all(is_known)) {
            true => Metadata::Severity,
            false => Metadata::All,
        }
    }
}

/// The labels that the severity of a record gives. An attribute of such a name is not shown.
const OF_SEVERITY: [&str; 3] = ["detected_level", "severity_number", "severity_text"];

/// What every record is read with.
const COLUMNS: [&str; 4] = [
    "timestamp",
    "severity_number",
    "severity_text",
    "resource_attributes",
];

/// What its own labels are made of.
const METADATA: [&str; 6] = [
    "event_name",
    "trace_id",
    "span_id",
    "scope_name",
    "scope_version",
    "attributes",
];

impl Reading {
    /// The records, as batches that [`Records`] reads.
    pub(super) async fn batches(
        &self,
        session: &TenantSession,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let table = provider_as_source(Arc::new(session.table(Table::Logs)));
        let mut plan = LogicalPlanBuilder::scan("logs", table, None)?;
        for filter in lower::in_time(self.interval).iter().chain(&self.filters) {
            plan = plan.filter(filter.clone())?;
        }
        let sort = |descending: bool| -> Vec<SortExpr> {
            let columns = ["timestamp", ROW_EPOCH, ROW_SEQUENCE, ROW_ORDINAL];
            columns
                .map(|name| col(name).sort(!descending, descending))
                .into()
        };
        plan = match self.order {
            Order::Any => plan,
            Order::NewestFirst => plan.sort(sort(true))?,
            Order::OldestFirst => plan.sort(sort(false))?,
        };
        let line = ["body"];
        let line = line.iter().filter(|_| self.line);
        let metadata = METADATA.iter().filter(|_| self.metadata == Metadata::All);
        let columns = COLUMNS.iter().chain(line).chain(metadata);
        let columns = columns.map(|name| col(*name));
        session.rows(plan.project(columns)?.build()?).await
    }
}

/// The records of one batch.
pub(super) struct Records {
    times: TimestampNanosecondArray,
    bodies: Option<StringViewArray>,
    /// The number of each record's stream.
    streams: Vec<usize>,
    severity_text: StringViewArray,
    severity_number: Int32Array,
    own: Option<Own>,
}

/// What the record says of itself.
struct Own {
    texts: [(&'static str, StringViewArray); 3],
    ids: [(&'static str, FixedSizeBinaryArray); 2],
    attributes: StringViewArray,
}

impl Records {
    /// The records of `batch`, their streams noted in `streams`.
    pub(super) fn of(batch: &RecordBatch, streams: &mut Streams) -> Result<Records> {
        let resources = text(batch, "resource_attributes")?;
        let severity_text = text(batch, "severity_text")?;
        let severity_number = column(batch, "severity_number")?
            .as_primitive::<Int32Type>()
            .clone();
        let own = match batch.column_by_name("attributes") {
            None => None,
            Some(_) => Some(Own {
                texts: [
                    ("event_name", text(batch, "event_name")?),
                    ("scope_name", text(batch, "scope_name")?),
                    ("scope_version", text(batch, "scope_version")?),
                ],
                ids: [
                    (
                        "trace_id",
                        column(batch, "trace_id")?.as_fixed_size_binary().clone(),
                    ),
                    (
                        "span_id",
                        column(batch, "span_id")?.as_fixed_size_binary().clone(),
                    ),
                ],
                attributes: text(batch, "attributes")?,
            }),
        };
        let bodies = match batch.column_by_name("body") {
            None => None,
            Some(_) => Some(text(batch, "body")?),
        };
        Ok(Records {
            times: column(batch, "timestamp")?
                .as_primitive::<TimestampNanosecondType>()
                .clone(),
            bodies,
            streams: numbers(&resources, (&severity_number, &severity_text), streams),
            severity_text,
            severity_number,
            own,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// ns.
    pub(super) fn time(&self, row: usize) -> i64 {
        self.times.value(row)
    }

    /// The body; "" where there is none, or none is read.
    pub(super) fn line(&self, row: usize) -> &str {
        self.bodies.as_ref().map_or("", |bodies| value(bodies, row))
    }

    /// The number of the record's stream.
    pub(super) fn stream(&self, row: usize) -> usize {
        self.streams[row]
    }

    /// The labels of the record itself, as far as they are read, each name once.
    pub(super) fn metadata(&self, row: usize, labels: &mut Vec<(String, String)>) {
        labels.clear();
        let mut add = |name: &str, value: String| {
            if !value.is_empty() && labels.iter().all(|(known, _)| known != name) {
                labels.push((name.to_owned(), value));
            }
        };
        let text = value(&self.severity_text, row);
        let number = self.severity_number.value(row);
        add("detected_level", streams::level(number, text).to_owned());
        add("severity_text", text.to_owned());
        if number != 0 {
            add("severity_number", number.to_string());
        }
        let Some(own) = &self.own else {
            return;
        };
        for (name, text) in streams::labels(value(&own.attributes, row)) {
            add(&name, text);
        }
        for (name, ids) in &own.ids {
            if !ids.is_null(row) {
                add(name, hex::encode(ids.value(row)));
            }
        }
        for (name, texts) in &own.texts {
            add(name, value(texts, row).to_owned());
        }
    }
}

/// The stream of each row. Rows of one resource mostly share the bytes of it, which a view tells without a look at them.
fn numbers(
    resources: &StringViewArray,
    (severity_number, severity_text): (&Int32Array, &StringViewArray),
    streams: &mut Streams,
) -> Vec<usize> {
    let mut known: HashMap<(u128, &'static str), usize> = HashMap::new();
    let number = |row: usize| {
        let level = streams::level(severity_number.value(row), value(severity_text, row));
        let view = resources.views()[row];
        *known
            .entry((view, level))
            .or_insert_with(|| streams.number(value(resources, row), level))
    };
    (0..resources.len()).map(number).collect()
}
