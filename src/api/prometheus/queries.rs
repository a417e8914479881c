//! `query` and `query_range`.

use super::{
    answer,
    failure::Failure,
    parameters::{Parameters, Steps, now_ms},
};
use crate::api::asked::Asked;
use axum::response::Response;
use cairn_query::promql::PromqlRequest;

/// `query`: the value at one instant, `time`, or now.
pub(in crate::api) async fn instant(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let now = || now_ms(asked.api.world.clock.as_ref());
    let time_ms = asked.parameters.time_ms("time")?.unwrap_or_else(now);
    let steps = Steps {
        start_ms: time_ms,
        end_ms: time_ms,
        step_ms: 0,
    };
    evaluate(asked, steps).await
}

/// `query_range`: the values at every `step` from `start` through `end`.
pub(in crate::api) async fn range(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let steps = asked.parameters.steps()?;
    evaluate(asked, steps).await
}

async fn evaluate(asked: Asked<Parameters>, steps: Steps) -> Result<Response, Failure> {
    let parameters = &asked.parameters;
    let request = PromqlRequest {
        tenant: asked.principal.tenant,
        query: parameters.required("query")?.to_owned(),
        start_ms: steps.start_ms,
        end_ms: steps.end_ms,
        step_ms: steps.step_ms,
        lookback: parameters
            .duration("lookback_delta")?
            .filter(|lookback| !lookback.is_zero()),
        deadline: parameters.duration("timeout")?,
        min_sequence: None,
    };
    let limit = parameters.limit("limit")?;
    let (answer, end) = asked.api.parts()?.engine.promql(request).await?;
    Ok(answer::evaluated(answer, (limit, &end), &asked.headers))
}
