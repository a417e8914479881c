//! Loki's API over what came in as OTLP and by Loki's push: every endpoint and a table of queries, from the buffer and from
//! segments; Grafana's own requests; tail; what a query reads.

mod queries;
mod records;

use crate::server::Server;
use futures::StreamExt;
use hyper::{Method, StatusCode};
use records::{BASE, END};
use serde_json::{Value as Json, json};

/// The answer to a question.
async fn get(server: &Server, question: &str) -> Json {
    let path = format!("/loki/api/v1/{question}");
    let (status, text) = server.api(Method::GET, &path, None, "").await;
    assert_eq!(status, StatusCode::OK, "{question}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).expect("it is text")
}

/// `start` and `end` around all records.
fn interval() -> String {
    format!("start={BASE}&end={}", END + 1)
}

async fn streams(server: &Server) {
    let interval = interval();
    let names = get(server, &format!("labels?{interval}")).await;
    let expected = json!(["k8s_namespace_name", "level", "service_name"]);
    assert_eq!(names, json!({ "status": "success", "data": expected }));
    let same = get(server, &format!("label?{interval}")).await;
    assert_eq!(same, names);
    let values = get(server, &format!("label/service_name/values?{interval}")).await;
    assert_eq!(values["data"], json!(["shop", "till"]));
    let of_till = encoded(&[("query", r#"{service_name="till"}"#)]);
    let values = get(server, &format!("label/level/values?{interval}&{of_till}")).await;
    assert_eq!(values["data"], json!(["unknown", "warn"]));
    let matched = encoded(&[("match[]", r#"{service_name=~"till|none"}"#)]);
    let series = get(server, &format!("series?{interval}&{matched}")).await;
    let expected = json!([
        { "level": "unknown", "service_name": "till" },
        { "level": "warn", "service_name": "till" },
    ]);
    assert_eq!(series["data"], expected);
    let detected = get(server, &format!("detected_labels?{interval}")).await;
    let expected = json!({ "detectedLabels": [
        { "label": "k8s_namespace_name", "cardinality": 1 },
        { "label": "level", "cardinality": 4 },
        { "label": "service_name", "cardinality": 2 },
    ] });
    assert_eq!(detected, expected);
    let (status, text) = server
        .api_with(
            (Method::POST, "/loki/api/v1/series"),
            &[("content-type", "application/x-www-form-urlencoded")],
            &format!("{interval}&{matched}"),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(serde_json::from_str::<Json>(&text).expect("JSON"), series);
}

async fn volumes(server: &Server) {
    let interval = interval();
    let of_till = encoded(&[("query", r#"{service_name="till"}"#)]);
    let stats = get(server, &format!("index/stats?{interval}&{of_till}")).await;
    let bytes = records::TILL
        .iter()
        .map(|(_, _, line)| line.len())
        .sum::<usize>();
    let (streams, entries) = (&stats["streams"], &stats["entries"]);
    assert_eq!(
        (streams, entries, &stats["bytes"]),
        (&json!(2), &json!(2), &json!(bytes))
    );
    let all = encoded(&[("query", r#"{service_name=~".+"}"#)]);
    let volume = get(server, &format!("index/volume?{interval}&{all}")).await;
    let result = volume["data"]["result"].as_array().expect("a vector");
    let named: Vec<&Json> = result
        .iter()
        .map(|element| &element["metric"]["service_name"])
        .collect();
    assert_eq!(named, ["shop", "till"], "{volume}");
    assert_eq!(result[1]["value"], json!([END + 1, bytes.to_string()]));
    let by = encoded(&[("query", "{}"), ("aggregateBy", "labels")]);
    let volume = get(server, &format!("index/volume?{interval}&{by}")).await;
    assert_eq!(volume["data"]["result"].as_array().map(Vec::len), Some(3));
    let range = get(
        server,
        &format!("index/volume_range?{interval}&{of_till}&step=60"),
    )
    .await;
    let values = json!([
        [BASE, records::TILL[0].2.len().to_string()],
        [BASE + 60, records::TILL[1].2.len().to_string()]
    ]);
    assert_eq!(range["data"]["result"][0]["values"], values, "{range}");
}

async fn fields(server: &Server) {
    let interval = interval();
    let query = encoded(&[("query", r#"{service_name="shop"}"#)]);
    let fields = get(server, &format!("detected_fields?{interval}&{query}")).await;
    let named = |name: &str| {
        let fields = fields["fields"].as_array().expect("fields");
        let field = fields.iter().find(|field| field["label"] == name);
        field.cloned().unwrap_or_default()
    };
    assert_eq!(
        named("took"),
        json!({ "label": "took", "type": "duration", "cardinality": 4, "parsers": ["logfmt"] })
    );
    assert_eq!(named("user_name")["parsers"], json!(["json"]), "{fields}");
    assert_eq!(named("http_route")["parsers"], Json::Null);
    let values = get(
        server,
        &format!("detected_field/user/values?{interval}&{query}"),
    )
    .await;
    assert_eq!(values["values"], json!(["alice", "bob"]));
    let patterns = get(server, &format!("patterns?{interval}&{query}&step=60")).await;
    let counts = patterns["data"].as_array().expect("patterns").iter();
    let samples =
        counts.flat_map(|pattern| pattern["samples"].as_array().expect("samples").clone());
    let lines: u64 = samples.filter_map(|sample| sample[1].as_u64()).sum();
    assert_eq!(lines, 5, "{patterns}");
}

/// What Grafana's data source asks: its health check, the volume of its explorer, and lines with labels by category.
async fn grafana(server: &Server) {
    let health = encoded(&[
        ("query", "vector(1)+vector(1)"),
        ("time", "1760000000000000000"),
    ]);
    let answer = get(server, &format!("query?{health}")).await;
    assert_eq!(answer["data"]["resultType"], "vector");
    assert_eq!(
        answer["data"]["result"],
        json!([{ "metric": {}, "value": [BASE, "2"] }])
    );
    let volume = r#"sum by (level, detected_level) (count_over_time({service_name="shop"} |= `` | drop __error__[10s]))"#;
    let question = encoded(&[
        ("query", volume),
        ("step", "10s"),
        ("direction", "backward"),
    ]);
    let answer = get(server, &format!("query_range?{}&{question}", interval())).await;
    let series = answer["data"]["result"].as_array().expect("a matrix");
    let levels: Vec<&Json> = series
        .iter()
        .map(|one| &one["metric"]["detected_level"])
        .collect();
    assert_eq!(levels, ["error", "info", "warn"], "{answer}");
    let question = encoded(&[
        ("query", r#"{service_name="shop",level="error"} | json"#),
        ("limit", "10"),
    ]);
    let path = format!("/loki/api/v1/query_range?{}&{question}", interval());
    let flags = [("x-loki-response-encoding-flags", "categorize-labels")];
    let (status, text) = server.api_with((Method::GET, &path), &flags, "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let answer: Json = serde_json::from_str(&text).expect("JSON");
    let data = &answer["data"];
    assert_eq!(data["encodingFlags"], json!(["categorize-labels"]));
    let stream = &data["result"][0];
    let labels = json!({ "k8s_namespace_name": "prod", "level": "error", "service_name": "shop" });
    assert_eq!(stream["stream"], labels);
    let own = &stream["values"][0][2];
    assert_eq!(own["parsed"]["user_name"], "bob", "{own}");
    assert_eq!(
        own["structuredMetadata"]["trace_id"],
        "ab".repeat(16),
        "{own}"
    );
    let built = get(server, "status/buildinfo").await;
    assert!(
        built["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("3."))
    );
    let query = encoded(&[("query", r#"{a="b"}|json|x="y""#)]);
    let formatted = get(server, &format!("format_query?{query}")).await;
    assert_eq!(formatted["data"], r#"{a="b"} | json | x="y""#);
}

async fn check_all(server: &Server) {
    streams(server).await;
    volumes(server).await;
    fields(server).await;
    grafana(server).await;
    queries::check_all(server).await;
}

#[tokio::test]
async fn otlp_and_pushed_logs_answer_logql_from_buffer_and_segments() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    records::send(&server).await;
    check_all(&server).await;
    let (status, _) = server.api(Method::POST, "/api/v1/flush", None, "").await;
    assert_eq!(status, StatusCode::OK);
    check_all(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn failures_are_said_as_loki_says_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let check = async |path: &str, pairs: &[(&str, &str)], words: &str| {
        let path = format!("/loki/api/v1/{path}?{}", encoded(pairs));
        let (status, text) = server.api(Method::GET, &path, None, "").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {text}");
        assert!(text.contains(words), "{path}: {text}");
    };
    let log = ("query", r#"{a="b"}"#);
    check(
        "query_range",
        &[("query", "{")],
        "parse error at line 1, col 2",
    )
    .await;
    check("query_range", &[("query", "{}")], "parse error").await;
    check("query_range", &[], "parse error").await;
    check(
        "query",
        &[log],
        "log queries are not supported as an instant query type",
    )
    .await;
    check(
        "query_range",
        &[log, ("limit", "5001")],
        "max entries limit per query exceeded",
    )
    .await;
    check(
        "query_range",
        &[log, ("limit", "0")],
        "limit must be a positive value",
    )
    .await;
    check(
        "query_range",
        &[log, ("start", "2"), ("end", "1")],
        "end timestamp",
    )
    .await;
    check(
        "query_range",
        &[log, ("start", "1"), ("end", "20000"), ("step", "1")],
        "11,000",
    )
    .await;
    check(
        "query_range",
        &[log, ("direction", "up")],
        "invalid direction",
    )
    .await;
    check(
        "query",
        &[("query", r#"rate({a="b"}[5m])"#), ("time", "never")],
        "time",
    )
    .await;
    check("series", &[("match[]", "x")], "parse error").await;
    check("tail", &[("query", r#"rate({a="b"}[5m])"#)], "parse error").await;
    server.stop().await;
}

#[tokio::test]
async fn lines_arrive_over_a_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let now = records::now_ns(&server).await;
    records::push(&server, &[("info", now - 1_000_000_000, "before one")]).await;
    let question = encoded(&[("query", r#"{service_name="till"} |= "one""#)]);
    let url = format!(
        "{}/loki/api/v1/tail?{question}",
        server.api.replace("http", "ws")
    );
    let (mut socket, _) = tokio_tungstenite::connect_async(&url)
        .await
        .expect("it upgrades");
    let mut next = async || loop {
        let message = tokio::time::timeout(crate::server::PATIENCE, socket.next()).await;
        let message = message
            .expect("in time")
            .expect("the socket is open")
            .expect("a message");
        if message.is_text() {
            let text = message.into_text().expect("text").to_string();
            return serde_json::from_str::<Json>(&text).expect("JSON");
        }
    };
    let first = next().await;
    assert_eq!(first["streams"][0]["values"][0][1], "before one", "{first}");
    let now = records::now_ns(&server).await;
    records::push(
        &server,
        &[("info", now, "another"), ("error", now, "one more")],
    )
    .await;
    let second = next().await;
    let expected = json!([[now.to_string(), "one more"]]);
    assert_eq!(second["streams"][0]["values"], expected, "{second}");
    assert_eq!(second["streams"][0]["stream"]["level"], "error");
    let mut request = hyper::Request::get(&url);
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("host", "localhost"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ] {
        request = request.header(name, value);
    }
    let request = request.body(()).expect("a request");
    let refused = tokio_tungstenite::connect_async(request).await;
    let said = refused
        .expect_err("pages of elsewhere read nothing")
        .to_string();
    assert!(said.contains("403"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn a_query_reads_what_its_statement_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    records::many(&server, 20_000).await;
    let (status, _) = server.api(Method::POST, "/api/v1/flush", None, "").await;
    assert_eq!(status, StatusCode::OK);
    let interval = format!("start={BASE}&end={}", BASE + 100);
    let columns = "timestamp, severity_number, severity_text, resource_attributes";
    let times = format!(
        "timestamp >= to_timestamp({BASE}) AND timestamp < to_timestamp({})",
        BASE + 100
    );
    let own = "event_name, trace_id, span_id, scope_name, scope_version, attributes";
    for (query, statement) in [
        (
            r#"{service_name="shop"} |= "number 777 ""#,
            format!(
                "SELECT {columns}, body, {own} FROM logs WHERE {times} AND service_name = 'shop' \
                     AND contains(body, 'number 777 ') ORDER BY timestamp DESC"
            ),
        ),
        (
            r#"sum by (service_name) (count_over_time({service_name="shop"} |= "number 7" [100s]))"#,
            format!(
                "SELECT {columns}, body FROM logs WHERE {times} AND service_name = 'shop' AND contains(body, 'number 7')"
            ),
        ),
        (
            r#"sum by (level) (count_over_time({service_name="shop"}[100s]))"#,
            format!(
                "SELECT severity_number, severity_text, resource_attributes, max(timestamp) FROM logs WHERE {times} AND service_name = 'shop' GROUP BY 1, 2, 3"
            ),
        ),
        (
            r#"{service_name="nobody"} |= "number""#,
            format!("SELECT {columns}, body FROM logs WHERE {times} AND service_name = 'nobody'"),
        ),
    ] {
        let question = encoded(&[("query", query), ("step", "100s"), ("limit", "5000")]);
        let path = format!("/loki/api/v1/query_range?{interval}&{question}");
        // The first one reads the footers, too.
        server.completeness_of(&path).await;
        let of_logql = server.completeness_of(&path).await;
        let of_sql = server.completeness("application/json", &statement).await;
        let bytes = |of: &Json| of["bytes_read"].as_u64().expect("a number");
        let (logql, sql) = (bytes(&of_logql), bytes(&of_sql));
        // The metric query looks at the time before its first step as well.
        assert!(
            logql <= 2 * sql + 4096,
            "{query} reads {logql} bytes, its statement {sql}"
        );
    }
    server.stop().await;
}
