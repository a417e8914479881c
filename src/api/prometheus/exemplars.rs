//! `query_exemplars`: measurements with their traces.

use super::{answer, failure::Failure, parameters::Parameters};
use crate::api::asked::Asked;
use axum::response::Response;
use cairn_promql::{
    parse::parse,
    query::{Options, selections},
};
use cairn_query::promql::questions::Asking;
use serde_json::{Value, json};

/// The exemplars of all series that the selectors of `query` select, from `start` through `end`.
pub(in crate::api) async fn query(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let (from_ms, through_ms) = asked.parameters.interval_ms()?;
    let wrong = |error| Failure::parameter("query", error);
    let expr = parse(asked.parameters.required("query")?, true).map_err(wrong)?;
    let selections = selections(&expr, &Options::default()).map_err(wrong)?;
    let selectors: Vec<_> = selections
        .into_iter()
        .map(|selection| selection.matchers)
        .collect();
    if selectors.is_empty() {
        return Ok(answer::data(&json!([]), None, &asked.headers));
    }
    let asking = Asking {
        tenant: asked.principal.tenant,
        selectors,
        from_ms,
        through_ms,
        deadline: asked.parameters.duration("timeout")?,
    };
    let (found, end) = asked.api.parts()?.engine.exemplars(asking).await?;
    let data: Vec<Value> = found
        .iter()
        .map(|series| {
            let exemplars: Vec<Value> = series
                .exemplars
                .iter()
                .map(|exemplar| {
                    json!({
                        "labels": answer::labels(&exemplar.labels),
                        "value": answer::number(exemplar.value),
                        "timestamp": exemplar.time_ms as f64 / 1000.0,
                    })
                })
                .collect();
            json!({ "seriesLabels": answer::labels(&series.series), "exemplars": exemplars })
        })
        .collect();
    Ok(answer::data(
        &Value::Array(data),
        Some(&end),
        &asked.headers,
    ))
}
