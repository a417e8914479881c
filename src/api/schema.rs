//! `GET /api/v1/schema`: tables, columns with types and meaning, and the attribute keys seen in them.

use super::{problem::Problem, state::Api};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
};
use cairn_query::engine::SchemaAnswer;
use cairn_tenancy::principal::Principal;
use std::sync::Arc;

/// What the caller's tenant can ask about.
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<SchemaAnswer>), Problem> {
    let schema = api.parts()?.engine.schema(&principal.tenant).await?;
    Ok((
        [(CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(schema),
    ))
}
