//! OTLP/JSON over HTTP, by the numbers of the OTLP checklist.

use crate::{
    client::{HttpClient, PACKINGS, Reply, gzip, http_path, post, retry_delay},
    requests::{SIGNALS, now},
    server::Server,
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::DataType,
};
use cairn_ingest::config::Config;
use cairn_proto::status::Code;
use cairn_storage::signal::Signal;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

const JSON: &str = "application/json";

/// A logs request of these records.
fn logs(records: &[Value]) -> String {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeLogs": [{"scope": {"name": "tests"}, "logRecords": records}],
    }]})
    .to_string()
}

/// A log record with this body, and more members.
fn record(body: &str, more: Value) -> Value {
    let mut record = json!({
        "timeUnixNano": now().to_string(),
        "body": {"stringValue": body},
    });
    let members = record.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    record
}

/// A request of `signal` with `records` records marked with `mark`.
fn request(signal: Signal, records: usize, mark: &str) -> String {
    let time = now().to_string();
    let names = || (0..records).map(|number| format!("{mark} {number}"));
    match signal {
        Signal::Logs => logs(
            &names()
                .map(|name| record(&name, json!({})))
                .collect::<Vec<_>>(),
        ),
        Signal::Spans => {
            let span = |name| {
                json!({
                    "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
                    "name": name, "kind": 2, "startTimeUnixNano": time, "endTimeUnixNano": time,
                })
            };
            let spans: Vec<Value> = names().map(span).collect();
            json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
        }
        _ => {
            let point = |name| {
                let attributes = json!([{"key": "name", "value": {"stringValue": name}}]);
                json!({"timeUnixNano": time, "asDouble": 1.5, "attributes": attributes})
            };
            let points: Vec<Value> = names().map(point).collect();
            let metrics = json!([{"name": "orders", "gauge": {"dataPoints": points}}]);
            json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).to_string()
        }
    }
}

/// A column of all logs as texts; NULL is empty.
fn column(server: &Server, name: &str) -> Vec<String> {
    let cells = |batch: &RecordBatch| {
        let column = batch.column_by_name(name).expect("a column");
        if let Some(ids) = column.as_fixed_size_binary_opt() {
            let id = |id: Option<&[u8]>| id.map(hex::encode).unwrap_or_default();
            return ids.iter().map(id).collect::<Vec<_>>();
        }
        let texts = cast(column, &DataType::Utf8).expect("a text");
        let texts = texts.as_string::<i32>();
        (0..texts.len())
            .map(|row| match texts.is_null(row) {
                true => String::new(),
                false => texts.value(row).to_string(),
            })
            .collect()
    };
    let batches = server.batches("default", Signal::Logs);
    batches.iter().flat_map(cells).collect()
}

async fn send(server: &Server, body: impl Into<axum::body::Body>) -> Reply {
    let client = HttpClient::one();
    client
        .export_json(server.http, Signal::Logs, &[], body)
        .await
}

/// Sends a request of one log record that must be taken.
async fn accept(server: &Server, more: Value) {
    let reply = send(server, logs(&[record("one", more)])).await;
    let body = String::from_utf8_lossy(&reply.body);
    assert_eq!((reply.status.as_u16(), &*body), (200, "{}"));
}

/// Sends a request that must be refused, and returns why.
async fn refuse(server: &Server, body: &str) -> String {
    let reply = send(server, body.to_string()).await;
    assert_eq!(reply.status, 400, "{body}: {reply:?}");
    assert_eq!(reply.header("content-type"), JSON);
    let error = reply.http_error();
    assert_eq!(error.code(), Code::InvalidArgument);
    let json: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let violation = &json["details"][0]["fieldViolations"][0]["description"];
    assert_eq!(violation, error.message());
    error.message().to_string()
}

fn partial(reply: &Reply) -> (Option<String>, String) {
    assert_eq!(reply.status, 200, "{reply:?}");
    let json: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let partial = &json["partialSuccess"];
    let rejected = ["rejectedLogRecords", "rejectedDataPoints", "rejectedSpans"]
        .iter()
        .find_map(|name| partial[name].as_str().map(str::to_string));
    let message = partial["errorMessage"].as_str().expect("a message");
    (rejected, message.to_string())
}

