//! `GET /api/v1/logs/context`: the records around one, by its cursor.

use super::{
    question::{CURSOR, Condition, Cursor, Interval, Question, Same, Than},
    rows::{NEWEST_FIRST, OLDEST_FIRST, all, columns, request, texts},
};
use crate::api::{problem::Problem, sql, state::Api};
use arrow::{
    array::{Array, AsArray},
    datatypes::Int64Type,
};
use axum::{
    Extension,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use cairn_storage::id::TenantId;
use cairn_tenancy::principal::Principal;
use std::sync::Arc;

/// Records on each side.
const USUAL_ROWS: u32 = 10;
const MOST_ROWS: u32 = 1_000;

/// How far away in time records are looked for: in the nearest of these that has enough of them on both sides.
const REACHES_NANOS: [i64; 3] = [
    10 * 1_000_000_000,
    10 * 60 * 1_000_000_000,
    24 * 60 * 60 * 1_000_000_000,
];

/// The record itself, and up to `limit` older and newer ones of the same resource (or service, or all), newest first.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(question) = question?;
    let format = sql::accepted(&headers)?;
    let text = question
        .cursor
        .as_deref()
        .ok_or_else(|| Problem::invalid("context needs the cursor of a row"))?;
    let cursor = Cursor::parse(text)?;
    let rows = question.rows(USUAL_ROWS, MOST_ROWS)?;
    let shared = shared(
        &api,
        &principal.tenant,
        (cursor, text),
        question.same.unwrap_or_default(),
    )
    .await?;
    let mut condition = nearest(&api, &principal.tenant, cursor, shared.as_ref(), rows).await?;
    let around = condition.sql();
    let mut sides = Condition::default();
    sides.page(cursor, Than::Newer);
    let newer = sides.sql();
    condition.parameters.extend(sides.parameters);
    let columns = columns();
    // The record itself stands among the older ones.
    let statement = format!(
        "SELECT {shown} FROM (\
           (SELECT {columns}, row_epoch, row_sequence, row_ordinal FROM logs WHERE {around} AND {newer} {OLDEST_FIRST} LIMIT {rows}) \
           UNION ALL \
           (SELECT {columns}, row_epoch, row_sequence, row_ordinal FROM logs WHERE {around} AND timestamp <= $after AND NOT ({newer}) \
            {NEWEST_FIRST} LIMIT {older})\
         ) {NEWEST_FIRST}",
        shown = "timestamp, severity, service_name, body, event_name, trace_id, span_id, attributes, resource_attributes, \
                 scope_name, cursor",
        older = rows + 1,
    );
    let request = request(principal.tenant, statement, condition);
    sql::respond(api.parts()?.engine.sql(request).await?, format).await
}

/// The records around `cursor` as far as `rows` of them on each side take, as a condition.
async fn nearest(
    api: &Api,
    tenant: &TenantId,
    cursor: Cursor,
    shared: Option<&(&'static str, String)>,
    rows: u32,
) -> Result<Condition, Problem> {
    let within = |reach: i64| {
        let mut condition = Condition::default();
        condition.time(Interval {
            from: cursor.time.saturating_sub(reach),
            to: cursor.time.saturating_add(reach),
        });
        if let Some((column, value)) = shared {
            condition.and(format!("{column} = $shared"));
            condition
                .parameters
                .insert("shared".to_owned(), value.as_str().into());
        }
        condition
    };
    let [near @ .., furthest] = REACHES_NANOS;
    for reach in near {
        let mut condition = within(reach);
        let around = condition.sql();
        let mut sides = Condition::default();
        sides.page(cursor, Than::Newer);
        let newer = sides.sql();
        condition.parameters.extend(sides.parameters);
        let statement = format!(
            "SELECT count(*) FILTER (WHERE {newer}), count(*) FILTER (WHERE NOT ({newer})) FROM logs WHERE {around}"
        );
        let (batches, _) = all(api, request(tenant.clone(), statement, condition)).await?;
        let enough = batches.first().is_some_and(|counts| {
            let sides = counts.columns().iter();
            let mut counts = sides.filter_map(|side| side.as_primitive_opt::<Int64Type>());
            counts.all(|side| side.value(0) > i64::from(rows))
        });
        if enough {
            return Ok(within(reach));
        }
    }
    Ok(within(furthest))
}

/// The column that the rows of the context share with the row at `cursor`, and its value there; `None` for all rows.
async fn shared(
    api: &Api,
    tenant: &TenantId,
    (cursor, text): (Cursor, &str),
    same: Same,
) -> Result<Option<(&'static str, String)>, Problem> {
    let mut condition = Condition::default();
    condition.time(Interval {
        from: cursor.time,
        to: cursor.time.saturating_add(1),
    });
    condition.and(format!(
        "row_epoch = {} AND row_sequence = {} AND row_ordinal = {}",
        cursor.epoch, cursor.sequence, cursor.ordinal
    ));
    let column = match same {
        Same::Resource | Same::All => "resource_attributes",
        Same::Service => "service_name",
    };
    let statement = format!(
        "SELECT CAST({column} AS TEXT) AS shared, {CURSOR} FROM logs WHERE {} LIMIT 1",
        condition.sql()
    );
    let (batches, _) = all(api, request(tenant.clone(), statement, condition)).await?;
    let Some(batch) = batches.first() else {
        return Err(Problem::not_found(format!(
            "there is no record with the cursor {text}"
        )));
    };
    let value = texts(batch.column(0))?;
    Ok(match (same, value.is_null(0)) {
        (Same::All, _) => None,
        // Rows without a service are told apart by their resource.
        (_, true) => None,
        (_, false) => Some((column, value.value(0).to_owned())),
    })
}
