//! `/healthz`: is the process well. `/readyz`: should requests be sent here.

use super::state::Api;
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::Serialize;
use std::sync::Arc;

/// The state of the server without a word about any tenant: both endpoints ask for no credentials.
#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
    /// Parts that have a problem, each once: `wal`, `flush`, `upload`, `catalog`, `segment`, `replay`,
    /// `disk`, `bucket`, `retention`, `backup`.
    parts: Vec<&'static str>,
}

/// Every status of [`Health`]. Starting or stopping is no illness.
pub(super) const STATUSES: [&str; 4] = [OK, DEGRADED, FAILING, NOT_READY];
const OK: &str = "ok";
const DEGRADED: &str = "degraded";
const FAILING: &str = "failing";
const NOT_READY: &str = "not ready";

/// 200 while the process can do its work, if need be with less; 503 when it takes no requests any more.
pub(super) async fn live(State(api): State<Arc<Api>>) -> (StatusCode, Json<Health>) {
    let Ok(parts) = api.parts() else {
        return (
            StatusCode::OK,
            Json(Health {
                status: NOT_READY,
                parts: Vec::new(),
            }),
        );
    };
    let health = parts.store.health();
    let mut names: Vec<&'static str> = health.problems.iter().map(|problem| problem.part).collect();
    names.sort_unstable();
    names.dedup();
    let (code, status) = match (health.accepting, names.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, FAILING),
        (true, false) => (StatusCode::OK, DEGRADED),
        (true, true) => (StatusCode::OK, OK),
    };
    (
        code,
        Json(Health {
            status,
            parts: names,
        }),
    )
}

/// 200 from the end of replay to the start of the shutdown, while the store takes requests.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> impl IntoResponse {
    match api.parts() {
        Ok(parts) if parts.store.health().accepting => (StatusCode::OK, "ready\n"),
        Ok(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store takes no requests\n",
        ),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}
