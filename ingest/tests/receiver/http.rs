//! OTLP/HTTP: paths, methods, media types, encodings; every error with a status that can be read.

use crate::{
    client::{HttpClient, gzip, post, zstd},
    requests::request,
    server::Server,
};
use axum::body::Body;
use cairn_proto::status::Code;
use cairn_storage::signal::Signal;
use http::{Method, Request};

const PROTOBUF: &str = "application/x-protobuf";

#[tokio::test]
async fn check_30_53_paths_and_methods() {
    let server = Server::start().await;
    for client in [HttpClient::one(), HttpClient::two()] {
        for path in [
            "/",
            "/v1",
            "/v1/log",
            "/v1/logs/",
            "/v1/spans",
            "/v1development/profiles",
        ] {
            let headers = [("content-type", PROTOBUF)];
            let reply = client.send(post(server.http, path, &headers, "")).await;
            assert_eq!(reply.status, 404, "{path}");
            assert_eq!(reply.header("content-type"), PROTOBUF);
            assert_eq!(reply.http_error().code(), Code::Unimplemented);
        }
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let uri = format!("http://{}/v1/logs", server.http);
            let request = Request::builder()
                .method(&method)
                .uri(uri)
                .body(Body::empty());
            let reply = client.send(request.expect("a valid request")).await;
            assert_eq!(reply.status, 405, "{method}");
            assert_eq!(reply.header("allow"), "POST");
            assert_eq!(
                reply.header("content-type"),
                "application/json",
                "for people"
            );
            assert_eq!(reply.http_error().code(), Code::Unimplemented);
        }
    }
}

#[tokio::test]
async fn check_30_31_media_types() {
    let server = Server::start().await;
    let client = HttpClient::one();
    let types = [
        PROTOBUF,
        "Application/X-Protobuf",
        "application/x-protobuf; charset=utf-8",
    ];
    for (number, media_type) in types.into_iter().enumerate() {
        let body = request(Signal::Logs, 1, media_type);
        let reply = client
            .send(post(
                server.http,
                "/v1/logs",
                &[("content-type", media_type)],
                body,
            ))
            .await;
        assert_eq!(reply.status, 200, "{media_type}: {reply:?}");
        assert_eq!(reply.header("content-type"), PROTOBUF);
        assert_eq!(server.rows("default", Signal::Logs), number + 1);
    }
    let long = "x".repeat(1000);
    for media_type in [
        "text/plain",
        "application/x-protobuf2",
        "application/grpc",
        &long,
        "",
    ] {
        let body = request(Signal::Logs, 1, media_type);
        let reply = client
            .send(post(
                server.http,
                "/v1/logs",
                &[("content-type", media_type)],
                body,
            ))
            .await;
        assert_eq!(reply.status, 415, "{media_type}: {reply:?}");
        assert_eq!(
            reply.header("content-type"),
            "application/json",
            "for people"
        );
        let error = reply.http_error();
        assert!(
            error.message().contains("application/x-protobuf"),
            "{error}"
        );
    }
    let body = request(Signal::Logs, 1, "no media type");
    let reply = client.send(post(server.http, "/v1/logs", &[], body)).await;
    assert_eq!(reply.status, 415, "{reply:?}");
}

#[tokio::test]
async fn check_05_07_content_encodings() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let plain = request(Signal::Logs, 1, "encoded");
    for name in ["br", "deflate", "snappy", "gzip, gzip"] {
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, Signal::Logs, &headers, plain.clone())
            .await;
        assert_eq!(reply.status, 415, "{name}: {reply:?}");
        assert_eq!(reply.header("accept-encoding"), "gzip, zstd");
        assert_eq!(reply.header("content-type"), PROTOBUF);
        assert!(reply.http_error().message().contains(name));
    }
    let packed = gzip(&plain);
    let garbage = [&packed[..], b"garbage"].concat();
    let half = packed[..packed.len() / 2].to_vec();
    for (name, body) in [
        ("gzip", plain.clone()),
        ("gzip", garbage),
        ("gzip", half),
        ("gzip", Vec::new()),
        ("zstd", packed.clone()),
        ("gzip", zstd(&plain)),
    ] {
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, Signal::Logs, &headers, body)
            .await;
        assert_eq!(reply.status, 400, "{name}: {reply:?}");
        assert_eq!(reply.http_error().code(), Code::InvalidArgument);
    }
    assert_eq!(server.rows("default", Signal::Logs), 0);
    let (first, second) = plain.split_at(plain.len() / 2);
    let members = [gzip(first), gzip(second)].concat();
    let headers = [("content-encoding", "gzip")];
    let reply = client
        .export(server.http, Signal::Logs, &headers, members)
        .await;
    assert_eq!(
        reply.status, 200,
        "members that follow each other are valid: {reply:?}"
    );
    assert_eq!(server.rows("default", Signal::Logs), 1);
}

/// Over HTTP/1 a refusal before the end of the body would reset the connection and be lost.
#[tokio::test]
async fn an_early_refusal_reaches_the_client() {
    let server = Server::start().await;
    let client = HttpClient::one();
    for _ in 0..20 {
        let headers = [("content-type", "text/plain")];
        let reply = client
            .send(post(server.http, "/v1/logs", &headers, vec![0; 900_000]))
            .await;
        assert_eq!(reply.status, 415);
    }
}
