//! Dead letters and their replay: after the cause is mended they become the rows they would have been, once, over
//! kills and a lost catalog, and the ledger adds up.

use crate::server::{BINARY, Server, logs};
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Exemplar, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
        Sum, metric::Data,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event},
};
use serde_json::{Value as Json, json};
use std::{path::Path, process::Output};

/// Longer values are refused at first; both servers of the test take this much.
const TIGHT: [&str; 2] = ["--set", "ingest.max_value_bytes=100"];

const AT: u64 = 1_760_000_000_000_000_000;

fn text(text: impl Into<String>) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(text.into())),
    }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.to_string(),
        value: Some(value),
        ..KeyValue::default()
    }
}

fn long() -> KeyValue {
    attribute("long", text("x".repeat(200)))
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "the scope".to_string(),
        version: "1.2".to_string(),
        attributes: vec![attribute("s", text("t"))],
        dropped_attributes_count: 2,
    })
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![attribute("service.name", text("shop"))],
        dropped_attributes_count: 1,
        ..Resource::default()
    })
}

/// A sound record, one with a long value, one with a long value and no time, and one that stays too deep.
fn some_logs() -> ExportLogsServiceRequest {
    let mut request = logs("shop", &["fine", "long", "no time", "deep"]);
    let group = &mut request.resource_logs[0];
    group.schema_url = "resource schema".to_string();
    group.resource = resource();
    let scope_logs = &mut group.scope_logs[0];
    scope_logs.scope = scope();
    scope_logs.schema_url = "scope schema".to_string();
    scope_logs.log_records[1].attributes.push(long());
    scope_logs.log_records[2].attributes.push(long());
    scope_logs.log_records[2].time_unix_nano = 0;
    scope_logs.log_records[3].body = Some((0..65).fold(text("x"), |inner, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue {
            values: vec![inner],
        })),
    }));
    request
}

/// Two points of a sum, one of them with a long label.
fn some_metrics() -> ExportMetricsServiceRequest {
    let point = |at, attributes| NumberDataPoint {
        time_unix_nano: AT + at,
        attributes,
        exemplars: vec![Exemplar {
            time_unix_nano: AT + at,
            trace_id: vec![7; 16],
            ..Exemplar::default()
        }],
        ..NumberDataPoint::default()
    };
    let sum = Sum {
        data_points: vec![point(1, Vec::new()), point(2, vec![long()])],
        aggregation_temporality: AggregationTemporality::Delta.into(),
        is_monotonic: true,
    };
    let metric = Metric {
        name: "orders".to_string(),
        unit: "{order}".to_string(),
        description: "how many".to_string(),
        metadata: vec![attribute("m", text("n"))],
        data: Some(Data::Sum(sum)),
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics: vec![metric],
                schema_url: "scope schema".to_string(),
            }],
            schema_url: "resource schema".to_string(),
        }],
    }
}

/// Two spans, one of them with a long value in an event.
fn some_spans() -> ExportTraceServiceRequest {
    let span = |number: u8, attributes| Span {
        trace_id: vec![number; 16],
        span_id: vec![number; 8],
        name: format!("span {number}"),
        start_time_unix_nano: AT,
        end_time_unix_nano: AT + 5,
        events: vec![Event {
            time_unix_nano: AT + 1,
            name: "event".to_string(),
            attributes,
            ..Event::default()
        }],
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans {
                scope: scope(),
                spans: vec![span(1, Vec::new()), span(2, vec![long()])],
                schema_url: "scope schema".to_string(),
            }],
            schema_url: "resource schema".to_string(),
        }],
    }
}

async fn send(server: &Server) {
    for (signal, status) in [
        ("logs", server.send("logs", &some_logs(), None).await.0),
        (
            "metrics",
            server.send("metrics", &some_metrics(), None).await.0,
        ),
        ("traces", server.send("traces", &some_spans(), None).await.0),
    ] {
        assert_eq!(status, StatusCode::OK, "{signal}");
    }
}

