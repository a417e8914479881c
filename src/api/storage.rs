//! `GET /api/v1/storage`: what is stored of every tenant, what waits for its deletion, and what nobody needs.
//! `POST /api/v1/storage/reconcile`: the look at the bucket for the latter now, not once a day.

use super::{problem::Problem, state::Api};
use axum::{Json, extract::State};
use cairn_storage::store::{Orphans, StorageReport};
use std::sync::Arc;

/// What is stored, by tenant and signal.
pub(super) async fn get(State(api): State<Arc<Api>>) -> Result<Json<StorageReport>, Problem> {
    let store = api.parts()?.store;
    // Many segments take a while to add up.
    let world = store.world().clone();
    let report = world.blocking(move || store.report()).await;
    report.map(Json).map_err(|error| {
        tracing::error!(%error, "the report of the storage failed");
        Problem::internal("the report could not be made; the log has the details")
    })
}

/// Lists the whole bucket and holds it against the catalog. Nothing is deleted.
pub(super) async fn reconcile(State(api): State<Arc<Api>>) -> Result<Json<Orphans>, Problem> {
    let looked = api.parts()?.store.reconcile().await;
    looked.map(Json).map_err(|error| {
        tracing::warn!(%error, "the bucket was not held against the catalog");
        Problem::unavailable("the bucket could not be listed; try again")
    })
}
