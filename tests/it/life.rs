//! A server's life: what came in comes out, also after a clean stop and after a kill.

use crate::server::{BINARY, Server, logs};
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value::Value};
use serde_json::json;
use std::{path::Path, process::Command};

const BODIES: &str = "SELECT service_name, body FROM logs ORDER BY body";

#[tokio::test]
async fn what_came_in_comes_out_over_stops_and_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    server
        .send_grpc(logs("a", &["one", "two"]), None)
        .await
        .expect("acknowledged");
    assert_eq!(
        server.send_http(&logs("b", &["three"]), None).await,
        StatusCode::OK
    );
    let mut expected = json!([["a", "one"], ["b", "three"], ["a", "two"]]);
    assert_eq!(
        server.sql(BODIES, None).await,
        expected,
        "readable once acknowledged"
    );
    server.stop().await;

    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(
        server.sql(BODIES, None).await,
        expected,
        "after a clean stop, from segments"
    );
    assert_eq!(
        server.send_http(&logs("b", &["three"]), None).await,
        StatusCode::OK
    );
    assert_eq!(
        server.sql(BODIES, None).await,
        expected,
        "a retry is no new row"
    );
    server
        .send_grpc(logs("c", &["zero"]), None)
        .await
        .expect("acknowledged");
    server.kill().await;

    let server = Server::start(folder.path(), &[]).await;
    expected
        .as_array_mut()
        .expect("rows")
        .push(json!(["c", "zero"]));
    assert_eq!(
        server.sql(BODIES, None).await,
        expected,
        "after a kill, from the log"
    );
    server.stop().await;

    check_offline(folder.path());
    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(
        server.sql(BODIES, None).await,
        expected,
        "after a rebuild of the catalog"
    );
}

