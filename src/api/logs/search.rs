//! `GET /api/v1/logs/search`: the newest (or oldest) records that match, a page at a time.

use super::{
    question::{Order, Question},
    rows::{NEWEST_FIRST, OLDEST_FIRST, columns, request},
};
use crate::api::{problem::Problem, sql, state::Api};
use axum::{
    Extension,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use cairn_tenancy::principal::Principal;
use std::sync::Arc;

/// Rows of a page.
const USUAL_ROWS: u32 = 100;
const MOST_ROWS: u32 = 10_000;

/// The next page goes on before (or, oldest first, after) the `cursor` of the last row.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(question) = question?;
    let format = sql::accepted(&headers)?;
    let condition = question.condition(question.interval(api.world.clock.as_ref())?)?;
    let order = match question.order.unwrap_or_default() {
        Order::Desc => NEWEST_FIRST,
        Order::Asc => OLDEST_FIRST,
    };
    let rows = question.rows(USUAL_ROWS, MOST_ROWS)?;
    let statement = format!(
        "SELECT {} FROM logs WHERE {} {order} LIMIT {rows}",
        columns(),
        condition.sql()
    );
    let request = request(principal.tenant, statement, condition);
    sql::respond(api.parts()?.engine.sql(request).await?, format).await
}
