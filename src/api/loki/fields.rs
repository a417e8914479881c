//! `detected_fields` and `detected_field/<name>/values`: what the newest lines have in them.

use super::{
    answer,
    failure::Failure,
    parameters::{HOUR_NS, MOST_LINES, Parameters},
};
use crate::api::{asked::Asked, state::Api};
use axum::{extract::Path, response::Response};
use cairn_query::{
    logql::{
        Direction, LogqlAnswer, LogqlRequest,
        fields::{Field, detect},
    },
    sql::answer::AnswerEnd,
};
use cairn_tenancy::principal::Principal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Lines that are looked at, and fields or values that are told, where the question says nothing.
const USUAL: usize = 1_000;

/// The fields of the newest lines that `query` selects.
async fn detected(
    api: &Api,
    principal: Principal,
    parameters: &Parameters,
) -> Result<(BTreeMap<String, Field>, AnswerEnd), Failure> {
    let interval = parameters.interval(api.world.clock.as_ref(), HOUR_NS)?;
    let request = LogqlRequest {
        tenant: principal.tenant,
        query: parameters.log_query().to_owned(),
        start_ns: interval.start_ns,
        end_ns: interval.end_ns,
        step_ns: 0,
        limit: parameters.limit("line_limit", (USUAL, MOST_LINES))?,
        direction: Direction::Backward,
        interval_ns: 0,
        sequences: None,
        deadline: None,
    };
    let (found, end) = api.parts()?.engine.logql(request).await?;
    let LogqlAnswer::Lines(lines) = found else {
        return Err(Failure::invalid("only log queries have fields"));
    };
    Ok((detect(&lines)?, end))
}

/// `detected_fields`: every field with its type, the number of its values, and the parsers that find it.
pub(in crate::api) async fn detected_fields(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let limit = asked.parameters.limit("limit", (USUAL, MOST_LINES))?;
    let (fields, end) = detected(&asked.api, asked.principal, &asked.parameters).await?;
    let shown = |(name, field): (&String, &Field)| {
        json!({
            "label": name,
            "type": field.kind,
            "cardinality": field.values.len(),
            "parsers": match field.parsers.is_empty() {
                true => Value::Null,
                false => json!(field.parsers),
            },
        })
    };
    let shown: Vec<Value> = fields.iter().take(limit).map(shown).collect();
    let answer = json!({ "fields": shown, "limit": limit });
    Ok(answer::plain(&answer, Some(&end), &asked.headers))
}

/// `detected_field/<name>/values`: the values of one of them.
pub(in crate::api) async fn detected_values(
    Path(name): Path<String>,
    asked: Asked<Parameters>,
) -> Result<Response, Failure> {
    let limit = asked.parameters.limit("limit", (USUAL, MOST_LINES))?;
    let (fields, end) = detected(&asked.api, asked.principal, &asked.parameters).await?;
    let values = fields
        .get(&name)
        .into_iter()
        .flat_map(|field| &field.values);
    let values: Vec<&String> = values.take(limit).collect();
    let answer = json!({ "values": values, "limit": limit });
    Ok(answer::plain(&answer, Some(&end), &asked.headers))
}
