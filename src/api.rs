//! The HTTP API: routes, and what each may ask.
//!
//! Everything below `/api/v1` and `/metrics` passes `access`; health tells nothing about tenants and needs no key.
//! Every error is a problem document (RFC 9457).

mod access;
mod asked;
mod body;
mod dead_letters;
mod deletions;
mod flush;
mod health;
mod logs;
mod loki;
mod metrics;
mod openapi;
mod operation;
mod problem;
mod prometheus;
mod reply;
mod schema;
mod sql;
mod state;
mod storage;

pub(crate) use state::{Api, Parts};

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::any,
};
use cairn_tenancy::principal::Scope;
use operation::Operation;
use problem::Problem;
use std::sync::Arc;
use tower::ServiceExt;

/// Every operation; the document tells of the same ones.
fn operations() -> Vec<Operation> {
    let mut operations = vec![
        openapi::sql(),
        openapi::schema(),
        openapi::flush(),
        openapi::replay(),
        openapi::delete(),
        openapi::deletions(),
        openapi::storage(),
        openapi::reconcile(),
        openapi::version(),
        openapi::itself(),
        openapi::metrics(),
        openapi::live(),
        openapi::ready(),
    ];
    operations.extend(openapi::logs());
    operations.extend(openapi::searches());
    operations.extend(openapi::prometheus());
    operations.extend(openapi::loki());
    operations
}

/// The API as OpenAPI 3.1, in JSON.
pub(crate) fn document() -> String {
    format!("{:#}\n", openapi::document(&operations()))
}

/// The routes of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let unknown_routes = Router::new().route("/api/{*rest}", any(unknown));
    let inlets = Router::new().route("/api/v1/logs/json", any(inlet));
    let mut checked = of_scopes(openapi::READERS, unknown_routes);
    let mut open = Router::new();
    for operation in operations() {
        let routes = Router::new().route(operation.path, operation.serve);
        match operation.scopes {
            [] => open = open.merge(routes),
            scopes => checked = checked.merge(of_scopes(scopes, routes)),
        }
    }
    let checked = checked
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), access::check));
    open.merge(checked)
        .merge(inlets)
        .fallback(inlet)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(openapi::Document(document().into())))
        .with_state(api)
}

/// `routes` for principals with one of `scopes`.
fn of_scopes(scopes: &'static [Scope], routes: Router<Arc<Api>>) -> Router<Arc<Api>> {
    routes.layer(from_fn(move |request, next| {
        access::scope(scopes, request, next)
    }))
}

async fn version() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "name": "cairn", "version": env!("CARGO_PKG_VERSION") }))
}

/// Telemetry that comes in on this port; what no receiver knows is nothing.
async fn inlet(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Problem> {
    let inlets = api.parts()?.inlets.fallback(unknown);
    Ok(inlets
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {}))
}

async fn unknown() -> Problem {
    Problem::not_found("there is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::wrong_method("this path takes other methods")
}
