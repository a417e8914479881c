//! The records that the questions are about.

use crate::server::Server;
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use serde_json::{Value as Json, json};

/// The instant of the first record, and of the last one, seconds.
pub(super) const BASE: u64 = 1_760_000_000;
pub(super) const END: u64 = BASE + 60;

/// Second, severity and body of the records of the service `shop`, over OTLP.
const SHOP: [(u64, i32, &str); 5] = [
    (
        0,
        9,
        "method=GET path=/cart status=200 took=12ms user=alice",
    ),
    (10, 9, "method=GET path=/pay status=500 took=250ms user=bob"),
    (
        20,
        17,
        r#"{"msg":"payment failed","code":42,"user":{"name":"bob"}}"#,
    ),
    (30, 13, "slow query took=1.5s rows=10 size=12KB"),
    (
        40,
        9,
        "method=GET path=/cart status=200 took=18ms user=alice",
    ),
];

/// Level, second and line of those of `till`, by Loki's push.
pub(super) const TILL: [(&str, u64, &str); 2] =
    [("warn", 50, "disk full on 10.0.0.7"), ("", 60, "disk ok")];

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

fn of_shop(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let resource = Resource {
        attributes: vec![
            attribute("service.name", "shop"),
            attribute("k8s.namespace.name", "prod"),
        ],
        ..Resource::default()
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs {
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn body(text: &str) -> Option<AnyValue> {
    Some(AnyValue {
        value: Some(Value::StringValue(text.to_owned())),
    })
}

/// Sends all of them.
pub(super) async fn send(server: &Server) {
    let record = |(second, severity, text): &(u64, i32, &str)| LogRecord {
        time_unix_nano: (BASE + second) * 1_000_000_000,
        severity_number: *severity,
        body: body(text),
        attributes: match severity {
            17 => vec![attribute("http.route", "/pay")],
            _ => Vec::new(),
        },
        trace_id: match severity {
            17 => vec![0xab; 16],
            _ => Vec::new(),
        },
        ..LogRecord::default()
    };
    let request = of_shop(SHOP.iter().map(record).collect());
    server.send_grpc(request, None).await.expect("it is taken");
    let ns = |second: u64| i64::try_from((BASE + second) * 1_000_000_000).expect("it is near");
    let lines = TILL.map(|(level, second, line)| (level, ns(second), line));
    push(server, &lines).await;
}

/// Sends `rows` records of `shop`, spread over 100 seconds.
pub(super) async fn many(server: &Server, rows: u64) {
    let record = |row: u64| LogRecord {
        time_unix_nano: BASE * 1_000_000_000 + row * 100_000_000_000 / rows,
        severity_number: 9 + i32::try_from(row % 3).expect("it is small") * 4,
        body: body(&format!(
            "this is the record number {row} of a few that are told apart"
        )),
        attributes: vec![attribute("http.route", &format!("/r/{}", row % 50))],
        ..LogRecord::default()
    };
    let request = of_shop((0..rows).map(record).collect());
    server.send_grpc(request, None).await.expect("it is taken");
}

/// Pushes entries (level, ns, line) of `till` as Loki's clients do.
pub(super) async fn push(server: &Server, entries: &[(&str, i64, &str)]) {
    let stream = |(level, ns, line): &(&str, i64, &str)| -> Json {
        let mut labels = json!({ "service_name": "till" });
        if !level.is_empty() {
            labels["level"] = json!(level);
        }
        json!({ "stream": labels, "values": [[ns.to_string(), line]] })
    };
    let body = json!({ "streams": entries.iter().map(stream).collect::<Vec<_>>() });
    let path = (Method::POST, "/loki/api/v1/push");
    let kind = [("content-type", "application/json")];
    let (status, text) = server.api_with(path, &kind, &body.to_string()).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
}

/// The present instant as the server sees it, ns.
pub(super) async fn now_ns(server: &Server) -> i64 {
    let rows = server
        .sql("SELECT CAST(CAST(now() AS BIGINT) AS VARCHAR)", None)
        .await;
    let text = rows[0][0].as_str().expect("a text");
    text.parse().expect("a number")
}
