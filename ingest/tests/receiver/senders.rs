//! Who may send: checked before a byte of the body is read, on every protocol.

use crate::{
    client::{HttpClient, frame, gzip},
    requests::{SIGNALS, request},
    server::{Server, key},
};
use axum::body::Body;
use bytes::Bytes;
use cairn_ingest::config::Config;
use cairn_proto::status::Code;
use cairn_storage::signal::Signal;
use cairn_tenancy::principal::Scope;
use futures::{StreamExt, stream};
use std::convert::Infallible;

async fn server() -> Server {
    let keys = vec![
        key("acme", "cairn_acme", &[Scope::Ingest]),
        key("initech", "cairn_initech", &[Scope::Ingest, Scope::Query]),
        key("initech", "cairn_reader", &[Scope::Query]),
    ];
    Server::with(Config::default(), keys).await
}

/// A body that begins and never ends.
fn endless() -> Body {
    let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"\0\0\0\0\x40")) });
    Body::from_stream(first.chain(stream::pending()))
}

/// Headers that are refused: the HTTP status, the gRPC code, and part of the message.
type Refused = (
    &'static [(&'static str, &'static str)],
    u16,
    Code,
    &'static str,
);

const REFUSED: [Refused; 7] = [
    (&[], 401, Code::Unauthenticated, "no credentials"),
    (
        &[("authorization", "Bearer cairn_nobody")],
        401,
        Code::Unauthenticated,
        "unknown key",
    ),
    (
        &[("authorization", "Bearer")],
        401,
        Code::Unauthenticated,
        "unreadable",
    ),
    (
        &[("x-api-key", "cairn_nobody")],
        401,
        Code::Unauthenticated,
        "unknown key",
    ),
    (
        &[("authorization", "Bearer cairn_reader")],
        403,
        Code::PermissionDenied,
        "no scope ingest",
    ),
    (
        &[("x-api-key", "cairn_acme"), ("x-api-key", "cairn_initech")],
        401,
        Code::Unauthenticated,
        "more than one header",
    ),
    (
        &[
            ("authorization", "Bearer cairn_nobody"),
            ("x-api-key", "cairn_acme"),
        ],
        401,
        Code::Unauthenticated,
        "unknown key",
    ),
];

#[tokio::test]
async fn check_29_the_unknown_and_the_unallowed_are_refused_everywhere() {
    let server = server().await;
    let (one, two) = (HttpClient::one(), HttpClient::two());
    for signal in SIGNALS {
        let body = request(signal, 3, "secret");
        for (headers, status, code, text) in REFUSED {
            for client in [&one, &two] {
                let reply = client
                    .export(server.http, signal, headers, body.clone())
                    .await;
                assert_eq!(reply.status, status, "{headers:?}: {reply:?}");
                let error = reply.http_error();
                assert_eq!(error.code(), code, "{headers:?}");
                assert!(error.message().contains(text), "{headers:?}: {error}");
                let challenge = reply.header("www-authenticate");
                assert_eq!(challenge.starts_with("Bearer"), status == 401, "{reply:?}");
            }
            let reply = two
                .call(server.grpc, signal, headers, frame(false, &body))
                .await;
            let error = reply.grpc_status();
            assert_eq!(error.code(), code, "{headers:?}");
            assert!(error.message().contains(text), "{headers:?}: {error}");
        }
        for tenant in ["acme", "initech", "default"] {
            assert_eq!(server.rows(tenant, signal), 0);
        }
    }
    assert_eq!(server.metric("ingest_payload_bytes_total", &[]), 0.0);
}

/// A bomb from somebody unknown is not inflated, and one who never ends is answered at once.
#[tokio::test]
async fn check_29_the_body_of_somebody_unknown_is_not_read() {
    let server = server().await;
    let client = HttpClient::two();
    let bomb = gzip(&vec![0; 32 << 20]);
    let wrong = ("authorization", "Bearer cairn_nobody");

    let headers = [wrong, ("content-encoding", "gzip")];
    let reply = client
        .export(server.http, Signal::Logs, &headers, bomb.clone())
        .await;
    assert_eq!(reply.status, 401);
    let headers = [wrong, ("grpc-encoding", "gzip")];
    let reply = client
        .call(server.grpc, Signal::Logs, &headers, frame(true, &bomb))
        .await;
    assert_eq!(reply.grpc_status().code(), Code::Unauthenticated);

    let reply = client
        .export(server.http, Signal::Logs, &[wrong], endless())
        .await;
    assert_eq!(reply.status, 401);
    let reply = client
        .call(server.grpc, Signal::Logs, &[wrong], endless())
        .await;
    assert_eq!(reply.grpc_status().code(), Code::Unauthenticated);

    assert_eq!(
        server.metric("ingest_payload_bytes_total", &[]),
        0.0,
        "nothing was inflated"
    );
    assert_eq!(
        server.metric("ingest_wire_bytes_total", &[]),
        0.0,
        "nothing was read"
    );
    assert_eq!(
        server.metric("ingest_refused_requests_total", &["unknown_key"]),
        4.0
    );
}

/// What a key sends is its tenant's, whatever else the request says.
#[tokio::test]
async fn rows_belong_to_the_tenant_of_the_key() {
    let server = server().await;
    let client = HttpClient::two();
    for signal in SIGNALS {
        let body = request(signal, 2, "acme");
        let headers = [
            ("authorization", "Bearer cairn_acme"),
            ("x-scope-orgid", "initech"),
        ];
        let reply = client
            .export(server.http, signal, &headers, body.clone())
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        // The same bytes of another tenant are another request.
        let headers = [("x-api-key", "cairn_initech")];
        let reply = client
            .call(server.grpc, signal, &headers, frame(false, &body))
            .await;
        assert_eq!(reply.grpc_status().code(), Code::Ok);
        for tenant in ["acme", "initech"] {
            assert_eq!(server.rows(tenant, signal), 2, "{tenant}");
        }
        assert_eq!(server.rows("default", signal), 0);
    }
}
