//! Questions to a damaged store, and whether an answer is right.

use super::folder::Rows;
use crate::world;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use cairn_query::{
    engine::{Engine, SqlRequest},
    error::{Error, Kind, Result},
    format::{self, Encoder, Format},
    sql::answer::{AnswerEnd, Part},
};
use cairn_storage::id::TenantId;
use futures::StreamExt;
use serde_json::Value;

/// Everything that SQL can name.
pub(super) const TABLES: [&str; 7] = [
    "logs",
    "spans",
    "span_events",
    "span_links",
    "metrics",
    "exemplars",
    "dead_letters",
];

/// Questions that take other ways than a scan of all columns: the index, promoted columns, the overflow, the catalog's
/// counts, an order, a join.
pub(super) const OTHERS: [&str; 8] = [
    "SELECT count(*) FROM logs",
    "SELECT body FROM logs WHERE trace_id = X'00000000000000000000000000000003' ORDER BY body",
    "SELECT name, duration_ns FROM spans WHERE trace_id = X'00000000000000000000000000000002' ORDER BY 2",
    "SELECT attributes['http.status'] AS s, count(*) FROM logs GROUP BY 1 ORDER BY 1",
    "SELECT body FROM logs WHERE attributes['rare'] = 'r17'",
    "SELECT body, timestamp FROM logs ORDER BY timestamp DESC LIMIT 3",
    "SELECT metric, count(*), sum(value) FROM metrics GROUP BY 1 ORDER BY 1",
    "SELECT count(*) FROM spans s JOIN span_events e ON s.span_id = e.span_id",
];

/// An answer with its end.
pub(super) struct Answer {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) end: AnswerEnd,
}

impl Answer {
    pub(super) fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        for row in world::rows(&self.batches) {
            *rows.entry(row.join("\u{1f}")).or_default() += 1;
        }
        rows
    }

    /// Whether it says that it is everything.
    pub(super) fn is_complete(&self) -> bool {
        let said: Value =
            serde_json::from_str(&format::completeness(&self.end)).expect("completeness is JSON");
        said["complete"] == Value::Bool(true)
    }
}

/// Asks the engine, as the API does.
pub(super) async fn ask(engine: &Engine, tenant: &TenantId, statement: &str) -> Result<Answer> {
    let request = SqlRequest {
        tenant: tenant.clone(),
        statement: statement.to_string(),
        parameters: Value::Null,
        deadline: None,
        max_rows: None,
        min_sequence: None,
    };
    let mut answer = engine.sql(request).await?;
    let mut batches = Vec::new();
    while let Some(part) = answer.parts.next().await {
        match part? {
            Part::Rows(batch) => batches.push(batch),
            Part::End(end) => {
                return Ok(Answer {
                    schema: answer.schema,
                    batches,
                    end: *end,
                });
            }
        }
    }
    Err(Error::Internal("an answer without an end".to_string()))
}

/// How many rows of `truth` the answer lacks; an error says what is wrong with it.
pub(super) fn lacking(answer: &Answer, truth: &Rows) -> std::result::Result<u64, String> {
    let rows = answer.rows();
    for (row, count) in &rows {
        let expected = truth.get(row).copied().unwrap_or(0);
        if *count > expected {
            return Err(format!("a row {count} times instead of {expected}: {row}"));
        }
    }
    let lacking = truth.values().sum::<u64>() - rows.values().sum::<u64>();
    if lacking > 0 && answer.is_complete() {
        return Err(format!("{lacking} rows are missing in silence"));
    }
    Ok(lacking)
}

/// Whether every format says what is missing; CSV has no place for it but the header that the API adds.
pub(super) fn formats_name_it(answer: &Answer) -> std::result::Result<(), String> {
    let header = format::completeness(&answer.end);
    let reason = &answer.end.completeness.missing[0].reason;
    let start: String = reason.chars().take_while(char::is_ascii).take(40).collect();
    let start = start.replace(['"', '\\'], "");
    for format in Format::ALL {
        let written = encode(answer, format).map_err(|e| e.to_string())?;
        let said = match format {
            Format::Csv => header.clone(),
            _ => String::from_utf8_lossy(&written).into_owned(),
        };
        if !said.replace(['"', '\\'], "").contains(&start) {
            return Err(format!("{format:?} does not name what is missing: {start}"));
        }
    }
    Ok(())
}

fn encode(answer: &Answer, format: Format) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(format, &answer.schema)?;
    let mut written = encoder.start()?;
    for batch in &answer.batches {
        written.extend(encoder.rows(batch)?);
    }
    written.extend(encoder.end(&answer.end)?);
    Ok(written)
}

/// The right answers to [`OTHERS`] for the first tenant.
pub(super) async fn right_answers(engine: &Engine, tenant: &TenantId) -> Vec<Rows> {
    let mut answers = Vec::new();
    for statement in OTHERS {
        let answer = ask(engine, tenant, statement).await;
        let answer = answer.unwrap_or_else(|error| panic!("{statement}: {error}"));
        answers.push(answer.rows());
    }
    answers
}

/// Whether an error says that what it would need is damaged or gone.
pub(super) fn is_about_damage(error: &Error) -> bool {
    matches!(error.kind(), Kind::Corrupt | Kind::NotFound)
}
