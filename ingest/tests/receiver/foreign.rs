//! What holds for logs of every form over HTTP: keys, limits, compression, retries, counts.

use crate::{
    client::{HttpClient, PACKINGS, Reply, post},
    columns::{column, outcome},
    requests::now,
    server::{Server, key},
};
use axum::body::Body;
use cairn_ingest::config::Config;
use cairn_proto::loki::{Entry, PushRequest, Stream, Timestamp};
use cairn_storage::signal::Signal;
use cairn_tenancy::principal::Scope;
use http::{Method, Request};
use prost::Message;
use serde_json::json;

/// A form of logs over HTTP.
struct Form {
    path: &'static str,
    media_type: &'static str,
    /// A request of these bodies; those that are empty cannot be read.
    write: fn(&[&str]) -> Vec<u8>,
    success: u16,
    /// Where some records were refused.
    partial: u16,
}

const FORMS: [Form; 6] = [
    Form {
        path: "/loki/api/v1/push",
        media_type: "application/x-protobuf",
        write: loki_protobuf,
        success: 204,
        partial: 400,
    },
    Form {
        path: "/loki/api/v1/push",
        media_type: "application/json",
        write: loki_json,
        success: 204,
        partial: 400,
    },
    Form {
        path: "/_bulk",
        media_type: "application/x-ndjson",
        write: bulk,
        success: 200,
        partial: 200,
    },
    Form {
        path: "/elasticsearch/logs/_bulk",
        media_type: "application/vnd.elasticsearch+x-ndjson; compatible-with=8",
        write: bulk,
        success: 200,
        partial: 200,
    },
    Form {
        path: "/api/v1/logs/json",
        media_type: "application/x-ndjson",
        write: lines,
        success: 200,
        partial: 200,
    },
    Form {
        path: "/api/v1/logs/json",
        media_type: "application/json; charset=utf-8",
        write: array,
        success: 200,
        partial: 200,
    },
];

fn loki_protobuf(bodies: &[&str]) -> Vec<u8> {
    let entry = |body: &&str| Entry {
        // No time is before the epoch.
        timestamp: Some(Timestamp {
            seconds: if body.is_empty() {
                -1
            } else {
                (now() / 1_000_000_000) as i64
            },
            nanos: 1,
        }),
        line: body.to_string(),
        structured_metadata: Vec::new(),
    };
    let stream = Stream {
        labels: "{job=\"tests\"}".to_string(),
        entries: bodies.iter().map(entry).collect(),
    };
    let request = PushRequest {
        streams: vec![stream],
    };
    let mut encoder = snap::raw::Encoder::new();
    encoder
        .compress_vec(&request.encode_to_vec())
        .expect("it fits")
}

fn loki_json(bodies: &[&str]) -> Vec<u8> {
    let entry = |body: &&str| match body.is_empty() {
        true => json!(["soon", "x"]),
        false => json!([now().to_string(), body]),
    };
    let values: Vec<_> = bodies.iter().map(entry).collect();
    let streams = json!({"streams": [{"stream": {"job": "tests"}, "values": values}]});
    streams.to_string().into_bytes()
}

fn document(body: &str) -> String {
    match body.is_empty() {
        true => "no JSON".to_string(),
        false => json!({"@timestamp": now() / 1_000_000, "message": body}).to_string(),
    }
}

fn bulk(bodies: &[&str]) -> Vec<u8> {
    let action = "{\"create\":{\"_index\":\"logs\"}}";
    let item = |body: &&str| format!("{action}\n{}\n", document(body));
    bodies.iter().map(item).collect::<String>().into_bytes()
}

fn lines(bodies: &[&str]) -> Vec<u8> {
    let lines: Vec<String> = bodies.iter().map(|body| document(body)).collect();
    lines.join("\n").into_bytes()
}

fn array(bodies: &[&str]) -> Vec<u8> {
    let element = |body: &&str| {
        if body.is_empty() {
            "7".to_string()
        } else {
            document(body)
        }
    };
    let elements: Vec<String> = bodies.iter().map(element).collect();
    format!("[{}]", elements.join(",")).into_bytes()
}

impl Form {
    async fn send(&self, server: &Server, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let headers = [&[("content-type", self.media_type)], headers].concat();
        let request = post(server.logs, self.path, &headers, body);
        HttpClient::one().send(request).await
    }
}

#[tokio::test]
async fn every_form_and_compression_is_stored_once() {
    for form in &FORMS {
        let server = Server::start().await;
        let mut expected = Vec::new();
        for (name, pack) in PACKINGS {
            let body = (form.write)(&[name, "two"]);
            expected.extend([name, "two"]);
            for _ in 0..2 {
                let headers = [("content-encoding", name)];
                let reply = form.send(&server, &headers, pack(&body)).await;
                assert_eq!(
                    reply.status, form.success,
                    "{} {name}: {reply:?}",
                    form.path
                );
                assert!(reply.header("cairn-sequence").parse::<u64>().is_ok());
                assert_eq!(
                    column(&server, "default", "body"),
                    expected,
                    "{} {name}",
                    form.path
                );
            }
        }
        assert_eq!(outcome(&server, "stored"), 6, "{}", form.path);
        assert_eq!(outcome(&server, "deduplicated"), 6, "{}", form.path);
    }
}

