//! `status/…`, and what a server that alerts would tell: there are no rules.

use super::{
    answer,
    failure::Failure,
    parameters::{Parameters, now_ms},
};
use crate::api::asked::Asked;
use axum::{http::HeaderMap, response::Response};
use cairn_query::promql::questions::Asking;
use serde_json::{Value, json};

/// The version of Prometheus whose API and language this is.
const PROMETHEUS_VERSION: &str = "3.5.0";

/// `status/tsdb` counts the series of so long, as Prometheus counts those of its head.
const RECENT_MS: i64 = 2 * 60 * 60 * 1000;

/// Rows of each list of `status/tsdb` where the question names no `limit`.
const USUAL_ROWS: usize = 10;

/// `status/buildinfo`.
pub(in crate::api) async fn build_info(headers: HeaderMap) -> Response {
    let data = json!({
        "version": PROMETHEUS_VERSION,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "Cairn",
        "cairnVersion": env!("CARGO_PKG_VERSION"),
        "features": {},
    });
    answer::data(&data, None, &headers)
}

/// `status/runtimeinfo`, as far as it has a meaning here.
pub(in crate::api) async fn runtime_info(headers: HeaderMap) -> Response {
    answer::data(
        &json!({ "storageRetention": "by tenant and signal" }),
        None,
        &headers,
    )
}

/// `status/flags`: there are none.
pub(in crate::api) async fn flags(headers: HeaderMap) -> Response {
    answer::data(&json!({}), None, &headers)
}

/// `status/tsdb`: how many series the last two hours (or `start` through `end`) have, and of what.
pub(in crate::api) async fn cardinality(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let now = now_ms(asked.api.world.clock.as_ref());
    let from_ms = asked
        .parameters
        .time_ms("start")?
        .unwrap_or(now - RECENT_MS);
    let through_ms = asked.parameters.time_ms("end")?.unwrap_or(now);
    let asking = Asking {
        tenant: asked.principal.tenant,
        selectors: asked.parameters.selectors()?,
        from_ms,
        through_ms,
        deadline: asked.parameters.duration("timeout")?,
    };
    let most = asked.parameters.limit("limit")?.unwrap_or(USUAL_ROWS);
    let (counted, end) = asked.api.parts()?.engine.cardinality(asking, most).await?;
    let rows = |rows: &[(String, u64)]| -> Vec<Value> {
        let row = |(name, value): &(String, u64)| json!({ "name": name, "value": value });
        rows.iter().map(row).collect()
    };
    let data = json!({
        "headStats": {
            "numSeries": counted.series,
            "numLabelPairs": counted.label_pairs,
            "minTime": from_ms,
            "maxTime": through_ms,
        },
        "seriesCountByMetricName": rows(&counted.by_metric),
        "labelValueCountByLabelName": rows(&counted.by_label),
        "seriesCountByLabelValuePair": rows(&counted.by_pair),
    });
    Ok(answer::data(&data, Some(&end), &asked.headers))
}

/// `rules`: none.
pub(in crate::api) async fn rules(headers: HeaderMap) -> Response {
    answer::data(&json!({ "groups": [] }), None, &headers)
}

/// `alerts`: none.
pub(in crate::api) async fn alerts(headers: HeaderMap) -> Response {
    answer::data(&json!({ "alerts": [] }), None, &headers)
}

/// `alertmanagers`: none.
pub(in crate::api) async fn alertmanagers(headers: HeaderMap) -> Response {
    let none = json!({ "activeAlertmanagers": [], "droppedAlertmanagers": [] });
    answer::data(&none, None, &headers)
}
