//! `GET /api/v1/logs/patterns`: the templates that the newest matching bodies follow, with counts over time.

use super::{
    question::Question,
    rows::{NEWEST_FIRST, all, request, texts},
};
use crate::api::{problem::Problem, state::Api};
use arrow::{array::AsArray, datatypes::TimestampNanosecondType};
use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
};
use cairn_query::patterns::Miner;
use cairn_tenancy::principal::Principal;
use serde_json::{Value, json};
use std::sync::Arc;

/// Records that are looked at.
const USUAL_ROWS: u32 = 10_000;
const MOST_ROWS: u32 = 50_000;

/// Patterns that are shown.
const MOST_PATTERNS: usize = 200;

/// Stretches of the interval that counts are told for.
const TREND_BUCKETS: i64 = 30;

/// Most frequent first. `trend` has the counts of thirty equal stretches of the interval.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Value>), Problem> {
    let Query(question) = question?;
    let interval = question.interval(api.world.clock.as_ref())?;
    let condition = question.condition(interval)?;
    let statement = format!(
        "SELECT timestamp, body FROM logs WHERE {} AND body IS NOT NULL {NEWEST_FIRST} LIMIT {}",
        condition.sql(),
        question.rows(USUAL_ROWS, MOST_ROWS)?
    );
    let (batches, end) = all(&api, request(principal.tenant, statement, condition)).await?;
    let width = (interval.to.saturating_sub(interval.from) / TREND_BUCKETS).max(1);
    let mut miner = Miner::new(TREND_BUCKETS as usize);
    for batch in &batches {
        let times = batch.column(0).as_primitive::<TimestampNanosecondType>();
        let bodies = texts(batch.column(1))?;
        for (time, body) in times.values().iter().zip(&bodies) {
            let bucket = (time.saturating_sub(interval.from) / width).clamp(0, TREND_BUCKETS - 1);
            miner.add(body.unwrap_or_default(), bucket as usize);
        }
    }
    let shown = |pattern: &cairn_query::patterns::Pattern| {
        json!({
            "pattern": pattern.template,
            "count": pattern.count,
            "example": pattern.example,
            "trend": pattern.trend,
        })
    };
    let patterns: Vec<Value> = miner
        .finish()
        .iter()
        .take(MOST_PATTERNS)
        .map(shown)
        .collect();
    let answer = json!({ "rows": end.rows, "patterns": patterns });
    Ok((
        [(CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(answer),
    ))
}
