//! Two tenants with a key each, and every endpoint: nobody sees a word of the other. Their names are in no other
//! word ("red" is in "filtered").

use crate::server::{BINARY, Server, logs};
use hyper::{Method, StatusCode};
use serde_json::json;
use std::{path::Path, process::Command};

/// A key and its entry for the settings.
fn key(tenant: &str, scopes: &str) -> (String, String) {
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
fn write_settings(path: &Path, entries: &[&str]) {
    std::fs::write(path, entries.join("\n")).expect("the folder is there");
}

#[tokio::test]
async fn a_key_opens_its_tenant_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (vermilion, vermilion_entry) = key("vermilion", "ingest,query");
    let (turquoise, turquoise_entry) = key("turquoise", "ingest,query");
    let (sender, sender_entry) = key("vermilion", "ingest");
    let settings = folder.path().join("cairn.toml");
    write_settings(
        &settings,
        &[&vermilion_entry, &turquoise_entry, &sender_entry],
    );
    let data_dir = folder.path().join("data");
    let settings = settings.to_str().expect("UTF-8");
    let server = Server::start(&data_dir, &["--config", settings]).await;

    for (key, secret) in [
        (&vermilion, "vermilion-secret"),
        (&turquoise, "turquoise-secret"),
    ] {
        let service = format!("{secret}-service");
        server
            .send_grpc(logs(&service, &[secret]), Some(key))
            .await
            .expect("acknowledged");
        let same = logs("mutual", &["the same bytes"]);
        assert_eq!(server.send_http(&same, Some(key)).await, StatusCode::OK);
    }
    check_reads(&server, &vermilion, "vermilion", "turquoise").await;
    check_reads(&server, &turquoise, "turquoise", "vermilion").await;
    check_refusals(&server, &sender).await;
    server.stop().await;

    // From segments, not from buffers.
    let server = Server::start(&data_dir, &["--config", settings]).await;
    check_reads(&server, &vermilion, "vermilion", "turquoise").await;
    check_reads(&server, &turquoise, "turquoise", "vermilion").await;
}

/// Every endpoint with `key`, whose tenant is `own`: its rows are there, and no answer names `other`.
async fn check_reads(server: &Server, key: &str, own: &str, other: &str) {
    let key = Some(key);
    let rows = server
        .sql("SELECT body FROM logs ORDER BY body DESC", key)
        .await;
    assert_eq!(rows, json!([[format!("{own}-secret")], ["the same bytes"]]));
    let statements = [
        "SELECT * FROM logs",
        "SELECT count(*) FROM logs",
        "EXPLAIN SELECT * FROM logs WHERE body = 'x'",
        "EXPLAIN ANALYZE SELECT * FROM logs",
        "SELECT * FROM dead_letters",
        "SELECT * FROM information_schema.tables",
        "SHOW TABLES",
        "SELECT nothing FROM logs",
        "SELECT CAST(body AS BIGINT) FROM logs",
        "SELECT * FROM tenants",
    ];
    for statement in statements {
        let (_, text) = server
            .api(Method::POST, "/api/v1/sql", key, statement)
            .await;
        assert!(!text.contains(other), "{statement}: {text}");
    }
    for path in [
        "/api/v1/schema",
        "/metrics",
        "/api/v1/version",
        "/healthz",
        "/readyz",
        "/api/v1/nothing",
    ] {
        let (_, text) = server.api(Method::GET, path, key, "").await;
        assert!(!text.contains(other), "{path}: {text}");
    }
    let (_, metrics) = server.api(Method::GET, "/metrics", key, "").await;
    assert!(metrics.contains(&format!("tenant=\"{own}\"")), "{metrics}");
}

/// No key, a wrong key, and a key without the scope.
async fn check_refusals(server: &Server, sender: &str) {
    let asks = [
        (Method::POST, "/api/v1/sql", "SELECT 1"),
        (Method::GET, "/api/v1/schema", ""),
        (Method::GET, "/api/v1/version", ""),
        (Method::GET, "/metrics", ""),
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
