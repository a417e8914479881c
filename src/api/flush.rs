//! `POST /api/v1/flush`: everything that is acknowledged now, of all tenants, goes to segments in the bucket.
//!
//! For those who read the Parquet files themselves, and before a planned move. Nothing needs it to be safe: what is
//! acknowledged is durable, and every query sees it.

use super::{problem::Problem, state::Api};
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;

/// What is in segments now.
#[derive(Serialize)]
pub(super) struct Flushed {
    /// Every request that was acknowledged with this commit sequence or a lower one.
    sequence: u64,
}

/// Answers when everything is committed. Fails where the bucket cannot be reached; what was buffered stays readable
/// and is tried again in the background.
pub(super) async fn post(State(api): State<Arc<Api>>) -> Result<Json<Flushed>, Problem> {
    let store = api.parts()?.store;
    let sequence = store.sequence();
    store.flush_all().await.map_err(|error| {
        tracing::warn!(%error, "a flush on demand did not end");
        Problem::unavailable(
            "not everything could be flushed; it stays readable and is tried again",
        )
    })?;
    Ok(Json(Flushed { sequence }))
}
