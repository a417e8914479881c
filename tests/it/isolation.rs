//! Two tenants with a key each, and every endpoint: nobody sees a word of the other. Their names are in no other
//! word ("red" is in "filtered").

use crate::{
    otlp::Sender,
    server::{BINARY, Server, logs},
};
use hyper::{Method, StatusCode};
use serde_json::json;
use std::{path::Path, process::Command};

/// A key and its entry for the settings.
pub(crate) fn key(tenant: &str, scopes: &str) -> (String, String) {
    let name = format!("{tenant} {scopes}");
    let arguments = [
        "key", "new", "--tenant", tenant, "--name", &name, "--scopes", scopes,
    ];
    let output = Command::new(BINARY)
        .args(arguments)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let entry = text.find("[[tenancy.keys]]").expect("an entry");
    (
        text.lines().next().expect("a key").to_string(),
        text[entry..].to_string(),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test writes a settings file as a user would"
)]
pub(crate) fn write_settings(path: &Path, entries: &[&str]) {
    std::fs::write(path, entries.join("\n")).expect("the folder is there");
}

const VERMILION: Sender = Sender {
    word: "vermilion",
    byte: 0xa1,
};

const TURQUOISE: Sender = Sender {
    word: "turquoise",
    byte: 0xb2,
};

/// Every table and the rows that each tenant has in it.
const ROWS: [(&str, i64); 7] = [
    ("dead_letters", 3),
    ("exemplars", 4),
    // One of the tenant's own, and one that is the same bytes for both.
    ("logs", 2),
    ("metrics", 5),
    ("span_events", 1),
    ("span_links", 1),
    ("spans", 1),
];

/// Every format of an answer.
const FORMATS: [&str; 4] = [
    "application/json",
    "application/x-ndjson",
    "application/vnd.apache.arrow.stream",
    "text/csv",
];

#[tokio::test]
async fn a_key_opens_its_tenant_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (vermilion, vermilion_entry) = key("vermilion", "ingest,query");
    let (turquoise, turquoise_entry) = key("turquoise", "ingest,query");
    let (sender, sender_entry) = key("vermilion", "ingest");
    let (operator, operator_entry) = key("vermilion", "operate");
    let settings = folder.path().join("cairn.toml");
    write_settings(
        &settings,
        &[
            &vermilion_entry,
            &turquoise_entry,
            &sender_entry,
            &operator_entry,
        ],
    );
    let data_dir = folder.path().join("data");
    let settings = settings.to_str().expect("UTF-8");
    let server = Server::start(&data_dir, &["--config", settings]).await;

    send_all(&server, &vermilion, VERMILION, TURQUOISE).await;
    send_all(&server, &turquoise, TURQUOISE, VERMILION).await;
    check_reads(&server, &vermilion, VERMILION, TURQUOISE).await;
    check_reads(&server, &turquoise, TURQUOISE, VERMILION).await;
    check_refusals(&server, &sender).await;
    check_operator(&server, &operator).await;
    server.stop().await;

    // From segments, not from buffers.
    let server = Server::start(&data_dir, &["--config", settings]).await;
    check_reads(&server, &vermilion, VERMILION, TURQUOISE).await;
    check_reads(&server, &turquoise, TURQUOISE, VERMILION).await;
}

/// Records of every kind, and one of each signal that is rejected; what the client is told does not name `other`.
async fn send_all(server: &Server, key: &str, own: Sender, other: Sender) {
    let key = Some(key);
    let sent = [
        server.send_grpc(own.logs(), key).await,
        server.send_spans(own.spans(), key).await,
        server.send_metrics(own.metrics(), key).await,
    ];
    for answer in sent {
        answer.expect("acknowledged");
    }
    let same = logs("mutual", &["the same bytes"]);
    assert_eq!(server.send_http(&same, key).await, StatusCode::OK);
    let refused = [
        server.send("logs", &own.refused_logs(), key).await,
        server.send("traces", &own.refused_spans(), key).await,
        server.send("metrics", &own.refused_metrics(), key).await,
    ];
    for (status, text) in refused {
        assert_eq!(status, StatusCode::OK);
        assert!(!text.is_empty(), "a partial success");
        check_text(&text, other, "a partial success");
    }
}

/// `text`, the answer to `what`, says nothing of `other`.
fn check_text(text: &str, other: Sender, what: &str) {
    let lower = text.to_lowercase();
    assert!(!lower.contains(other.word), "{what}: {text}");
    assert!(!lower.contains(&other.trace_id()), "{what}: {text}");
}