#[tokio::test]
async fn check_04_05_08_10_every_signal_compression_and_version_of_http() {
    let server = Server::start().await;
    for signal in SIGNALS {
        let mut expected = 0;
        for (name, pack) in PACKINGS {
            for (client, version) in [(HttpClient::one(), "1"), (HttpClient::two(), "2")] {
                let body = request(signal, 3, &format!("{name} {version}"));
                let headers = [("content-encoding", name)];
                let body = pack(body.as_bytes());
                let reply = client
                    .export_json(server.http, signal, &headers, body)
                    .await;
                assert_eq!(reply.status, 200, "{signal} {name}: {reply:?}");
                assert_eq!(reply.header("content-type"), JSON);
                assert_eq!(
                    &reply.body[..],
                    b"{}",
                    "full success has no partial success"
                );
                expected += 3;
                assert_eq!(server.rows("default", signal), expected, "readable at once");
                let sequence: u64 = reply.header("cairn-sequence").parse().expect("a number");
                assert!(sequence <= server.store.sequence());
            }
        }
    }
    let labels = ["protocol=\"http/json\"", "code=\"200\""];
    assert_eq!(server.metric("ingest_requests_total", &labels), 18.0);
    assert_eq!(server.metric("ingest_requests_in_flight", &[]), 0.0);
}

#[tokio::test]
async fn check_09_errors_are_json_like_the_request() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let good = request(Signal::Logs, 1, "good");
    let with = [("content-type", JSON)];
    let unknown = client.send(post(server.http, "/v1/nothing", &with, good.clone()));
    let packed = [("content-type", JSON), ("content-encoding", "br")];
    let packed = client.send(post(server.http, "/v1/logs", &packed, good.clone()));
    let broken = client.send(post(server.http, "/v1/logs", &with, "{"));
    for (reply, status) in [
        (unknown.await, 404),
        (packed.await, 415),
        (broken.await, 400),
    ] {
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(reply.header("content-type"), JSON);
        reply.http_error();
    }
}

#[tokio::test]
async fn check_11_14_44_a_record_too_deep_loses_itself_alone() {
    let server = Server::start().await;
    let nested = |depth: usize| {
        (0..depth).fold(
            json!({"intValue": 1}),
            |value, _| json!({"arrayValue": {"values": [value]}}),
        )
    };
    let mut records = vec![record("fine", json!({})); 10_000];
    let deep = |depth| json!({"attributes": [{"key": "deep", "value": nested(depth)}]});
    records[17] = record("deepest", deep(64));
    records[4_170] = record("too deep", deep(65));
    let reply = send(&server, logs(&records)).await;
    let (rejected, message) = partial(&reply);
    assert_eq!(rejected.as_deref(), Some("1"));
    assert!(
        message.contains("1 of 10000") && message.contains("record 4170"),
        "{message}"
    );
    assert_eq!(server.rows("default", Signal::Logs), 9_999);
    let letters = server.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].0, "too_deep");
}

