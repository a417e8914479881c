//! `/api/v1/deletions`: deletes rows of the caller's tenant by what they say, for ever.

use super::{body, problem::Problem, state::Api};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header::CACHE_CONTROL},
};
use bytes::Bytes;
use cairn_storage::{
    deletion::{Predicate, Tombstone},
    signal::Signal,
};
use cairn_tenancy::principal::Principal;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is to be deleted.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    signal: String,
    predicate: Predicate,
}

type Answer = ([(HeaderName, HeaderValue); 1], Json<Value>);

fn answer(value: Value) -> Answer {
    let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (no_store, Json(value))
}

/// Accepts a deletion: what it covers is in no answer from now on.
pub(super) async fn post(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<Value>), Problem> {
    let Wanted { signal, predicate } = body::object(&body)?;
    let signals = Signal::ALL.into_iter();
    let Some(signal) = signals.clone().find(|known| known.as_str() == signal) else {
        let known: Vec<&str> = signals.map(Signal::as_str).collect();
        return Err(Problem::invalid(format!(
            "signal must be one of {}",
            known.join(", ")
        )));
    };
    if signal == Signal::Metrics {
        // Points of merged segments were found to stay in a test.
        return Err(Problem::invalid(
            "metrics cannot be deleted yet: shorten storage.retention_of for them",
        ));
    }
    let store = api.parts()?.store;
    let deleted = store
        .delete(&principal.tenant, signal, predicate, &principal.key_name)
        .await;
    let tombstone = deleted.map_err(cairn_query::error::Error::from)?;
    let (headers, body) = answer(shown(&tombstone));
    Ok((StatusCode::ACCEPTED, headers, body))
}

/// The deletions of the caller's tenant: those under way, and what is known of those that are done.
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
) -> Result<Answer, Problem> {
    let tombstones = api.parts()?.store.tombstones(&principal.tenant);
    let deletions: Vec<Value> = tombstones.iter().map(shown).collect();
    Ok(answer(json!({ "deletions": deletions })))
}

fn shown(tombstone: &Tombstone) -> Value {
    let deleted: serde_json::Map<String, Value> = tombstone
        .deleted
        .iter()
        .map(|(table, rows)| (table.as_str().to_owned(), (*rows).into()))
        .collect();
    json!({
        "id": tombstone.id.to_string(),
        "signal": tombstone.signal.as_str(),
        "sequence": tombstone.sequence,
        "accepted": tombstone.accepted.0,
        "requested_by": tombstone.requested_by,
        "completed": tombstone.completed.map(|completed| completed.0),
        "predicate_sha256": tombstone.predicate_sha256,
        "deleted": deleted,
        "left": tombstone.left,
    })
}
