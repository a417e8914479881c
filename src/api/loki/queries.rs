//! `query` and `query_range`.

use super::{
    answer,
    failure::Failure,
    parameters::{HOUR_NS, MOST_LINES, Parameters, USUAL_LINES},
};
use crate::api::asked::Asked;
use axum::response::Response;
use cairn_logql::{Expr, parse};
use cairn_query::logql::LogqlRequest;
use cairn_storage::id::TenantId;

/// `query`: the value of a metric query at one instant, `time`, or now.
pub(in crate::api) async fn instant(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let time = asked.parameters.at(asked.api.world.clock.as_ref())?;
    let request = LogqlRequest {
        start_ns: time,
        end_ns: time,
        ..request(asked.principal.tenant, &asked.parameters)?
    };
    if let Expr::Log(_) = parse(&request.query).map_err(Failure::invalid)? {
        return Err(Failure::invalid(
            "log queries are not supported as an instant query type, please change your query to a range query type",
        ));
    }
    let (found, end) = asked.api.parts()?.engine.logql(request).await?;
    Ok(answer::evaluated(&found, (time, &end), &asked.headers))
}

/// `query_range`: lines from `start` up to `end`, or the values at every `step` from `start` through `end`.
pub(in crate::api) async fn range(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let interval = asked
        .parameters
        .interval(asked.api.world.clock.as_ref(), HOUR_NS)?;
    let request = LogqlRequest {
        start_ns: interval.start_ns,
        end_ns: interval.end_ns,
        step_ns: asked.parameters.step_ns(interval)?,
        ..request(asked.principal.tenant, &asked.parameters)?
    };
    let (found, end) = asked.api.parts()?.engine.logql(request).await?;
    Ok(answer::evaluated(
        &found,
        (interval.end_ns, &end),
        &asked.headers,
    ))
}

/// What both ask in the same words; the times are the caller's.
fn request(tenant: TenantId, parameters: &Parameters) -> Result<LogqlRequest, Failure> {
    Ok(LogqlRequest {
        tenant,
        query: parameters.query()?.to_owned(),
        start_ns: 0,
        end_ns: 0,
        step_ns: 0,
        limit: parameters.limit("limit", (USUAL_LINES, MOST_LINES))?,
        direction: parameters.direction()?,
        interval_ns: parameters.duration_ns("interval")?.unwrap_or(0),
        sequences: None,
        deadline: None,
    })
}