/// Deep beyond everything, in a place that is read and in one that is skipped.
#[tokio::test]
async fn check_44_a_million_levels_get_a_clear_answer() {
    let server = Server::start().await;
    let before = server.store.budget().used_bytes();
    let levels = 1_000_000;
    let value = r#"{"arrayValue":{"values":["#.repeat(levels) + &"]}}".repeat(levels);
    let good = record("good", json!({})).to_string();
    let with = |bad: &str| {
        let request = logs(&[json!("good"), json!("bad")]);
        let request = request.replace("\"good\"", &good);
        request.replace("\"bad\"", &format!(r#"{{"timeUnixNano":1,{bad}}}"#))
    };
    let reply = send(&server, gzip(with(&format!("\"body\":{value}")).as_bytes())).await;
    assert_eq!(reply.status, 400, "gzip that is not announced is no JSON");
    let headers = [("content-encoding", "gzip")];
    let body = gzip(with(&format!("\"body\":{value}")).as_bytes());
    let client = HttpClient::one();
    let reply = client
        .export_json(server.http, Signal::Logs, &headers, body)
        .await;
    let (rejected, message) = partial(&reply);
    assert_eq!(rejected.as_deref(), Some("1"));
    assert!(message.contains("too_deep"), "{message}");
    let reply = send(
        &server,
        with(&format!(
            "\"x\":{}{}",
            "[".repeat(levels),
            "]".repeat(levels)
        )),
    )
    .await;
    assert_eq!(&reply.body[..], b"{}", "{reply:?}");
    let message = refuse(&server, &"[".repeat(levels)).await;
    assert!(message.contains("expected an object"), "{message}");
    let message = refuse(&server, &format!("{{\"x\":{}", "[".repeat(levels))).await;
    assert!(message.contains("the end of the text"), "{message}");
    assert_eq!(server.rows("default", Signal::Logs), 3);
    let kept = server.store.budget().used_bytes() - before;
    assert!(kept < 8 << 20, "{kept} bytes are still reserved");
}

/// Sent = stored + deduplicated + rejected, over requests at random, retries among them.
#[tokio::test]
async fn check_13_counts_reconcile() {
    let server = Server::start().await;
    let mut random = StdRng::seed_from_u64(13);
    let mut sent: Vec<(String, u64, u64)> = Vec::new();
    let (mut received, mut stored, mut rejected) = (0, 0, 0);
    for round in 0..300 {
        let again = !sent.is_empty() && random.random_ratio(1, 4);
        let (body, good, bad) = if again {
            sent[random.random_range(0..sent.len())].clone()
        } else {
            let (good, bad) = (random.random_range(0..40), random.random_range(0..6));
            let mut records = vec![json!({"timeUnixNano": u64::MAX}); bad];
            let names = (0..good).map(|number| format!("{round} {number}"));
            records.extend(names.map(|name| record(&name, json!({}))));
            (logs(&records), good as u64, bad as u64)
        };
        let reply = send(&server, body.clone()).await;
        match bad {
            0 => assert_eq!(&reply.body[..], b"{}", "{reply:?}"),
            _ => assert_eq!(partial(&reply).0, Some(bad.to_string())),
        }
        received += good + bad;
        if !again {
            stored += good;
            rejected += bad;
            if good + bad > 0 {
                sent.push((body, good, bad));
            }
        }
    }
    let told = |outcome: &str| {
        let labels = ["signal=\"logs\"", &format!("outcome=\"{outcome}\"")];
        server.metric("storage_records_total", &labels) as u64
    };
    assert_eq!(told("received"), received);
    assert_eq!((told("stored"), told("rejected")), (stored, rejected));
    assert_eq!(told("deduplicated"), received - stored - rejected);
    assert_eq!(server.rows("default", Signal::Logs) as u64, stored);
    assert_eq!(server.dead_letters().len() as u64, rejected);
    assert!(told("deduplicated") > 100 && rejected > 100);
}

#[tokio::test]
async fn check_15_nothing_is_a_success() {
    let server = Server::start().await;
    let bodies = [
        "{}",
        " {\n} ",
        "\u{feff}{}",
        r#"{"resourceLogs":[],"resourceSpans":[]}"#,
        r#"{"resourceLogs":[{}],"resourceSpans":[{}],"resourceMetrics":[{}]}"#,
        r#"{"resourceLogs":[{"scopeLogs":[{}]}]}"#,
        r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[],"scope":null}]}]}"#,
        r#"{"resourceLogs":null}"#,
    ];
    let client = HttpClient::two();
    for body in bodies {
        for signal in SIGNALS {
            let reply = client.export_json(server.http, signal, &[], body).await;
            assert_eq!(reply.status, 200, "{body}: {reply:?}");
            assert_eq!(server.rows("default", signal), 0);
        }
    }
    let reply = send(&server, bodies[5]).await;
    assert_eq!(&reply.body[..], b"{}");
    assert_eq!(reply.header("content-type"), JSON);
}

