//! Elasticsearch's API as its clients use it: rows, items, and what is asked for before.

use crate::{
    client::{HttpClient, Reply, post},
    columns::{column, row},
    server::{Server, key},
};
use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use cairn_ingest::config::Config;
use cairn_tenancy::principal::Scope;
use http::{Method, Request};
use serde_json::{Value, json};

const NDJSON: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];

async fn ask(server: &Server, method: Method, path: &str, body: &str) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", server.logs))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    let reply = HttpClient::one().send(request.expect("a request")).await;
    assert_eq!(reply.header("x-elastic-product"), "Elasticsearch", "{path}");
    reply
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}

#[tokio::test]
async fn items_have_one_answer_each_in_order() {
    let server = Server::start().await;
    let body = r#"{"create":{"_index":"logs-\"a\"","_id":"1"}}
{"@timestamp":"2026-11-01T00:00:00Z","message":"hi","log":{"level":"info"},"service":{"name":"shop"},"n":{"x":1}}
{"delete":{"_index":"logs","_id":"1"}}
{"index":{"_index":"logs"}}
broken
{"index":{"_index":"logs"}}
{"log":"two"}
"#;
    let reply = HttpClient::one()
        .send(post(server.logs, "/_bulk", &NDJSON, body))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("x-elastic-product"), "Elasticsearch");
    let answer = json_of(&reply);
    assert_eq!(answer["errors"], true);
    assert!(answer["took"].is_u64());
    let items = answer["items"].as_array().expect("items");
    assert_eq!(items.len(), 4);
    let created = &items[0]["create"];
    assert_eq!(
        (
            &created["status"],
            &created["_index"],
            &created["_id"],
            &created["result"]
        ),
        (
            &json!(201),
            &json!("logs-\"a\""),
            &json!("1"),
            &json!("created")
        )
    );
    let deleted = &items[1]["delete"];
    assert_eq!(deleted["status"], 400);
    assert!(
        deleted["error"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("appended only"))
    );
    assert_eq!(
        items[2]["index"]["error"]["type"],
        "document_parsing_exception"
    );
    let sequence = reply.header("cairn-sequence");
    assert_eq!(
        items[3]["index"]["_id"],
        format!("{sequence}-3"),
        "an id of ours"
    );
    let names = [
        "service_name",
        "body",
        "severity_number",
        "attributes",
        "resource_attributes",
    ];
    assert_eq!(
        row(&server, "default", 0, &names),
        [
            "shop",
            "hi",
            "9",
            r#"{"elasticsearch.id":"1","elasticsearch.index":"logs-\"a\"","n.x":1}"#,
            r#"{"service.name":"shop"}"#,
        ]
    );
    assert_eq!(column(&server, "default", "body"), ["hi", "two"]);
}

#[tokio::test]
async fn one_document_at_a_time() {
    let server = Server::start().await;
    for (method, path, id) in [
        (Method::POST, "/logs/_doc", None),
        (Method::PUT, "/elasticsearch/logs/_doc/7", Some("7")),
        (Method::PUT, "/logs/_create/8", Some("8")),
    ] {
        let reply = ask(&server, method, path, "{\n  \"message\": \"hi\"\n}").await;
        assert_eq!(reply.status, 201, "{path}: {reply:?}");
        let answer = json_of(&reply);
        assert_eq!(
            (&answer["_index"], &answer["result"]),
            (&json!("logs"), &json!("created"))
        );
        if let Some(id) = id {
            assert_eq!(answer["_id"], id);
        }
    }
    assert_eq!(column(&server, "default", "body"), ["hi"; 3]);
    let reply = ask(&server, Method::POST, "/logs/_doc", "[]").await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        json_of(&reply)["error"]["type"],
        "document_parsing_exception"
    );
    let reply = ask(&server, Method::POST, "/a%22b/_doc", "{}").await;
    assert_eq!(reply.status, 400, "a name that no index has");
}

