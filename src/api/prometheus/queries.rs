//! `query` and `query_range`.

use super::{
    answer,
    failure::Failure,
    parameters::{Parameters, Steps, now_ms},
};
use crate::api::{asked::Asked, state::Api};
use axum::{http::HeaderMap, response::Response};
use cairn_query::promql::PromqlRequest;
use cairn_tenancy::principal::Principal;

/// `query`: the value at one instant, `time`, or now.
pub(in crate::api) async fn instant(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let now = || now_ms(asked.api.world.clock.as_ref());
    let time_ms = asked.parameters.time_ms("time")?.unwrap_or_else(now);
    let steps = Steps {
        start_ms: time_ms,
        end_ms: time_ms,
        step_ms: 0,
    };
    evaluate(
        &asked.api,
        asked.principal,
        &asked.parameters,
        (steps, &asked.headers),
    )
    .await
}

/// `query_range`: the values at every `step` from `start` through `end`.
pub(in crate::api) async fn range(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let steps = asked.parameters.steps()?;
    evaluate(
        &asked.api,
        asked.principal,
        &asked.parameters,
        (steps, &asked.headers),
    )
    .await
}

async fn evaluate(
    api: &Api,
    principal: Principal,
    parameters: &Parameters,
    (steps, headers): (Steps, &HeaderMap),
) -> Result<Response, Failure> {
    let request = PromqlRequest {
        tenant: principal.tenant,
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
    let (answer, end) = api.parts()?.engine.promql(request).await?;
    Ok(answer::evaluated(answer, (limit, &end), headers))
}
