//! What every request below `/api` and to `/metrics` passes: who asks, whether they may, and a bounded body.
//!
//! What a route wants of a principal beyond being known is said where the route is, with [`scope`].

use super::{problem::Problem, state::Api};
use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, header::HOST, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use cairn_ingest::receiver::authenticate;
use cairn_tenancy::principal::{Principal, Scope};
use futures::FutureExt;
use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// Statements are 64 KiB at most; parameters come on top.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Time in which a body of that size has to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Lets requests of known principals through, with their [`Principal`] as an extension and their body read.
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
    if api.local_names_only && !names_this_machine(headers) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "denied",
            "without keys this server answers to localhost and to IP addresses only, so that no web page reads \
             from it under a name of its own: configure tenancy.keys, or say --allow-unauthenticated",
        ));
    }
    Ok(authenticate(headers, &api.keys)?)
}

/// Whether the request was sent to this machine under a name that nobody else can point at it (DNS rebinding).
fn names_this_machine(headers: &HeaderMap) -> bool {
    // HTTP/2 sends `:authority` instead, which browsers do over TLS only: they cannot get here that way.
    let Some(host) = headers.get(HOST) else {
        return true;
    };
    let host = host.to_str().unwrap_or_default();
    let name = match host.parse::<Authority>() {
        Ok(authority) => authority
            .host()
            .trim_matches(['[', ']'])
            .to_ascii_lowercase(),
        Err(_) => return false,
    };
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

/// Lets principals with one of `scopes`, which are not empty, through; goes behind [`check`].
pub(super) async fn scope(scopes: &'static [Scope], request: Request, next: Next) -> Response {
    let principal = request.extensions().get::<Principal>();
    let principal = principal.expect("this goes behind the check that says who asks");
    let allowed = scopes.iter().any(|scope| principal.has(*scope));
    match principal.require(scopes[0]) {
        Err(error) if !allowed => Problem::from(error).into_response(),
        _ => next.run(request).await,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_this_machine_for_everybody() {
        let told = |host: &str| {
            let value = host.parse().expect("a header value");
            names_this_machine(&HeaderMap::from_iter([(HOST, value)]))
        };
        for host in [
            "localhost",
            "localhost:4319",
            "LOCALHOST:4319",
            "cairn.localhost",
            "127.0.0.1:4319",
            "[::1]:4319",
        ] {
            assert!(told(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4319",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "a b",
            "",
        ] {
            assert!(!told(host), "{host}");
        }
        assert!(names_this_machine(&HeaderMap::new()));
    }
}