#[tokio::test]
async fn what_shippers_ask_for_before_they_send() {
    let server = Server::start().await;
    for path in ["/", "/elasticsearch", "/elasticsearch/"] {
        let about = json_of(&ask(&server, Method::GET, path, "").await);
        assert_eq!(about["tagline"], "You Know, for Search", "{path}");
        assert!(
            about["version"]["number"]
                .as_str()
                .is_some_and(|version| version.starts_with("8."))
        );
        let head = ask(&server, Method::HEAD, path, "").await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(ask(&server, Method::POST, path, "").await.status, 404);
    }
    for prefix in ["", "/elasticsearch"] {
        let get =
            async |path: &str| ask(&server, Method::GET, &format!("{prefix}{path}"), "").await;
        assert_eq!(
            json_of(&get("/_license").await)["license"]["status"],
            "active"
        );
        assert_eq!(
            json_of(&get("/_xpack").await)["features"]["ilm"]["enabled"],
            true
        );
        assert_eq!(json_of(&get("/_cluster/health").await)["status"], "green");
        for path in [
            "/_index_template/logs",
            "/_template/logs",
            "/_component_template/a",
            "/_ilm/policy/logs",
            "/_ingest/pipeline/p",
            "/_data_stream/logs",
        ] {
            assert_eq!(get(path).await.status, 404, "{path}");
            let put = ask(&server, Method::PUT, &format!("{prefix}{path}"), "{}").await;
            assert_eq!(json_of(&put)["acknowledged"], true, "{path}");
        }
    }
    let made = ask(&server, Method::PUT, "/elasticsearch/logs", "{}").await;
    assert_eq!(json_of(&made)["acknowledged"], true);
    assert_eq!(
        ask(&server, Method::HEAD, "/elasticsearch/logs", "")
            .await
            .status,
        200
    );
    let search = ask(&server, Method::POST, "/elasticsearch/logs/_search", "{}").await;
    assert_eq!(
        search.status, 404,
        "it says that it is not served: {search:?}"
    );
}

#[tokio::test]
async fn keys_as_clients_send_them() {
    let keys = vec![
        key("acme", "secret", &[Scope::Ingest]),
        key("acme", "reader", &[Scope::Query]),
    ];
    let server = Server::with(Config::default(), keys).await;
    let reply = ask(&server, Method::GET, "/", "").await;
    assert_eq!(reply.status, 401);
    assert_eq!(json_of(&reply)["error"]["type"], "security_exception");
    for (scheme, secret, status) in [
        ("ApiKey", "secret", 200),
        ("Basic", "secret", 200),
        ("ApiKey", "reader", 403),
    ] {
        let authorization = format!("{scheme} {}", STANDARD.encode(format!("id:{secret}")));
        let headers = [NDJSON[0], ("authorization", &authorization)];
        let body = format!("{{\"index\":{{\"_index\":\"i\"}}}}\n{{\"message\":\"{scheme}\"}}\n");
        let reply = HttpClient::one()
            .send(post(server.logs, "/_bulk", &headers, body))
            .await;
        assert_eq!(reply.status, status, "{scheme} {secret}: {reply:?}");
    }
    assert_eq!(column(&server, "acme", "body"), ["ApiKey", "Basic"]);
}

#[tokio::test]
async fn a_bulk_request_that_is_none() {
    let server = Server::start().await;
    let reply = HttpClient::one()
        .send(post(server.logs, "/_bulk", &NDJSON, "{}\n"))
        .await;
    assert_eq!(reply.status, 400);
    let answer = json_of(&reply);
    assert_eq!(
        (&answer["status"], &answer["error"]["type"]),
        (&json!(400), &json!("illegal_argument_exception"))
    );
    assert!(
        answer["error"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("line 1")),
        "{answer}"
    );
    let reply = HttpClient::one()
        .send(post(server.logs, "/_bulk", &NDJSON, ""))
        .await;
    assert_eq!(
        (reply.status.as_u16(), json_of(&reply)["items"].clone()),
        (200, json!([]))
    );
}