/// Every column but those that say when and in which request a row came.
async fn rows(server: &Server) -> Vec<Json> {
    let mut all = Vec::new();
    for table in ["logs", "metrics", "exemplars", "spans", "span_events"] {
        let statement = format!("SELECT * FROM {table} ORDER BY timestamp");
        let (status, answer) = server
            .api(Method::POST, "/api/v1/sql", None, &statement)
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let answer: Json = serde_json::from_str(&answer).expect("JSON");
        let names: Vec<&str> = answer["columns"]
            .as_array()
            .expect("columns")
            .iter()
            .map(|column| column["name"].as_str().expect("a name"))
            .collect();
        for row in answer["rows"].as_array().expect("rows") {
            let cells = names.iter().zip(row.as_array().expect("cells"));
            let mut row: serde_json::Map<String, Json> = cells
                .filter(|(name, _)| !name.starts_with("row_"))
                .map(|(name, cell)| (name.to_string(), cell.clone()))
                .collect();
            if row.get("timestamp_origin") == Some(&json!("received")) {
                row.remove("timestamp");
            }
            row.insert("table".to_string(), json!(table));
            all.push(Json::Object(row));
        }
    }
    all
}

/// Runs `cairn dead-letters` against a server.
async fn command(server: &Server, arguments: &[&str]) -> (String, bool) {
    let mut command = tokio::process::Command::new(BINARY);
    command.arg("dead-letters").args(arguments);
    let output: Output = command
        .args(["--url", &server.api])
        .output()
        .await
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(problem.is_empty() || told.is_empty(), "{told}{problem}");
    (told + &problem, output.status.success())
}

/// What `/metrics` says of records, summed by outcome.
async fn ledger(server: &Server) -> [u64; 4] {
    let (_, metrics) = server.api(Method::GET, "/metrics", None, "").await;
    ["received", "stored", "rejected", "replayed"].map(|outcome| {
        metrics
            .lines()
            .filter(|line| line.starts_with("storage_records_total{"))
            .filter(|line| line.contains(&format!("outcome=\"{outcome}\"")))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    })
}

const STAYS: &str =
    "1 of logs stay, too_deep: log record: values are nested deeper than 64 levels\n";

#[tokio::test]
async fn mended_letters_become_the_rows_they_would_have_been_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &TIGHT).await;
    send(&server).await;
    assert_eq!(ledger(&server).await, [8, 3, 5, 0]);
    let (told, well) = command(&server, &["replay"]).await;
    assert!(
        told.starts_with("0 of 5 dead letters are rows now\n"),
        "{told}"
    );
    assert!(
        told.contains("too_large") && told.contains(STAYS) && !well,
        "{told}"
    );
    let received = "SELECT timestamp FROM dead_letters ORDER BY timestamp LIMIT 1";
    let received = server.sql(received, None).await;
    server.kill().await;

    // The cause is mended.
    let server = Server::start(folder.path(), &[]).await;
    let (told, well) = command(&server, &["replay", "--signal", "spans"]).await;
    assert_eq!(
        (told.as_str(), well),
        ("1 of 1 dead letters are rows now\n", true)
    );
    let (told, _) = command(&server, &["replay", "--reason", "too_deep"]).await;
    assert_eq!(told, format!("0 of 1 dead letters are rows now\n{STAYS}"));
    for (arguments, offered) in [
        (["--to", "2020-01-01T00:00:00Z"], 0),
        (["--from", "2020-01-01T00:00:00Z"], 4),
    ] {
        let (told, _) = command(&server, &["replay", arguments[0], arguments[1]]).await;
        assert!(told.contains(&format!("of {offered} dead")), "{told}");
    }
    assert_eq!(ledger(&server).await, [4, 4, 0, 4]);
    let untimed = "SELECT timestamp FROM logs WHERE timestamp_origin = 'received'";
    assert_eq!(
        server.sql(untimed, None).await,
        received,
        "when it was received first"
    );
    let expected = rows(&server).await;
    let (list, _) = command(&server, &["list"]).await;
    for row in [
        "logs     rejected  too_deep   1        0",
        "logs     rejected  too_large  2        2",
    ] {
        assert!(list.contains(row), "{list}");
    }
    server.kill().await;
    again(folder.path(), &expected, "after a kill").await;
    again(folder.path(), &expected, "after a clean stop").await;
    let mut rebuild = tokio::process::Command::new(BINARY);
    rebuild
        .args(["catalog", "rebuild", "--data-dir"])
        .arg(folder.path());
    assert!(rebuild.status().await.expect("the binary runs").success());
    again(folder.path(), &expected, "after a rebuild of the catalog").await;

    let other = tempfile::tempdir().expect("a folder");
    let server = Server::start(other.path(), &[]).await;
    send(&server).await;
    assert_eq!(
        rows(&server).await,
        expected,
        "as if it had been taken at once"
    );
}

