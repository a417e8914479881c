//! The HTTP API: routes, and what each may ask.
//!
//! Everything below `/api/v1` and `/metrics` passes `access`; health tells nothing about tenants and needs no key.
//! Every error is a problem document (RFC 9457).

mod access;
mod dead_letters;
mod flush;
mod health;
mod metrics;
mod problem;
mod schema;
mod sql;
mod state;

pub(crate) use state::{Api, Parts};

use axum::{
    Json, Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get, post},
};
use cairn_tenancy::principal::Scope;
use problem::Problem;
use std::sync::Arc;

/// The routes of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let checked = Router::new()
        .merge(of_scopes(
            &[Scope::Query],
            Router::new()
                .route("/api/v1/sql", post(sql::post))
                .route("/api/v1/schema", get(schema::get)),
        ))
        .merge(of_scopes(
            &[Scope::Operate],
            Router::new()
                .route("/api/v1/flush", post(flush::post))
                .route("/api/v1/dead-letters/replay", post(dead_letters::replay)),
        ))
        .merge(of_scopes(
            &[Scope::Query, Scope::Operate],
            Router::new()
                .route("/metrics", get(metrics::get))
                .route("/api/v1/version", get(version))
                .route("/api/{*rest}", any(unknown)),
        ))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), access::check));
    Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .merge(checked)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
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

async fn unknown() -> Problem {
    Problem::not_found("there is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::wrong_method("this path takes other methods")
}
