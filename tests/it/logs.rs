//! `/api/v1/logs/…`: pages, histogram, fields, context, patterns, tail and export over records that a client sent.

use crate::server::{Server, logs};
use hyper::{Method, StatusCode};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Around the records of [`logs`].
const INTERVAL: &str = "from=1760000000000000000&to=1760000001000000000";

async fn get(server: &Server, question: &str) -> Json {
    let (status, text) = server
        .api(Method::GET, &format!("/api/v1/logs/{question}"), None, "")
        .await;
    assert_eq!(status, StatusCode::OK, "{question}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The values of one column of an answer.
fn column(answer: &Json, name: &str) -> Vec<Json> {
    let columns = answer["columns"].as_array().expect("columns");
    let at = columns
        .iter()
        .position(|column| column["name"] == name)
        .expect("the column is there");
    answer["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row[at].clone())
        .collect()
}

#[tokio::test]
async fn records_are_found_page_by_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let bodies: Vec<String> = (0..25)
        .map(|n| format!("order {n} took {n}ms for Alice"))
        .collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    server
        .send_grpc(logs("shop", &bodies), None)
        .await
        .expect("it is taken");
    server
        .send_grpc(logs("till", &["disk full"]), None)
        .await
        .expect("it is taken");
    for flush in [false, true] {
        if flush {
            server.api(Method::POST, "/api/v1/flush", None, "").await;
        }
        paged(&server).await;
        around(&server).await;
        counted(&server).await;
    }
    server.stop().await;
}

/// Newest first by `before`, then back by `after`: each record once.
async fn paged(server: &Server) {
    let mut seen = Vec::new();
    let mut page = String::new();
    loop {
        let answer = get(server, &format!("search?{INTERVAL}&q=alice&limit=10{page}")).await;
        let cursors = column(&answer, "cursor");
        let Some(last) = cursors.last().and_then(Json::as_str) else {
            break;
        };
        page = format!("&before={last}");
        seen.extend(column(&answer, "body"));
    }
    let expected: Vec<Json> = (0..25)
        .rev()
        .map(|n| json!(format!("order {n} took {n}ms for Alice")))
        .collect();
    assert_eq!(seen, expected);
    let answer = get(
        server,
        &format!("search?{INTERVAL}&q=alice&order=asc&limit=3"),
    )
    .await;
    let last = column(&answer, "cursor")[2].clone();
    let last = last.as_str().expect("text");
    let answer = get(
        server,
        &format!("search?{INTERVAL}&q=alice&order=asc&limit=1&after={last}"),
    )
    .await;
    assert_eq!(
        column(&answer, "body"),
        [json!("order 3 took 3ms for Alice")]
    );
    let answer = get(
        server,
        &format!("search?{INTERVAL}&filter=service_name%20%3D%20'till'"),
    )
    .await;
    assert_eq!(column(&answer, "body"), [json!("disk full")]);
    for (q, expected) in [
        ("%22took%207ms%22", 1),
        ("ali*%20-%22order%207%22", 24),
        ("*lic*", 25),
        ("service%3Dtill%20OR%20%22order%203%22", 2),
        ("swordfish", 0),
    ] {
        let answer = get(server, &format!("search?{INTERVAL}&q={q}")).await;
        assert_eq!(column(&answer, "body").len(), expected, "{q}");
    }
}

async fn around(server: &Server) {
    let answer = get(server, &format!("search?{INTERVAL}&q=%22order%2012%22")).await;
    let cursor = column(&answer, "cursor")[0].clone();
    let cursor = cursor.as_str().expect("text");
    let answer = get(server, &format!("context?cursor={cursor}&limit=2")).await;
    let bodies = column(&answer, "body");
    let expected = [14, 13, 12, 11, 10].map(|n| json!(format!("order {n} took {n}ms for Alice")));
    assert_eq!(bodies, expected);
    let (status, _) = server
        .api(Method::GET, "/api/v1/logs/context?cursor=1.1.1.1", None, "")
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

async fn counted(server: &Server) {
    let answer = get(server, &format!("histogram?{INTERVAL}")).await;
    let counts: i64 = column(&answer, "count")
        .iter()
        .filter_map(Json::as_i64)
        .sum();
    assert_eq!(counts, 26);
    let answer = get(server, &format!("fields?{INTERVAL}")).await;
    assert_eq!(answer["rows"], 26);
    let fields = answer["fields"].as_array().expect("fields");
    let service = fields
        .iter()
        .find(|field| field["name"] == "service_name")
        .expect("a field");
    assert_eq!(service["top"][0], json!({ "value": "shop", "count": 25 }));
    let answer = get(server, &format!("patterns?{INTERVAL}")).await;
    let first = &answer["patterns"][0];
    assert_eq!(
        (&first["pattern"], &first["count"]),
        (&json!("order <_> took <_> for Alice"), &json!(25))
    );
    let path = format!("/api/v1/logs/export?{INTERVAL}");
    let (status, text) = server.api(Method::GET, &path, None, "").await;
    assert_eq!(status, StatusCode::OK);
    let lines: BTreeSet<&str> = text.lines().collect();
    assert_eq!(lines.len(), 26, "{text}");
}

#[tokio::test]
async fn wrong_questions_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    for question in [
        "search?from=tomorrow",
        "search?from=2&to=1",
        "search?limit=0",
        "search?limit=1000000",
        "search?before=x",
        "search?filter=true)%20OR%20(true",
        "search?q=%22open",
        "search?q=a%20OR",
        "export?q=trace_id%3A12",
        "search?unknown=1",
        "context",
        "histogram?buckets=0",
    ] {
        let (status, text) = server
            .api(Method::GET, &format!("/api/v1/logs/{question}"), None, "")
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{question}: {text}");
    }
    server.stop().await;
}