/// A life in which everything is offered again and nothing becomes a row.
async fn again(folder: &Path, expected: &[Json], when: &str) {
    let server = Server::start(folder, &[]).await;
    let (told, _) = command(&server, &["replay"]).await;
    assert_eq!(
        told,
        format!("0 of 1 dead letters are rows now\n{STAYS}"),
        "{when}"
    );
    assert_eq!(rows(&server).await, expected, "{when}");
    let marks = "SELECT count(*) FROM dead_letters WHERE outcome = 'replayed'";
    assert_eq!(server.sql(marks, None).await, json!([[4]]), "{when}");
    server.stop().await;
}

#[tokio::test]
async fn a_replay_goes_page_by_page_and_says_what_it_does_not_take() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &TIGHT).await;
    // More than the 8 MiB of a page.
    let bodies: Vec<String> = (0..40)
        .map(|number| format!("{number}{}", "x".repeat(500_000)))
        .collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let path = "/api/v1/dead-letters/replay";
    // With nothing to read yet: what is asked is read before.
    for body in [
        "{\"reason\":\"no\"}",
        "{\"signal\":\"no\"}",
        "{\"signal\":\"dead_letters\"}",
        "{\"no\":1}",
        "{\"from\":\"no\"}",
        "{\"to\":\"\"}",
        "[",
        "[null, null]",
    ] {
        let (status, text) = server.api(Method::POST, path, None, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {text}");
    }
    assert_eq!(
        server.send_http(&logs("a", &bodies), None).await,
        StatusCode::OK
    );
    server.stop().await;
    let server = Server::start(folder.path(), &[]).await;
    let (status, page) = server.api(Method::POST, path, None, "{}").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let page: Json = serde_json::from_str(&page).expect("JSON");
    assert_eq!(
        (&page["offered"], &page["replayed"]),
        (&json!(16), &json!(16))
    );
    assert_eq!(page["next"][2], 15);
    // Two at the same time: a letter is offered by one of them.
    let two = tokio::join!(command(&server, &["replay"]), command(&server, &["replay"]));
    let replayed = |told: &str| -> u64 {
        let number = told.split(' ').next().and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("{told}"))
    };
    assert_eq!(replayed(&two.0.0) + replayed(&two.1.0), 24, "{two:?}");
    let (told, well) = command(&server, &["replay"]).await;
    assert_eq!(
        (told.as_str(), well),
        ("0 of 0 dead letters are rows now\n", true)
    );
    let count = "SELECT count(*), count(DISTINCT body) FROM logs";
    assert_eq!(server.sql(count, None).await, json!([[40, 40]]));
}

#[tokio::test]
async fn dead_letters_of_an_older_version_are_read_and_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("storage/golden/segments-1/bucket");
    let mut copy = std::process::Command::new("cp");
    copy.arg("-r").arg(golden).arg(folder.path().join("bucket"));
    assert!(copy.status().expect("cp can be run").success());
    let mut rebuild = std::process::Command::new(BINARY);
    rebuild
        .args(["catalog", "rebuild", "--take-over", "--data-dir"])
        .arg(folder.path());
    let rebuilt = rebuild.output().expect("the binary runs");
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let server = Server::start(folder.path(), &[]).await;
    let count =
        "SELECT count(*) > 10, count(record_resource), count(letter_epoch) FROM dead_letters";
    assert_eq!(server.sql(count, None).await, json!([[true, 0, 0]]));
}
