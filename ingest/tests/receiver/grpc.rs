//! OTLP/gRPC: methods, encodings and frames as the protocol says.

use crate::{
    client::{HttpClient, frame, gzip, post, retry_delay, zstd},
    requests::request,
    server::Server,
};
use cairn_proto::status::Code;
use cairn_storage::signal::Signal;

const GRPC: [(&str, &str); 2] = [("content-type", "application/grpc"), ("te", "trailers")];

#[tokio::test]
async fn check_30_53_unknown_methods_are_unimplemented() {
    let server = Server::start().await;
    let client = HttpClient::two();
    for path in [
        "/opentelemetry.proto.collector.logs.v1.LogsService/Import",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/grpc.health.v1.Health/Check",
        "/",
    ] {
        let reply = client
            .send(post(server.grpc, path, &GRPC, frame(false, b"")))
            .await;
        let status = reply.grpc_status();
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert!(!status.message().is_empty());
    }
}

#[tokio::test]
async fn check_30_what_is_no_grpc_gets_an_http_status() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let path = crate::client::grpc_path(Signal::Logs);
    for (media_type, expected) in [
        ("application/grpc", 200),
        ("application/grpc+proto", 200),
        ("application/grpc;charset=utf-8", 200),
        ("application/grpc-web", 415),
        ("application/grpc+json", 415),
        ("application/x-protobuf", 415),
        ("", 415),
    ] {
        let body = frame(false, &request(Signal::Logs, 1, media_type));
        let reply = client
            .send(post(
                server.grpc,
                path,
                &[("content-type", media_type)],
                body,
            ))
            .await;
        assert_eq!(reply.status.as_u16(), expected, "{media_type}");
    }
    let get = http::Request::get(format!("http://{}{path}", server.grpc));
    let reply = client
        .send(
            get.body(axum::body::Body::empty())
                .expect("a valid request"),
        )
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("allow")),
        (405, "POST")
    );
}

#[tokio::test]
async fn check_05_06_encodings() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let message = request(Signal::Logs, 1, "encoded");
    for name in ["br", "deflate", "snappy"] {
        let headers = [("grpc-encoding", name)];
        let reply = client
            .call(server.grpc, Signal::Logs, &headers, frame(true, &message))
            .await;
        assert_eq!(reply.grpc_status().code(), Code::Unimplemented, "{name}");
        assert_eq!(reply.header("grpc-accept-encoding"), "identity,gzip,zstd");
    }
    // A compression may be named and not used, but not used and not named.
    let headers = [("grpc-encoding", "gzip")];
    let reply = client
        .call(server.grpc, Signal::Logs, &headers, frame(false, &message))
        .await;
    assert_eq!(reply.grpc_status().code(), Code::Ok);
    for headers in [&[][..], &[("grpc-encoding", "identity")]] {
        let packed = frame(true, &gzip(&message));
        let reply = client
            .call(server.grpc, Signal::Logs, headers, packed)
            .await;
        assert_eq!(reply.grpc_status().code(), Code::Internal, "{headers:?}");
    }
    assert_eq!(server.rows("default", Signal::Logs), 1);
}

#[tokio::test]
async fn check_18_broken_compression() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let message = request(Signal::Logs, 1, "packed");
    let packed = gzip(&message);
    let (first, second) = message.split_at(message.len() / 2);
    for (name, content, expected) in [
        ("gzip", packed[..10].to_vec(), Code::InvalidArgument),
        (
            "gzip",
            [&packed[..], b"garbage"].concat(),
            Code::InvalidArgument,
        ),
        ("gzip", Vec::new(), Code::InvalidArgument),
        ("gzip", message.clone(), Code::InvalidArgument),
        ("gzip", zstd(&message), Code::InvalidArgument),
        ("zstd", packed.clone(), Code::InvalidArgument),
        ("zstd", zstd(&message)[..12].to_vec(), Code::InvalidArgument),
        // Members, and frames, that follow each other are valid.
        ("gzip", [gzip(first), gzip(second)].concat(), Code::Ok),
        ("zstd", [zstd(first), zstd(second)].concat(), Code::Ok),
    ] {
        let headers = [("grpc-encoding", name)];
        let reply = client
            .call(server.grpc, Signal::Logs, &headers, frame(true, &content))
            .await;
        let status = reply.grpc_status();
        assert_eq!(status.code(), expected, "{name} {content:?}: {status}");
        assert!(retry_delay(&status).is_none(), "it is broken for good");
    }
    assert_eq!(server.rows("default", Signal::Logs), 1);
}

#[tokio::test]
async fn anything_but_one_message() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let whole = frame(false, &request(Signal::Logs, 1, "framed"));
    let other = frame(false, &request(Signal::Logs, 1, "other"));
    for (body, text) in [
        (Vec::new(), "there is none"),
        (whole[..3].to_vec(), "the head ends early"),
        (whole[..whole.len() - 1].to_vec(), "the message ends early"),
        ([&whole[..], &other].concat(), "bytes follow"),
        ([&[7], &whole[1..]].concat(), "neither 0 nor 1"),
    ] {
        let status = client
            .call(server.grpc, Signal::Logs, &[], body)
            .await
            .grpc_status();
        assert_eq!(status.code(), Code::InvalidArgument, "{text}");
        assert!(status.message().contains(text), "{status}");
    }
    assert_eq!(
        server.rows("default", Signal::Logs),
        0,
        "nothing of a broken call is stored"
    );
}