/// Every endpoint with `key`, whose tenant is `own`: its rows are there, and no answer names `other`.
async fn check_reads(server: &Server, key: &str, own: Sender, other: Sender) {
    let key = Some(key);
    let tables = server.sql("SHOW TABLES", key).await;
    let tables = tables.as_array().expect("rows are an array");
    let names: Vec<_> = tables.iter().map(|row| row[0].as_str()).collect();
    let asked: Vec<_> = ROWS.iter().map(|(table, _)| Some(*table)).collect();
    assert_eq!(names, asked, "a new table is asked here too");
    for (table, rows) in ROWS {
        let count = server
            .sql(&format!("SELECT count(*) FROM {table}"), key)
            .await;
        assert_eq!(count, json!([[rows]]), "{table}");
        check_table(server, key, table, (own, other)).await;
    }
    check_statements(server, key, other).await;
    for path in [
        "/api/v1/schema",
        "/metrics",
        "/api/v1/version",
        "/healthz",
        "/readyz",
        "/api/v1/nothing",
    ] {
        let (_, text) = server.api(Method::GET, path, key, "").await;
        check_text(&text, other, path);
    }
    let (_, schema) = server.api(Method::GET, "/api/v1/schema", key, "").await;
    assert!(schema.contains(&format!("{}-key", own.word)), "{schema}");
    check_metrics(server, key, own).await;
    check_searches(server, key, own, other).await;
}

/// Saved searches of one name are each tenant's own.
async fn check_searches(server: &Server, key: Option<&str>, own: Sender, other: Sender) {
    let (one, all) = ("/api/v1/logs/searches/same", "/api/v1/logs/searches");
    let search = json!({ "q": own.word }).to_string();
    let (status, text) = server.api(Method::PUT, one, key, &search).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    for path in [one, all] {
        let (status, text) = server.api(Method::GET, path, key, "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        assert!(text.contains(own.word), "{path}: {text}");
        check_text(&text, other, path);
    }
}

/// All that can be asked of one table.
async fn check_table(server: &Server, key: Option<&str>, table: &str, tenants: (Sender, Sender)) {
    let (own, other) = tenants;
    for format in FORMATS {
        let statement = format!("SELECT * FROM {table}");
        let (status, text) = server.sql_as(format, &statement, key).await;
        assert_eq!(status, StatusCode::OK, "{statement}: {text}");
        check_text(&text, other, &format!("{statement} as {format}"));
        // The bytes of a dead letter's record are not text.
        if table != "dead_letters" {
            assert!(text.contains(own.word), "{statement} as {format}: {text}");
        }
    }
    let statements = [
        format!("EXPLAIN SELECT * FROM {table}"),
        format!("EXPLAIN VERBOSE SELECT * FROM {table}"),
        format!("EXPLAIN ANALYZE SELECT * FROM {table}"),
        format!("EXPLAIN ANALYZE SELECT * FROM {table} WHERE timestamp > '2020-01-01T00:00:00Z'"),
        format!("DESCRIBE {table}"),
        format!("SHOW COLUMNS FROM {table}"),
        format!("SELECT nothing FROM {table}"),
        format!("SELECT * FROM {table}_"),
        format!("SELECT min(timestamp), max(timestamp), count(*) FROM {table}"),
        format!("SELECT CAST(CAST(timestamp AS VARCHAR) AS BIGINT) FROM {table}"),
    ];
    for statement in &statements {
        let (_, text) = server
            .api(Method::POST, "/api/v1/sql", key, statement)
            .await;
        check_text(&text, other, statement);
    }
}

/// Statements that ask for the other tenant by name, and errors that quote values.
async fn check_statements(server: &Server, key: Option<&str>, other: Sender) {
    let statements = [
        "SELECT encode(record, 'hex') FROM dead_letters".to_string(),
        "SELECT CAST(body AS BIGINT) FROM logs".to_string(),
        "SELECT CAST(name AS BIGINT) FROM spans".to_string(),
        "SELECT CAST(attributes AS BIGINT) FROM metrics".to_string(),
        "SELECT attributes['mutual.key'], resource['service.name'] FROM logs".to_string(),
        "SELECT DISTINCT metric, attributes['mutual.key'] FROM metrics".to_string(),
        "SELECT l.body FROM logs l JOIN spans s ON l.trace_id = s.trace_id".to_string(),
        "SELECT * FROM information_schema.tables".to_string(),
        "SELECT * FROM information_schema.columns".to_string(),
        "SHOW TABLES".to_string(),
        "SELECT * FROM tenants".to_string(),
    ];
    let word = hex::encode(other.word);
    for statement in &statements {
        let (_, text) = server
            .api(Method::POST, "/api/v1/sql", key, statement)
            .await;
        check_text(&text, other, statement);
        assert!(!text.contains(&word), "{statement}: {text}");
    }
    // The other's ids and names find nothing, whatever index or dictionary answers.
    let id = other.trace_id();
    for table in ["logs", "spans", "span_events", "span_links", "exemplars"] {
        let statement = format!("SELECT count(*) FROM {table} WHERE trace_id = '{id}'");
        assert_eq!(
            server.sql(&statement, key).await,
            json!([[0]]),
            "{statement}"
        );
    }
    let statement = format!(
        "SELECT count(*) FROM metrics WHERE metric = '{}-metric'",
        other.word
    );
    assert_eq!(server.sql(&statement, key).await, json!([[0]]));
}

/// The ledger of `/metrics` counts the tenant's own records of every signal.
async fn check_metrics(server: &Server, key: Option<&str>, own: Sender) {
    let (_, metrics) = server.api(Method::GET, "/metrics", key, "").await;
    let label = format!("tenant=\"{}\"", own.word);
    let rows = metrics.lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        assert!(row.contains(&label), "{row}");
    }
    assert!(metrics.contains(&label), "{metrics}");
}