#[tokio::test]
async fn a_key_writes_to_its_tenant_and_nobody_else_is_read() {
    let keys = vec![
        key("acme", "a", &[Scope::Ingest]),
        key("initech", "b", &[Scope::Ingest, Scope::Query]),
        key("acme", "reader", &[Scope::Query]),
    ];
    let server = Server::with(Config::default(), keys).await;
    for form in &FORMS {
        for (headers, status) in [
            (vec![], 401),
            (vec![("x-api-key", "wrong")], 401),
            (vec![("x-api-key", "reader")], 403),
        ] {
            let reply = form.send(&server, &headers, (form.write)(&["x"])).await;
            assert_eq!(reply.status, status, "{}: {reply:?}", form.path);
            assert!(!reply.body.is_empty(), "it says why");
        }
    }
    assert_eq!(server.metric("ingest_wire_bytes_total", &[]), 0.0);
    for (count, form) in (1..).zip(&FORMS) {
        for (tenant, secret) in [("acme", "a"), ("initech", "b")] {
            let authorization = format!("Bearer {secret}");
            let headers = [("authorization", authorization.as_str())];
            let reply = form.send(&server, &headers, (form.write)(&[tenant])).await;
            assert_eq!(reply.status, form.success, "{}: {reply:?}", form.path);
            assert_eq!(column(&server, tenant, "body"), vec![tenant; count]);
        }
    }
    assert_eq!(server.rows("default", Signal::Logs), 0);
}

#[tokio::test]
async fn methods_media_types_and_broken_bodies() {
    let server = Server::start().await;
    for form in &FORMS {
        let uri = format!("http://{}{}", server.logs, form.path);
        let get = Request::builder()
            .method(Method::DELETE)
            .uri(uri)
            .body(Body::empty());
        let reply = HttpClient::one().send(get.expect("a request")).await;
        assert_eq!(reply.status, 405, "{}", form.path);
        // What a page of somebody else's may send without asking.
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "",
            "application/json; charset=latin1",
        ] {
            let headers = [("content-type", media_type)];
            let request = post(server.logs, form.path, &headers, (form.write)(&["x"]));
            let reply = HttpClient::one().send(request).await;
            assert_eq!(reply.status, 415, "{} {media_type}: {reply:?}", form.path);
        }
        let gzip = [("content-encoding", "gzip")];
        let reply = form.send(&server, &gzip, b"no gzip".to_vec()).await;
        assert_eq!(reply.status, 400, "{}: {reply:?}", form.path);
        let reply = form
            .send(&server, &[("content-encoding", "br")], vec![])
            .await;
        assert_eq!(reply.status, 415, "{}: {reply:?}", form.path);
    }
    assert_eq!(
        outcome(&server, "received"),
        0,
        "nothing of these is a record"
    );
}

#[tokio::test]
async fn sizes_and_spent_memory() {
    let limit = 256 << 10;
    let config = Config {
        max_request_bytes: limit,
        ..Config::default()
    };
    for form in &FORMS {
        let server = Server::with(config.clone(), Vec::new()).await;
        let budget = server.store.budget();
        let large = "x".repeat(limit as usize);
        let reply = form.send(&server, &[], (form.write)(&[&large])).await;
        assert_eq!(reply.status, 413, "{}: {reply:?}", form.path);
        assert_eq!(budget.used_bytes(), 0, "{}", form.path);
        let body = (form.write)(&["again"]);
        let held = budget
            .reserve(budget.limit_bytes() - 60)
            .expect("it is free");
        let reply = form.send(&server, &[], body.clone()).await;
        assert_eq!(reply.status, 429, "{}: {reply:?}", form.path);
        assert_eq!(reply.header("retry-after"), "1");
        drop(held);
        let reply = form.send(&server, &[], body).await;
        assert_eq!(reply.status, form.success, "{}: {reply:?}", form.path);
        assert_eq!(server.rows("default", Signal::Logs), 1);
        server.store.close().await.expect("it closes");
        let reply = form.send(&server, &[], (form.write)(&["late"])).await;
        assert_eq!(reply.status, 503, "{}: {reply:?}", form.path);
    }
}

/// Bad records are counted and kept with their text; what admission refuses goes the same way.
#[tokio::test]
async fn every_record_is_stored_or_rejected() {
    let config = Config {
        max_value_bytes: 1000,
        ..Config::default()
    };
    for form in &FORMS {
        let server = Server::with(config.clone(), Vec::new()).await;
        let large = "x".repeat(1001);
        let body = (form.write)(&["one", "", "two", &large, ""]);
        let reply = form.send(&server, &[], body.clone()).await;
        assert_eq!(reply.status, form.partial, "{}: {reply:?}", form.path);
        assert_eq!(
            column(&server, "default", "body"),
            ["one", "two"],
            "{}",
            form.path
        );
        let counts = ["received", "stored", "rejected"].map(|name| outcome(&server, name));
        assert_eq!(counts, [5, 2, 3], "{}", form.path);
        let letters = server.dead_letters();
        assert_eq!(letters.len(), 3, "{}", form.path);
        let of_size = letters
            .iter()
            .filter(|(reason, _)| reason == "too_large")
            .count();
        assert_eq!(of_size, 1, "{}: {letters:?}", form.path);
        let again = form.send(&server, &[], body).await;
        assert_eq!(again.status, form.partial, "{}", form.path);
        assert_eq!(outcome(&server, "deduplicated"), 5, "{}", form.path);
    }
}
