//! `/api/v1/deletions`: what is deleted is in no answer of any interface, in the buffer and in segments; late rows are; only a
//! key with the scope `admin` may.

use crate::{
    isolation::{key, write_settings},
    server::{Server, logs},
};
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
        number_data_point::Value as Number,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event},
};
use serde_json::{Value as Json, json};

/// The instant of all records, seconds.
const AT: u64 = 1_760_000_000;

/// What is deleted, and what stays.
const GONE: &str = "mallory";
const STAYS: &str = "alice";

fn resource(service: &str) -> Resource {
    let value = AnyValue {
        value: Some(Value::StringValue(service.to_owned())),
    };
    let name = KeyValue {
        key: "service.name".to_owned(),
        value: Some(value),
        ..KeyValue::default()
    };
    Resource {
        attributes: vec![name],
        ..Resource::default()
    }
}

fn metrics(service: &str) -> ExportMetricsServiceRequest {
    let point = NumberDataPoint {
        time_unix_nano: AT * 1_000_000_000,
        value: Some(Number::AsInt(7)),
        ..NumberDataPoint::default()
    };
    let data_points = vec![point];
    let metric = Metric {
        name: "load".to_owned(),
        data: Some(Data::Gauge(Gauge { data_points })),
        ..Metric::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(service)),
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![metric],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn spans(service: &str, number: u8) -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: vec![number; 16],
        span_id: vec![number; 8],
        name: format!("work of {service}"),
        start_time_unix_nano: AT * 1_000_000_000,
        end_time_unix_nano: AT * 1_000_000_000 + 5,
        events: vec![Event {
            time_unix_nano: AT * 1_000_000_000 + 1,
            name: format!("event of {service}"),
            ..Event::default()
        }],
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(service)),
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// Telemetry of every signal of both; `round` makes the requests other ones.
async fn send(server: &Server, round: u8) {
    for (service, number) in [(GONE, 2 * round), (STAYS, 2 * round + 1)] {
        let body = format!("round {round}: {service} came by");
        let sent = server.send_grpc(logs(service, &[&body]), None).await;
        sent.expect("it is taken");
        let mut points = metrics(service);
        let scope = &mut points.resource_metrics[0].scope_metrics[0];
        scope.schema_url = format!("https://round.example/{round}");
        let sent = server.send_metrics(points, None).await;
        sent.expect("it is taken");
        let sent = server.send_spans(spans(service, number + 1), None).await;
        sent.expect("it is taken");
    }
}

async fn answer(server: &Server, method: Method, path: &str, body: &str) -> String {
    let (status, text) = server.api(method, path, None, body).await;
    assert!(status.is_success(), "{path}: {status} {text}");
    text
}

/// Questions to every interface, each of which names a service where it finds something of it.
fn questions() -> Vec<String> {
    let logs = "from=1759999999000000000&to=1760000001000000000";
    let loki = "start=1759999999000000000&end=1760000001000000000";
    let streams = "query=%7Bservice_name%3D~%22.%2B%22%7D";
    vec![
        format!("/api/v1/logs/search?{logs}&q=came"),
        format!(
            "/api/v1/logs/search?{logs}&filter=has_phrase(body,%20'mallory%20came')%20OR%20body%20LIKE%20'%25alice%25'"
        ),
        format!("/api/v1/logs/fields?{logs}"),
        format!("/api/v1/logs/export?{logs}"),
        format!("/loki/api/v1/query_range?{loki}&{streams}"),
        format!(
            "/loki/api/v1/query_range?{loki}&{streams}%20%7C%3D%20%22came%22&direction=forward"
        ),
        format!("/loki/api/v1/label/service_name/values?{loki}"),
        format!("/loki/api/v1/series?{loki}"),
        format!("/loki/api/v1/index/volume?{loki}&{streams}"),
    ]
}

const STATEMENTS: [&str; 7] = [
    "SELECT service_name FROM logs",
    "SELECT service_name, count(*) FROM logs GROUP BY 1",
    "SELECT min(service_name), max(service_name) FROM logs WHERE service_name <> 'alice' OR body LIKE '%alice%'",
    "SELECT service_name FROM spans",
    "SELECT name FROM span_events",
    "SELECT body FROM logs ORDER BY timestamp DESC LIMIT 50",
    "SELECT body FROM logs WHERE has_phrase(body, 'came')",
];

