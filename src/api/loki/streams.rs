//! `labels`, `label/<name>/values`, `series` and `detected_labels`.

use super::{
    answer,
    failure::Failure,
    parameters::{LABELS_NS, Parameters},
};
use crate::api::{asked::Asked, state::Api};
use axum::{extract::Path, response::Response};
use cairn_query::{
    logql::questions::{Asking, Counting, Tally, Which},
    sql::answer::AnswerEnd,
};
use cairn_tenancy::principal::Principal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The streams that `query` or one of `match[]` selects.
async fn found(
    api: &Api,
    principal: Principal,
    parameters: &Parameters,
) -> Result<(Vec<Tally>, AnswerEnd), Failure> {
    let interval = parameters.interval(api.world.clock.as_ref(), LABELS_NS)?;
    let asking = Asking {
        tenant: principal.tenant,
        which: Which {
            selectors: parameters.selectors(&["query", "match[]", "match"])?,
            from_ns: interval.start_ns,
            through_ns: interval.end_ns,
            counting: Counting::Labels,
        },
        deadline: None,
    };
    Ok(api.parts()?.engine.log_streams(asking).await?)
}

/// `labels`: the names of labels.
pub(in crate::api) async fn label_names(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let (streams, end) = found(&asked.api, asked.principal, &asked.parameters).await?;
    let labels = streams.iter().flat_map(|stream| stream.labels.iter());
    let names: BTreeSet<&str> = labels.map(|(name, _)| name).collect();
    Ok(answer::success(json!(names), Some(&end), &asked.headers))
}

/// `label/<name>/values`: the values of a label.
pub(in crate::api) async fn label_values(
    Path(name): Path<String>,
    asked: Asked<Parameters>,
) -> Result<Response, Failure> {
    let (streams, end) = found(&asked.api, asked.principal, &asked.parameters).await?;
    let values = streams.iter().filter_map(|stream| stream.labels.get(&name));
    let values: BTreeSet<&str> = values.collect();
    Ok(answer::success(json!(values), Some(&end), &asked.headers))
}

/// `series`: the labels of the streams that one of `match[]` selects.
pub(in crate::api) async fn series(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let (mut streams, end) = found(&asked.api, asked.principal, &asked.parameters).await?;
    streams.sort_by(|one, other| one.labels.cmp(&other.labels));
    streams.dedup_by(|one, other| one.labels == other.labels);
    let series: Vec<Value> = streams
        .iter()
        .map(|stream| answer::labels(&stream.labels))
        .collect();
    Ok(answer::success(
        Value::Array(series),
        Some(&end),
        &asked.headers,
    ))
}

/// `detected_labels`: the labels with how many values each has.
pub(in crate::api) async fn detected_labels(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let (streams, end) = found(&asked.api, asked.principal, &asked.parameters).await?;
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in streams.iter().flat_map(|stream| stream.labels.iter()) {
        values.entry(name).or_default().insert(value);
    }
    let detected: Vec<Value> = values
        .iter()
        .map(|(name, values)| json!({ "label": name, "cardinality": values.len() }))
        .collect();
    let detected = json!({ "detectedLabels": detected });
    Ok(answer::plain(&detected, Some(&end), &asked.headers))
}