/// What is run over a data folder that no server has open.
fn check_offline(folder: &Path) {
    for arguments in [
        ["verify"].as_slice(),
        &["restore-drill"],
        &["catalog", "migrate", "--dry-run"],
        &["catalog", "rebuild"],
        &["restore-drill", "--from-backup", "--read-all"],
        &["verify"],
    ] {
        let mut command = Command::new(BINARY);
        let command = command.args(arguments).arg("--data-dir").arg(folder);
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn the_otlp_check_finds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let mut check = tokio::process::Command::new(BINARY);
    let check = check.args(["otlp-check", &server.http, "--grpc", &server.grpc]);
    let check = check.args(["--format", "json"]).output().await;
    let check = check.expect("the binary runs");
    let rows: Vec<serde_json::Value> =
        serde_json::from_slice(&check.stdout).expect("an array of checks");
    assert!(rows.len() > 50, "{} checks", rows.len());
    let failed: Vec<_> = rows.iter().filter(|row| row["passed"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(check.status.success(), "{check:?}");
    // A server that is not there fails everything.
    let mut nobody = tokio::process::Command::new(BINARY);
    let nobody = nobody.args(["otlp-check", "http://127.0.0.1:1"]).output();
    let nobody = nobody.await.expect("the binary runs");
    assert!(!nobody.status.success(), "{nobody:?}");
}

#[tokio::test]
async fn the_command_line_flushes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let sent = server.send_grpc(logs("a", &["one"]), None).await;
    sent.expect("acknowledged");
    let mut flush = tokio::process::Command::new(BINARY);
    let flush = flush.args(["flush", "--url", &server.api]).output().await;
    let flush = flush.expect("the binary runs");
    let told = String::from_utf8_lossy(&flush.stdout);
    assert_eq!(told, "everything up to sequence 1 is in segments\n");
    assert!(flush.status.success(), "{flush:?}");
    // A clean stop would flush, too.
    server.kill().await;
    let mut verify = Command::new(BINARY);
    verify.arg("verify").arg("--data-dir").arg(folder.path());
    let verified = verify.output().expect("the binary runs");
    let told = String::from_utf8_lossy(&verified.stdout);
    assert!(told.contains("1 segments: 2 files"), "{verified:?}");
}

#[tokio::test]
async fn the_command_line_asks_in_sql() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let query = |format: &'static str, statement: &'static str| {
        let url = server.api.clone();
        let run = move || {
            Command::new(BINARY)
                .args(["query", "--url", &url, "--format", format, statement])
                .output()
        };
        async move { run().expect("the binary runs") }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let table = query("table", "SELECT 1 AS n, 'x' AS t").await;
    assert_eq!(
        text(&table.stdout),
        "n  t\n-  -\n1  x\n(1 rows)\n",
        "{table:?}"
    );
    let csv = query("csv", "SELECT 1 AS n, 'x' AS t").await;
    assert_eq!(
        text(&csv.stdout).replace("\r\n", "\n"),
        "n,t\n1,x\n",
        "{csv:?}"
    );
    let wrong = query("table", "SELECT nothing FROM logs").await;
    assert!(!wrong.status.success());
    assert!(text(&wrong.stderr).contains("nothing"), "{wrong:?}");
}

#[tokio::test]
async fn health_metrics_and_unknown_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    server
        .send_grpc(logs("a", &["one"]), None)
        .await
        .expect("acknowledged");
    assert_eq!(
        server.api(Method::GET, "/readyz", None, "").await.0,
        StatusCode::OK
    );
    assert_eq!(
        server.api(Method::GET, "/healthz", None, "").await.0,
        StatusCode::OK
    );
    let (_, metrics) = server.api(Method::GET, "/metrics", None, "").await;
    for outcome in ["received", "stored"] {
        let row = metrics.lines().find(|line| {
            line.starts_with("storage_records_total{")
                && line.contains(&format!("outcome=\"{outcome}\""))
                && line.contains("signal=\"logs\"")
        });
        assert!(
            row.is_some_and(|row| row.ends_with(" 1")),
            "{outcome}: {row:?}"
        );
    }
    for (method, path, status) in [
        (Method::GET, "/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/api/v1/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/api/v1/sql", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (found, body) = server.api(method, path, None, "").await;
        assert_eq!(found, status, "{path}");
        let problem: serde_json::Value = serde_json::from_str(&body).expect("a problem document");
        assert_eq!(problem["status"], status.as_u16(), "{path}");
    }
}

#[tokio::test]
async fn what_was_rejected_can_be_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let mut request = logs("shop", &["fine", "deep", "fine too"]);
    let deep = nested(65);
    let record = &mut request.resource_logs[0].scope_logs[0].log_records[1];
    record.body = Some(deep);
    assert_eq!(server.send_http(&request, None).await, StatusCode::OK);
    let statement =
        "SELECT signal, outcome, reason, detail, encoding, record IS NOT NULL FROM dead_letters";
    let detail = "log record: values are nested deeper than 64 levels";
    let expected = json!([[
        "logs",
        "rejected",
        "too_deep",
        detail,
        "otlp_protobuf",
        true
    ]]);
    assert_eq!(server.sql(statement, None).await, expected);
    let (_, metrics) = server.api(Method::GET, "/metrics", None, "").await;
    for (outcome, count) in [("received", 3), ("stored", 2), ("rejected", 1)] {
        let sum: u64 = metrics
            .lines()
            .filter(|line| line.starts_with("storage_records_total{"))
            .filter(|line| line.contains(&format!("outcome=\"{outcome}\"")))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        assert_eq!(sum, count, "{outcome}: {metrics}");
    }
    server.stop().await;

    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(
        server.sql(statement, None).await,
        expected,
        "from a segment"
    );
}

/// A text in `depth` arrays, one in the other.
fn nested(depth: usize) -> AnyValue {
    let text = AnyValue {
        value: Some(Value::StringValue("x".to_string())),
    };
    (0..depth).fold(text, |inner, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue {
            values: vec![inner],
        })),
    })
}

#[tokio::test]
async fn two_servers_never_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let _server = Server::start(folder.path(), &[]).await;
    let output = Command::new(BINARY)
        .arg("verify")
        .arg("--data-dir")
        .arg(folder.path())
        .output();
    let output = output.expect("the binary runs");
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("another process uses"),
        "{output:?}"
    );
}

#[test]
fn listening_for_others_without_keys_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for flag in ["--listen-grpc", "--listen-http", "--listen-api"] {
        let output = Command::new(BINARY)
            .args(["serve", flag, "0.0.0.0:0", "--data-dir"])
            .arg(folder.path())
            .output()
            .expect("the binary runs");
        assert!(!output.status.success(), "{flag}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("--allow-unauthenticated"),
            "{output:?}"
        );
    }
}
