//! Statements over `logs`, and their rows where the answer is made of them.

use super::question::{CURSOR, Condition};
use crate::api::{problem::Problem, state::Api};
use arrow::{
    array::{ArrayRef, AsArray, StringArray},
    compute::cast,
    datatypes::DataType,
    record_batch::RecordBatch,
};
use cairn_query::{
    engine::SqlRequest,
    sql::answer::{AnswerEnd, Part},
};
use cairn_storage::id::TenantId;
use futures::StreamExt;
use serde_json::Value;

/// The columns that a reader of logs wants.
pub(super) fn columns() -> String {
    format!(
        "timestamp, coalesce(severity(severity_number), nullif(upper(severity_text), ''), 'UNSET') AS severity, \
         service_name, body, event_name, hex(trace_id) AS trace_id, hex(span_id) AS span_id, attributes, \
         resource_attributes, scope_name, {CURSOR}"
    )
}

/// Newest first; rows of one instant by their ids.
pub(super) const NEWEST_FIRST: &str =
    "ORDER BY timestamp DESC, row_epoch DESC, row_sequence DESC, row_ordinal DESC";

/// Oldest first.
pub(super) const OLDEST_FIRST: &str =
    "ORDER BY timestamp ASC, row_epoch ASC, row_sequence ASC, row_ordinal ASC";

/// A statement with the values of `condition`.
pub(super) fn request(tenant: TenantId, statement: String, condition: Condition) -> SqlRequest {
    SqlRequest {
        tenant,
        statement,
        parameters: match condition.parameters.is_empty() {
            true => Value::Null,
            false => Value::Object(condition.parameters),
        },
        deadline: None,
        max_rows: None,
        min_sequence: None,
    }
}

/// All rows of a statement that has a limit.
pub(super) async fn all(
    api: &Api,
    request: SqlRequest,
) -> Result<(Vec<RecordBatch>, AnswerEnd), Problem> {
    let mut parts = api.parts()?.engine.sql(request).await?.parts;
    let mut batches = Vec::new();
    loop {
        match parts.next().await {
            Some(Ok(Part::Rows(batch))) => batches.push(batch),
            Some(Ok(Part::End(end))) => return Ok((batches, *end)),
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Problem::internal("an answer has no end")),
        }
    }
}

/// A column of text, whatever the statement made of it.
pub(super) fn texts(column: &ArrayRef) -> Result<StringArray, Problem> {
    let texts = cast(column, &DataType::Utf8);
    let texts = texts.map_err(|_| Problem::internal("a column of text is none"))?;
    Ok(texts.as_string::<i32>().clone())
}
