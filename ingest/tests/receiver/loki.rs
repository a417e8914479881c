//! Loki's push API: rows and answers.

use crate::{
    client::{HttpClient, Reply, post},
    columns::{column, row},
    server::Server,
};
use serde_json::{Value, json};

async fn push(server: &Server, body: &Value) -> Reply {
    let headers = [("content-type", "application/json")];
    let request = post(server.logs, "/loki/api/v1/push", &headers, body.to_string());
    HttpClient::two().send(request).await
}

#[tokio::test]
async fn the_columns_of_an_entry() {
    let server = Server::start().await;
    let trace = "5b8efff798038103d269b633813fc60c";
    let body = json!({"streams": [{
        "stream": {"service_name": "shop", "k8s_pod_name": "p", "job": "j", "level": "warn"},
        "values": [
            ["1700000000000000001", "hello", {"trace_id": trace, "span_id": "eee19b7ec3c1b174", "user": "u"}],
            ["1700000000000000002", "no metadata"],
        ],
    }]});
    let reply = push(&server, &body).await;
    assert_eq!(
        (reply.status.as_u16(), reply.body.len()),
        (204, 0),
        "{reply:?}"
    );
    let names = [
        "service_name",
        "severity_number",
        "severity_text",
        "body",
        "body_type",
        "trace_id",
        "span_id",
        "attributes",
        "resource_attributes",
        "timestamp_origin",
    ];
    assert_eq!(
        row(&server, "default", 0, &names),
        [
            "shop",
            "13",
            "warn",
            "hello",
            "string",
            trace,
            "eee19b7ec3c1b174",
            r#"{"user":"u"}"#,
            r#"{"job":"j","k8s.pod.name":"p","service.name":"shop"}"#,
            "record",
        ]
    );
    assert_eq!(column(&server, "default", "attributes")[1], "{}");
}

/// As Loki has it: the others are stored, and the text says so.
#[tokio::test]
async fn some_entries_are_refused() {
    let server = Server::start().await;
    let ahead = "9000000000000000000";
    let values = json!([["1700000000000000001", "a"], [ahead, "b"], ["x", "c"]]);
    let body = json!({"streams": [{"stream": {}, "values": values}]});
    let reply = push(&server, &body).await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 400, "{text}");
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    for part in [
        "2 of 3 records were refused",
        "too_far_ahead",
        "malformed",
        "the other 1 are stored",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(column(&server, "default", "body"), ["a"]);
    let reply = push(&server, &json!({"streams": [{"values": [["x", "y"]]}]})).await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(text.contains("nothing was stored"), "{text}");
    let reply = push(&server, &json!({"streams": 1})).await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 400, "{text}");
    assert!(text.contains("an array of streams"), "{text}");
    let reply = push(&server, &json!({"streams": []})).await;
    assert_eq!(reply.status, 204, "nothing is a success: {reply:?}");
}