/// Whether each service is named in every answer, or in none.
async fn check(server: &Server, gone_is_there: bool, when: &str) {
    for question in questions() {
        let text = answer(server, Method::GET, &question, "").await;
        assert!(text.contains(STAYS), "{when}: {question}: {text}");
        assert_eq!(
            text.contains(GONE),
            gone_is_there,
            "{when}: {question}: {text}"
        );
    }
    for statement in STATEMENTS {
        let text = answer(server, Method::POST, "/api/v1/sql", statement).await;
        assert!(text.contains(STAYS), "{when}: {statement}: {text}");
        assert_eq!(
            text.contains(GONE),
            gone_is_there,
            "{when}: {statement}: {text}"
        );
    }
    let rows = if gone_is_there { 4 } else { 2 };
    for table in ["logs", "spans", "span_events"] {
        for filter in ["", " WHERE timestamp IS NOT NULL"] {
            let statement = format!("SELECT count(*) FROM {table}{filter}");
            let counted = server.sql(&statement, None).await;
            assert_eq!(counted, json!([[rows]]), "{when}: {statement}");
        }
    }
    let interval = "from=1759999999000000000&to=1760000001000000000";
    let path = format!("/api/v1/logs/patterns?{interval}");
    let text = answer(server, Method::GET, &path, "").await;
    let patterns: Json = serde_json::from_str(&text).expect("JSON");
    let patterns = patterns["patterns"].as_array().expect("patterns");
    let counted = patterns.iter().filter_map(|p| p["count"].as_u64());
    assert_eq!(counted.sum::<u64>(), rows, "{when}: {text}");
    assert!(gone_is_there || !text.contains(GONE), "{when}: {text}");
}

fn wanted(signal: &str) -> String {
    let condition = json!({ "field": { "column": "service_name" }, "values": [GONE] });
    json!({ "signal": signal, "predicate": { "conditions": [condition] } }).to_string()
}

#[tokio::test]
async fn what_is_deleted_is_in_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    send(&server, 0).await;
    answer(&server, Method::POST, "/api/v1/flush", "").await;
    send(&server, 1).await;
    check(&server, true, "before").await;
    for signal in ["logs", "spans"] {
        let path = "/api/v1/deletions";
        let (status, text) = server.api(Method::POST, path, None, &wanted(signal)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        let accepted: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(accepted["requested_by"], "anonymous");
        assert_eq!(accepted["signal"], signal);
        assert!(!text.contains(GONE), "{text}");
    }
    check(&server, false, "at once").await;
    answer(&server, Method::POST, "/api/v1/flush", "").await;
    check(&server, false, "after a flush").await;
    // What arrives later is not touched.
    let late = server.send_grpc(logs(GONE, &["back again"]), None).await;
    late.expect("it is taken");
    let found = "SELECT body FROM logs WHERE service_name = 'mallory'";
    assert_eq!(server.sql(found, None).await, json!([["back again"]]));
    server.kill().await;
    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(server.sql(found, None).await, json!([["back again"]]));
    for table in ["spans"] {
        let statement = format!("SELECT DISTINCT service_name FROM {table}");
        assert_eq!(server.sql(&statement, None).await, json!([[STAYS]]));
    }
    let text = answer(&server, Method::GET, "/api/v1/deletions", "").await;
    let listed: Json = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        listed["deletions"].as_array().map(Vec::len),
        Some(2),
        "{text}"
    );
    server.stop().await;
}

#[tokio::test]
async fn only_the_scope_admin_deletes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (other, other_entry) = key("shop", "ingest,query,operate");
    let (admin, admin_entry) = key("shop", "admin");
    let settings = folder.path().join("cairn.toml");
    write_settings(&settings, &[&other_entry, &admin_entry]);
    let settings = settings.to_str().expect("text");
    let server = Server::start(&folder.path().join("data"), &["--config", settings]).await;
    let path = "/api/v1/deletions";
    let body = wanted("logs");
    let (status, text) = server.api(Method::POST, path, Some(&other), &body).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    let (status, text) = server.api(Method::POST, path, Some(&admin), &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{text}");
    for key in [&other, &admin] {
        let (status, text) = server.api(Method::GET, path, Some(key), "").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let listed: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(listed["deletions"][0]["requested_by"], "shop admin");
    }
    for wrong in [
        json!({ "signal": "profiles", "predicate": { "conditions": [] } }),
        json!({ "signal": "logs", "predicate": { "conditions": [] } }),
        json!({ "signal": "logs", "predicate": {
            "conditions": [{ "field": { "column": "no_column" }, "values": ["a"] }] } }),
        json!({ "signal": "spans", "predicate": {
            "conditions": [{ "field": { "column": "trace_id" }, "values": ["not hexadecimal"] }] } }),
        json!({ "signal": "logs", "predicate": { "from": 5, "before": 5,
            "conditions": [{ "field": { "attribute": "k" }, "values": ["a"] }] } }),
    ] {
        let wrong = wrong.to_string();
        let (status, text) = server.api(Method::POST, path, Some(&admin), &wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {text}");
    }
    server.stop().await;
}