#[tokio::test]
async fn check_17_undecodable_json_is_told_with_its_place() {
    let server = Server::start().await;
    for (body, wanted) in [
        ("", "line 1, column 1 (byte 0): expected an object"),
        (
            "[]",
            "expected an object, as every request is one, found '['",
        ),
        (
            "{\n \"resourceLogs\": [}",
            "line 2, column 19 (byte 20): expected an object for resourceLogs, found '}'",
        ),
        (
            "{\"resourceLogs\":[{}]",
            "(byte 20): expected a comma or the end of the object, found the end",
        ),
        ("{} {}", "(byte 3): expected the end of the text"),
        (
            "{\"resourceLogs\":7}",
            "expected an array for resourceLogs, found '7'",
        ),
        ("\n\u{0}protobuf", "expected an object"),
    ] {
        let message = refuse(&server, body).await;
        assert!(message.contains(wanted), "{body:?}: {message}");
    }
    let message = refuse(
        &server,
        &format!("{{\"resourceLogs\":\"{}", "x".repeat(10_000)),
    )
    .await;
    assert!(message.len() < 200, "{message}");
    assert_eq!(server.rows("default", Signal::Logs), 0);
    let labels = ["protocol=\"http/json\"", "reason=\"malformed\""];
    assert_eq!(server.metric("ingest_refused_requests_total", &labels), 8.0);
}

#[tokio::test]
async fn check_18_broken_compression() {
    let server = Server::start().await;
    let client = HttpClient::one();
    let body = request(Signal::Logs, 1, "packed");
    let packed = gzip(body.as_bytes());
    let headers = [("content-encoding", "gzip")];
    let bad = [
        packed[..packed.len() / 2].to_vec(),
        [&packed[..], b"garbage"].concat(),
        body.clone().into_bytes(),
        Vec::new(),
    ];
    for body in bad {
        let reply = client
            .export_json(server.http, Signal::Logs, &headers, body)
            .await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert_eq!(reply.http_error().code(), Code::InvalidArgument);
    }
    let (first, second) = body.as_bytes().split_at(40);
    let members = [gzip(first), gzip(second)].concat();
    let reply = client
        .export_json(server.http, Signal::Logs, &headers, members)
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(server.rows("default", Signal::Logs), 1);
}

/// The limit counts the text after decompression, to the byte, and the protobuf that it becomes.
#[tokio::test]
async fn check_19_20_21_limits() {
    const LIMIT: usize = 256 << 10;
    let config = Config {
        max_request_bytes: LIMIT as u64,
        ..Config::default()
    };
    let server = Server::with(config, Vec::new()).await;
    let before = server.store.budget().used_bytes();
    let client = HttpClient::two();
    let plain = request(Signal::Logs, 10, "limit");
    for (name, pack) in PACKINGS {
        for (length, status) in [(LIMIT, 200), (LIMIT + 1, 413)] {
            let body = plain.clone() + &" ".repeat(length - plain.len());
            let headers = [("content-encoding", name)];
            let body = pack(body.as_bytes());
            let reply = client
                .export_json(server.http, Signal::Logs, &headers, body)
                .await;
            assert_eq!(reply.status, status, "{name} {length}: {reply:?}");
            assert_eq!(reply.header("content-type"), JSON);
            assert_eq!(reply.header("retry-after"), "");
        }
    }
    let zeros = "0,".repeat(60_000) + "0";
    let point = format!(r#"{{"timeUnixNano":1,"bucketCounts":[{zeros}]}}"#);
    let body = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"h","histogram":{{"dataPoints":[{point}]}}}}]}}]}}]}}"#
    );
    assert!(body.len() < LIMIT);
    let reply = client
        .export_json(server.http, Signal::Metrics, &[], body)
        .await;
    assert_eq!(reply.status, 413, "{reply:?}");
    let error = reply.http_error();
    assert_eq!(
        (error.code(), retry_delay(&error)),
        (Code::ResourceExhausted, None)
    );
    assert!(error.message().contains("as protobuf"), "{error}");
    // One request was taken, and is a retry of itself twice.
    assert_eq!(server.rows("default", Signal::Logs), 10);
    let kept = server.store.budget().used_bytes() - before;
    assert!(kept < 64 << 10, "{kept} bytes are still reserved");
}

#[tokio::test]
async fn check_19_bombs_are_given_up_at_the_limit() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let zeros = b"{\"resourceLogs\":[".to_vec();
    let bomb = [zeros, vec![b' '; (64 << 20) + 1]].concat();
    for (name, pack) in &PACKINGS[1..] {
        let headers = [("content-encoding", *name)];
        let body = pack(&bomb);
        assert!(body.len() < 1 << 20);
        let reply = client
            .export_json(server.http, Signal::Logs, &headers, body)
            .await;
        assert_eq!(reply.status, 413, "{name}: {reply:?}");
    }
    assert_eq!(server.store.budget().used_bytes(), 0);
}

