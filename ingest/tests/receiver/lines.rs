//! JSON lines: rows, answers and parameters.

use crate::{
    client::{HttpClient, Reply, post},
    columns::{column, row},
    server::Server,
};
use serde_json::{Value, json};

async fn send(server: &Server, query: &str, body: impl Into<axum::body::Body>) -> (u16, Value) {
    let headers = [("content-type", "application/x-ndjson")];
    let path = format!("/api/v1/logs/json{query}");
    let reply: Reply = HttpClient::two()
        .send(post(server.logs, &path, &headers, body))
        .await;
    assert_eq!(
        reply.header("content-type"),
        "application/json",
        "{reply:?}"
    );
    let answer = serde_json::from_slice(&reply.body).expect("JSON");
    (reply.status.as_u16(), answer)
}

#[tokio::test]
async fn the_columns_of_a_line() {
    let server = Server::start().await;
    let line =
        r#"{"time":1700000000.5,"msg":"hi","level":"Error","service":{"name":"shop","version":"2"},
"user":{"id":7,"tags":["a","b"]},"trace_id":"5b8efff798038103d269b633813fc60c"}"#
            .replace('\n', "");
    let (status, answer) = send(&server, "", line).await;
    assert_eq!((status, answer), (200, json!({"stored": 1, "rejected": 0})));
    let names = [
        "service_name",
        "severity_number",
        "severity_text",
        "body",
        "trace_id",
        "attributes",
        "resource_attributes",
        "timestamp_origin",
    ];
    assert_eq!(
        row(&server, "default", 0, &names),
        [
            "shop",
            "17",
            "Error",
            "hi",
            "5b8efff798038103d269b633813fc60c",
            r#"{"user.id":7,"user.tags":["a","b"]}"#,
            r#"{"service.name":"shop","service.version":"2"}"#,
            "record",
        ]
    );
    let (_, answer) = send(&server, "", "{\"msg\":\"no time\"}\n{\"msg\":\"no time\"}").await;
    assert_eq!(
        answer["stored"], 2,
        "without a time each is an event of its own"
    );
    assert_eq!(
        column(&server, "default", "timestamp_origin")[1..],
        ["received", "received"]
    );
}

#[tokio::test]
async fn errors_have_the_number_of_their_line() {
    let server = Server::start().await;
    let (status, answer) = send(
        &server,
        "",
        "{\"msg\":\"a\"}\n\nnot json\n{\"msg\":\"b\"}\n[]",
    )
    .await;
    assert_eq!(
        (status, &answer["stored"], &answer["rejected"]),
        (200, &json!(2), &json!(2))
    );
    let errors = answer["errors"].as_array().expect("errors");
    assert_eq!(
        (&errors[0]["line"], &errors[0]["record"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(
        (&errors[1]["line"], &errors[1]["reason"]),
        (&json!(5), &json!("malformed"))
    );
    assert_eq!(column(&server, "default", "body"), ["a", "b"]);
    let letters: Vec<String> = server
        .dead_letters()
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    assert_eq!(letters, ["malformed", "malformed"]);

    let (status, answer) = send(&server, "", "x\n".repeat(150)).await;
    assert_eq!((status, &answer["rejected"]), (400, &json!(150)));
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(100));
    assert_eq!(answer["errors_left_out"], 50);

    let (status, answer) = send(&server, "", "[{}, {}").await;
    assert_eq!(status, 400);
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|text| text.contains("array")),
        "{answer}"
    );
}

#[tokio::test]
async fn parameters_name_fields_and_a_service() {
    let server = Server::start().await;
    let query = "?time_field=when.at&message_field=text&level_field=sev&service=my%20shop";
    let line = r#"{"when":{"at":"2026-11-01T00:00:00Z"},"text":"x","sev":"info","message":"m"}"#;
    let (status, _) = send(&server, query, line).await;
    assert_eq!(status, 200);
    let names = [
        "service_name",
        "body",
        "severity_number",
        "timestamp_origin",
        "attributes",
    ];
    assert_eq!(
        row(&server, "default", 0, &names),
        ["my shop", "x", "9", "record", r#"{"message":"m"}"#]
    );
    for query in ["?time=x", "?service=", "?service=a&service=b"] {
        let (status, answer) = send(&server, query, line).await;
        assert_eq!(status, 400, "{query}: {answer}");
    }
}