/// Who operates the server sees the metrics of all and of the process, may flush, and reads no telemetry.
async fn check_operator(server: &Server, operator: &str) {
    let key = Some(operator);
    let (_, metrics) = server.api(Method::GET, "/metrics", key, "").await;
    for part in [
        "tenant=\"vermilion\"",
        "tenant=\"turquoise\"",
        "storage_wal_bytes",
    ] {
        assert!(metrics.contains(part), "{part}: {metrics}");
    }
    let (status, text) = server.api(Method::POST, "/api/v1/flush", key, "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let (status, stored) = server.api(Method::GET, "/api/v1/storage", key, "").await;
    assert_eq!(status, StatusCode::OK, "{stored}");
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    let signals = stored["signals"].as_array().expect("an array");
    for tenant in ["vermilion", "turquoise"] {
        let logs = signals
            .iter()
            .find(|signal| signal["tenant"] == tenant && signal["signal"] == "logs");
        let logs = logs.expect("they were flushed");
        assert!(
            logs["rows"].as_u64() > Some(0) && logs["bytes"].as_u64() > Some(0),
            "{logs}"
        );
        assert_eq!(logs["retention_days"], 30);
        assert!(logs["next_expiry"].is_string(), "{logs}");
    }
    let reconcile = "/api/v1/storage/reconcile";
    let (status, looked) = server.api(Method::POST, reconcile, key, "").await;
    assert_eq!(status, StatusCode::OK, "{looked}");
    let looked: serde_json::Value = serde_json::from_str(&looked).expect("JSON");
    assert_eq!(
        (&looked["objects"], &looked["missing_objects"]),
        (&json!(0), &json!(0))
    );
    for (method, path) in [
        (Method::POST, "/api/v1/sql"),
        (Method::GET, "/api/v1/schema"),
    ] {
        let (status, text) = server.api(method, path, key, "SELECT 1").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {text}");
    }
}

/// No key, a wrong key, and a key without the scope.
async fn check_refusals(server: &Server, sender: &str) {
    let asks = [
        (Method::POST, "/api/v1/sql", "SELECT 1"),
        (Method::GET, "/api/v1/schema", ""),
        (Method::GET, "/api/v1/version", ""),
        (Method::GET, "/metrics", ""),
        (Method::POST, "/api/v1/flush", ""),
        (Method::POST, "/api/v1/dead-letters/replay", ""),
        (Method::GET, "/api/v1/storage", ""),
        (Method::POST, "/api/v1/storage/reconcile", ""),
        (Method::GET, "/api/v1/logs/searches", ""),
        (Method::PUT, "/api/v1/logs/searches/x", "{}"),
        (Method::DELETE, "/api/v1/logs/searches/x", ""),
    ];
    for (method, path, body) in asks {
        for (key, status) in [
            (None, StatusCode::UNAUTHORIZED),
            (Some("cairn_0000"), StatusCode::UNAUTHORIZED),
            (Some(sender), StatusCode::FORBIDDEN),
        ] {
            let (found, text) = server.api(method.clone(), path, key, body).await;
            assert_eq!(found, status, "{path} with {key:?}: {text}");
            assert!(!text.contains("cairn_0000"), "{text}");
        }
    }
    let request = logs("x", &["x"]);
    assert_eq!(
        server.send_http(&request, None).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        server.send_http(&request, Some("cairn_0000")).await,
        StatusCode::UNAUTHORIZED
    );
    let refused = server
        .send_grpc(request.clone(), None)
        .await
        .expect_err("no key");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let same = logs("mutual", &["the same bytes"]);
    assert_eq!(
        server.send_http(&same, Some(sender)).await,
        StatusCode::OK,
        "its scope allows it, as a retry"
    );
    let (_, text) = server.api(Method::GET, "/readyz", None, "").await;
    assert_eq!(text, "ready\n", "health needs no key");
}