#[tokio::test]
async fn check_22_many_refusals_make_a_short_answer() {
    let server = Server::start().await;
    let records = vec![json!({"timeUnixNano": u64::MAX}); 20_000];
    let reply = send(&server, logs(&records)).await;
    let (rejected, message) = partial(&reply);
    assert_eq!(rejected.as_deref(), Some("20000"));
    assert!(message.contains("time_out_of_range"), "{message}");
    assert!(reply.body.len() < 4096, "{} bytes", reply.body.len());
}

#[tokio::test]
async fn check_23_25_28_no_memory_is_told_to_come_back() {
    let server = Server::start().await;
    let body = request(Signal::Logs, 1_000, "no room");
    let budget = server.store.budget();
    let free = budget.limit_bytes() - budget.used_bytes();
    // Room for the text and not for what it becomes, and room for nothing.
    for room in [body.len() as u64 + 1_000, 100] {
        let held = budget.reserve(free - room).expect("it is free");
        let reply = send(&server, body.clone()).await;
        assert_eq!(reply.status, 429, "{reply:?}");
        assert_eq!(reply.header("retry-after"), "1");
        assert_eq!(reply.header("content-type"), JSON);
        let json: Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(json["details"][0]["retryDelay"], "1s");
        drop(held);
        assert_eq!(budget.limit_bytes() - budget.used_bytes(), free);
    }
    let reply = send(&server, body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn check_27_a_retry_is_stored_once() {
    let server = Server::start().await;
    let mut records = vec![record("good", json!({})); 3];
    records[1] = json!({"timeUnixNano": u64::MAX});
    let body = logs(&records);
    let first = send(&server, body.clone()).await;
    // The same bytes, and the same request in other bytes of text.
    for again in [body.clone(), body.replace(':', " : ")] {
        let reply = send(&server, again).await;
        assert_eq!(reply.body, first.body);
        assert_eq!(
            reply.header("cairn-sequence"),
            first.header("cairn-sequence")
        );
    }
    assert_eq!(partial(&first).0.as_deref(), Some("1"));
    assert_eq!(server.rows("default", Signal::Logs), 2);
    for (outcome, count) in [
        ("received", 9.0),
        ("stored", 2.0),
        ("rejected", 1.0),
        ("deduplicated", 6.0),
    ] {
        let labels = ["signal=\"logs\"", &format!("outcome=\"{outcome}\"")];
        assert_eq!(
            server.metric("storage_records_total", &labels),
            count,
            "{outcome}"
        );
    }
}

#[tokio::test]
async fn check_31_media_types() {
    let server = Server::start().await;
    let client = HttpClient::one();
    let types = [
        JSON,
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json; CHARSET=\"utf-8\"; x=y",
        "application/json ; charset=utf8",
        "application/json;",
    ];
    for (number, media_type) in types.into_iter().enumerate() {
        let body = request(Signal::Logs, 1, media_type);
        let headers = [("content-type", media_type)];
        let reply = client
            .send(post(server.http, "/v1/logs", &headers, body))
            .await;
        assert_eq!(reply.status, 200, "{media_type}: {reply:?}");
        assert_eq!(reply.header("content-type"), JSON);
        assert_eq!(server.rows("default", Signal::Logs), number + 1);
    }
    for media_type in [
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json; charset=",
        "text/json",
        "application/jsonl",
        "application/x-ndjson",
    ] {
        let headers = [("content-type", media_type)];
        let body = request(Signal::Logs, 1, media_type);
        let reply = client
            .send(post(server.http, "/v1/logs", &headers, body))
            .await;
        assert_eq!(reply.status, 415, "{media_type}: {reply:?}");
        assert_eq!(reply.header("content-type"), JSON);
        let error = reply.http_error();
        assert!(error.message().contains("application/json"), "{error}");
    }
}

#[tokio::test]
async fn check_32_41_ids() {
    let server = Server::start().await;
    let id = "5b8efff798038103d269b633813fc60c";
    let mixed = "5B8EFFF798038103d269b633813fc60C";
    accept(
        &server,
        json!({"traceId": id, "spanId": "eee19b7ec3c1b174"}),
    )
    .await;
    accept(
        &server,
        json!({"traceId": mixed, "spanId": "EEE19B7EC3C1B174"}),
    )
    .await;
    accept(&server, json!({"traceId": "", "spanId": null})).await;
    assert_eq!(column(&server, "trace_id"), [id, id, ""]);
    assert_eq!(
        column(&server, "span_id"),
        ["eee19b7ec3c1b174", "eee19b7ec3c1b174", ""]
    );
    for (name, id) in [
        ("traceId", "W47/95gDgQPSabYzgT/GDA=="),
        ("spanId", "7uGbfsPBsXQ="),
        ("traceId", "not an id"),
    ] {
        let message = refuse(&server, &logs(&[record("bad", json!({name: id}))])).await;
        let wanted = format!("resourceLogs.scopeLogs.logRecords.{name}: ids are hexadecimal");
        assert!(message.contains(&wanted), "{message}");
    }
    // Of a wrong length, or zeros alone: no link, and the client is told.
    for id in [
        "5b8efff798038103",
        "5b8",
        "00000000000000000000000000000000",
    ] {
        let reply = send(&server, logs(&[record(id, json!({"traceId": id}))])).await;
        let (rejected, message) = partial(&reply);
        assert_eq!(rejected, None);
        assert!(message.contains("id"), "{message}");
    }
    assert_eq!(column(&server, "trace_id")[3..], ["", "", ""]);
}

#[tokio::test]
async fn check_33_snake_case_is_unknown_and_said_so() {
    let server = Server::start().await;
    let body =
        r#"{"resource_logs":[{"scope_logs":[{"log_records":[{"body":{"string_value":"x"}}]}]}]}"#;
    let reply = send(&server, body).await;
    let (rejected, message) = partial(&reply);
    assert_eq!(rejected, None);
    assert!(message.contains("nothing was stored"), "{message}");
    assert!(message.contains(r#"send "resourceLogs""#), "{message}");
    assert_eq!(server.rows("default", Signal::Logs), 0);
    accept(
        &server,
        json!({"severity_text": "WARN", "severityText": "INFO"}),
    )
    .await;
    assert_eq!(column(&server, "severity_text"), ["INFO"]);
    // To the path of another signal: nothing is stored there either.
    let client = HttpClient::one();
    let body = request(Signal::Spans, 1, "elsewhere");
    let (rejected, message) = partial(&send(&server, body.clone()).await);
    assert_eq!(rejected, None);
    assert!(
        message.contains(r#""resourceSpans" is no field"#),
        "{message}"
    );
    let reply = client
        .export_json(server.http, Signal::Spans, &[], body)
        .await;
    assert_eq!(&reply.body[..], b"{}");
}

#[tokio::test]
async fn check_34_unknown_fields_are_ignored_at_every_level() {
    let server = Server::start().await;
    let known = logs(&[record(
        "known",
        json!({"attributes": [{"key": "k", "value": {"intValue": 1}}]}),
    )]);
    let mut known: Value = serde_json::from_str(&known).expect("JSON");
    fn add(value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(add),
            Value::Object(members) => {
                members.values_mut().for_each(add);
                let unknown =
                    json!([{"deep": [1.5e300, null, "\u{0}\"", {"stringValue": "no"}]}, [], {}]);
                members.insert("aaa".to_string(), unknown.clone());
                members.insert("zzz".to_string(), unknown);
            }
            _ => {}
        }
    }
    add(&mut known);
    let reply = send(&server, known.to_string()).await;
    assert_eq!(&reply.body[..], b"{}", "{reply:?}");
    assert_eq!(column(&server, "body"), ["known"]);
    assert_eq!(column(&server, "attributes"), [r#"{"k":1}"#]);
}

#[tokio::test]
async fn check_35_enums_are_numbers() {
    let server = Server::start().await;
    for name in ["SEVERITY_NUMBER_INFO", "INFO", "9"] {
        let message = refuse(
            &server,
            &logs(&[record("x", json!({"severityNumber": name}))]),
        )
        .await;
        let wanted = "logRecords.severityNumber: OTLP/JSON has enums as numbers: send the number";
        assert!(
            message.contains(wanted) && message.contains(name),
            "{message}"
        );
    }
    for number in [9, 99, 0, -1] {
        accept(&server, json!({"severityNumber": number})).await;
    }
    assert_eq!(column(&server, "severity_number"), ["9", "99", "0", "-1"]);
}

#[tokio::test]
async fn check_36_38_numbers_and_bytes_in_every_form() {
    let server = Server::start().await;
    let client = HttpClient::one();
    let values = [
        (r#"{"intValue":9007199254740993}"#, "9007199254740993"),
        (r#"{"intValue":"9007199254740993"}"#, "9007199254740993"),
        (
            r#"{"intValue":-9223372036854775808}"#,
            "-9223372036854775808",
        ),
        (
            r#"{"intValue":"9.223372036854775807e18"}"#,
            "9223372036854775807",
        ),
        (r#"{"intValue":100.0}"#, "100"),
        (r#"{"doubleValue":1}"#, "1.0"),
        (r#"{"doubleValue":"1.5"}"#, "1.5"),
        (r#"{"doubleValue":"NaN"}"#, r#"{"$double":"NaN"}"#),
        (r#"{"doubleValue":"Infinity"}"#, r#"{"$double":"Infinity"}"#),
        (
            r#"{"doubleValue":"-Infinity"}"#,
            r#"{"$double":"-Infinity"}"#,
        ),
        (r#"{"bytesValue":"+/+/"}"#, r#"{"$bytes":"+/+/"}"#),
        (r#"{"bytesValue":"+\/+\/"}"#, r#"{"$bytes":"+/+/"}"#),
        (r#"{"bytesValue":"-_-_"}"#, r#"{"$bytes":"+/+/"}"#),
        (r#"{"bytesValue":"-_8="}"#, r#"{"$bytes":"+/8="}"#),
        (r#"{"bytesValue":"+/8"}"#, r#"{"$bytes":"+/8="}"#),
        (r#"{"bytesValue":""}"#, r#"{"$bytes":""}"#),
    ];
    let mut wanted = Vec::new();
    for (value, stored) in values {
        let record = json!({"timeUnixNano": now(), "attributes": [{"key": "v", "value": "VALUE"}]});
        let body = logs(&[record]).replace("\"VALUE\"", value);
        let reply = client
            .export_json(server.http, Signal::Logs, &[], body)
            .await;
        assert_eq!(&reply.body[..], b"{}", "{value}: {reply:?}");
        wanted.push(format!(r#"{{"v":{stored}}}"#));
    }
    assert_eq!(column(&server, "attributes"), wanted);
}

#[tokio::test]
async fn check_37_null_is_the_default() {
    let server = Server::start().await;
    let nulls = json!({
        "observedTimeUnixNano": null, "severityNumber": null, "severityText": null, "attributes": null,
        "droppedAttributesCount": null, "flags": null, "traceId": null, "spanId": null, "eventName": null,
    });
    accept(&server, nulls).await;
    assert_eq!(column(&server, "severity_text"), [""]);
    assert_eq!(column(&server, "attributes"), ["{}"]);
}

#[tokio::test]
async fn check_45_indices_of_profiles_are_treated_as_absent() {
    let server = Server::start().await;
    let attributes = json!([
        {"key": "a", "keyStrindex": 3, "value": {"intValue": 1}},
        {"key": "b", "value": {"stringValueStrindex": 7}},
    ]);
    accept(&server, json!({"attributes": attributes})).await;
    assert_eq!(column(&server, "attributes"), [r#"{"a":1,"b":null}"#]);
}

/// JSON and protobuf share one port, one ledger and one store.
#[tokio::test]
async fn requests_of_both_encodings_add_up() {
    let server = Server::start().await;
    let client = HttpClient::two();
    for signal in SIGNALS {
        let protobuf = crate::requests::request(signal, 3, "protobuf");
        let reply = client.export(server.http, signal, &[], protobuf).await;
        assert_eq!(reply.header("content-type"), "application/x-protobuf");
        let json = request(signal, 4, "json");
        let headers = [("content-type", JSON)];
        let reply = client
            .send(post(server.http, http_path(signal), &headers, json))
            .await;
        assert_eq!(reply.header("content-type"), JSON);
        assert_eq!(server.rows("default", signal), 7);
    }
    for protocol in ["http/json", "http/protobuf"] {
        let label = format!("protocol=\"{protocol}\"");
        let count = server.metric("ingest_requests_total", &[&label]);
        assert_eq!(count, 3.0, "{protocol}");
    }
}
