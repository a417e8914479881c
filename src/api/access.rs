//! What every request below `/api` and to `/metrics` passes: who asks, whether they may, and a bounded body.

use super::{problem::Problem, state::Api};
use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};
use cairn_tenancy::principal::{Principal, Scope};
use futures::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// Statements are 64 KiB at most; parameters come on top.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Time in which a body of that size has to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Lets requests with the scope `query` through, with their [`Principal`] as an extension and their body read.
pub(super) async fn check(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_string());
    let route = route.unwrap_or_default();
    let principal = match principal(&api, request.headers()) {
        Ok(principal) => principal,
        Err(problem) => {
            let response = problem.into_response();
            api.telemetry
                .request_answered("", &route, response.status().as_u16());
            return response;
        }
    };
    let tenant = principal.tenant.to_string();
    let response = match read(&api, request).await {
        Ok(mut request) => {
            request.extensions_mut().insert(principal);
            run(next.run(request)).await
        }
        Err(problem) => problem.into_response(),
    };
    api.telemetry
        .request_answered(&tenant, &route, response.status().as_u16());
    response
}

fn principal(api: &Api, headers: &HeaderMap) -> Result<Principal, Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let principal = api
        .keys
        .authenticate(text(AUTHORIZATION.as_str()), text("x-api-key"))?;
    principal.require(Scope::Query)?;
    Ok(principal)
}

/// The request with its whole body in memory, so that a handler never waits for a slow peer.
async fn read(api: &Api, request: Request) -> Result<Request, Problem> {
    let (head, body) = request.into_parts();
    let timeout = api.world.clock.sleep(BODY_TIMEOUT);
    let bytes = tokio::select! {
        read = axum::body::to_bytes(body, MAX_BODY_BYTES) => read,
        () = timeout => return Err(Problem::timeout("the body did not arrive within 30 s")),
    };
    match bytes {
        Ok(bytes) => Ok(Request::from_parts(head, Body::from(bytes))),
        Err(error) => Err(Problem::body(&error, MAX_BODY_BYTES)),
    }
}

/// A panic in a handler is an answer, not a closed connection.
async fn run(handler: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a handler panicked");
            Problem::internal("the server has a bug; its log has the details").into_response()
        }
    }
}
