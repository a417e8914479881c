//! `query` and `query_range`.

use super::{
    answer,
    failure::Failure,
    parameters::{Parameters, Steps, now_ms},
};
use crate::api::state::Api;
use axum::{
    Extension,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use bytes::Bytes;
use cairn_query::promql::PromqlRequest;
use cairn_tenancy::principal::Principal;
use std::sync::Arc;

/// `query`: the value at one instant, `time`, or now.
pub(in crate::api) async fn instant(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::new(query.as_deref(), &form)?;
    let now = || now_ms(api.world.clock.as_ref());
    let time_ms = parameters.time_ms("time")?.unwrap_or_else(now);
    let steps = Steps {
        start_ms: time_ms,
        end_ms: time_ms,
        step_ms: 0,
    };
    evaluate(&api, principal, &parameters, (steps, &headers)).await
}

/// `query_range`: the values at every `step` from `start` through `end`.
pub(in crate::api) async fn range(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::new(query.as_deref(), &form)?;
    let steps = parameters.steps()?;
    evaluate(&api, principal, &parameters, (steps, &headers)).await
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
