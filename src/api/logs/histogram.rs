//! `GET /api/v1/logs/histogram`: how many records there are over time, by severity.

use super::{
    question::{Interval, Question},
    rows::request,
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

/// Bars of a picture.
const USUAL_BUCKETS: u32 = 60;
const MOST_BUCKETS: u32 = 1_000;

/// Widths that people read easily, in milliseconds.
const WIDTHS_MS: [i64; 24] = [
    1,
    10,
    100,
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    172_800_000,
    604_800_000,
    2_592_000_000,
];

/// Buckets without records are left out.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(question) = question?;
    let format = sql::accepted(&headers)?;
    let interval = question.interval(api.world.clock.as_ref())?;
    let buckets = question.buckets.unwrap_or(USUAL_BUCKETS);
    if !(1..=MOST_BUCKETS).contains(&buckets) {
        return Err(Problem::invalid(format!(
            "buckets must be from 1 to {MOST_BUCKETS}"
        )));
    }
    let condition = question.condition(interval)?;
    let statement = format!(
        "SELECT time_bucket(INTERVAL '{} milliseconds', timestamp) AS bucket, \
         coalesce(severity(severity_number), nullif(upper(severity_text), ''), 'UNSET') AS severity, count(*) AS count \
         FROM logs WHERE {} GROUP BY 1, 2 ORDER BY 1, 2",
        width_ms(interval, buckets),
        condition.sql()
    );
    let request = request(principal.tenant, statement, condition);
    sql::respond(api.parts()?.engine.sql(request).await?, format).await
}

/// The narrowest width with which `interval` has at most `buckets`.
fn width_ms(interval: Interval, buckets: u32) -> i64 {
    let length_ms = interval.to.saturating_sub(interval.from) / 1_000_000;
    let fits = |width: &&i64| length_ms / **width < i64::from(buckets);
    match WIDTHS_MS.iter().find(fits) {
        Some(width) => *width,
        None => length_ms / i64::from(buckets) + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Interval, width_ms};

    #[test]
    fn widths_are_round_and_keep_to_the_number() {
        let check = |seconds: i64, buckets, expected| {
            let interval = Interval {
                from: 0,
                to: seconds * 1_000_000_000,
            };
            assert_eq!(width_ms(interval, buckets), expected, "{seconds}");
        };
        check(3_600, 60, 120_000);
        check(3_600, 61, 60_000);
        check(1, 60, 100);
        check(86_400 * 3_650, 10, 31_536_000_001);
    }
}
