//! Remote write and the text formats as their senders see them.

use crate::{
    client::{HttpClient, Reply, gzip, post},
    server::{Server, key},
};
use cairn_ingest::config::Config;
use cairn_proto::{
    write_v1::{
        Count, Exemplar, Histogram, Label, MetricMetadata, Sample, TimeSeries, WriteRequest,
    },
    write_v2,
};
use cairn_storage::signal::{Signal, Table};
use cairn_tenancy::principal::Scope;
use prost::Message;

const WRITE: &str = "/prometheus/api/v1/write";
const IMPORT: &str = "/prometheus/api/v1/import/prometheus";

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const SECOND: (&str, &str) = (
    "content-type",
    "application/x-protobuf;proto=io.prometheus.write.v2.Request",
);

fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(bytes)
        .expect("small")
}

fn label(name: &str, value: &str) -> Label {
    Label {
        name: name.to_string(),
        value: value.to_string(),
    }
}

/// A series `name` with `samples` samples, now and before; without a name a bad one.
fn series(name: &str, samples: i64) -> TimeSeries {
    let now = (crate::requests::now() / 1_000_000) as i64;
    let sample = |at: i64| Sample {
        value: at as f64,
        timestamp: now - at,
    };
    TimeSeries {
        labels: vec![label("__name__", name), label("job", "shop")],
        samples: (0..samples).map(sample).collect(),
        ..TimeSeries::default()
    }
}

fn first(timeseries: Vec<TimeSeries>) -> Vec<u8> {
    let request = WriteRequest {
        timeseries,
        metadata: Vec::new(),
    };
    snappy(&request.encode_to_vec())
}

async fn send(server: &Server, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let client = HttpClient::one();
    client.send(post(server.http, path, headers, body)).await
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).expect("text")
}

fn written(reply: &Reply) -> [&str; 3] {
    ["samples", "histograms", "exemplars"].map(|what| {
        reply.header(match what {
            "samples" => "x-prometheus-remote-write-samples-written",
            "histograms" => "x-prometheus-remote-write-histograms-written",
            _ => "x-prometheus-remote-write-exemplars-written",
        })
    })
}

fn ledger(server: &Server) -> [f64; 4] {
    ["received", "stored", "deduplicated", "rejected"].map(|outcome| {
        let outcome = format!("outcome=\"{outcome}\"");
        server.metric("storage_records_total", &["signal=\"metrics\"", &outcome])
    })
}

fn rows_of(server: &Server, tenant: &str, table: Table) -> usize {
    let tenant = tenant.parse().expect("an id");
    let snapshot = server.store.snapshot(&tenant, Signal::Metrics);
    let requests = snapshot.buffered.iter();
    let batches = requests.filter_map(|request| request.batch(table));
    batches.map(|batch| batch.num_rows()).sum()
}

#[tokio::test]
async fn version_one_is_stored_once() {
    let server = Server::start().await;
    let mut with_exemplar = series("a", 2);
    with_exemplar.exemplars = vec![Exemplar {
        labels: vec![label("trace_id", "x")],
        value: 1.0,
        timestamp: with_exemplar.samples[0].timestamp,
    }];
    with_exemplar.histograms = vec![Histogram {
        count: Some(Count::Int(0)),
        timestamp: with_exemplar.samples[0].timestamp,
        ..Histogram::default()
    }];
    let body = first(vec![with_exemplar, series("b", 1)]);
    let packings = [
        vec![PROTOBUF, ("content-encoding", "snappy")],
        vec![PROTOBUF],
        vec![(
            "content-type",
            "application/x-protobuf; proto=\"prometheus.WriteRequest\"",
        )],
    ];
    for headers in packings {
        let reply = send(&server, WRITE, &headers, body.clone()).await;
        assert_eq!(
            (reply.status.as_u16(), text(&reply)),
            (204, ""),
            "{reply:?}"
        );
        assert_eq!(written(&reply), ["3", "1", "1"], "also of a retry");
    }
    assert_eq!(ledger(&server), [15.0, 5.0, 10.0, 0.0]);
    let rows = [
        Table::Samples,
        Table::Histograms,
        Table::Exemplars,
        Table::Series,
    ];
    assert_eq!(
        rows.map(|table| rows_of(&server, "default", table)),
        [3, 1, 1, 3]
    );
    let requests = server.metric(
        "ingest_requests_total",
        &["protocol=\"prometheus/remote_write\"", "code=\"204\""],
    );
    assert_eq!(requests, 3.0);
}

#[tokio::test]
async fn exemplars_alone_are_records() {
    let server = Server::start().await;
    let mut alone = series("a", 0);
    alone.exemplars = vec![Exemplar {
        timestamp: 5,
        ..Exemplar::default()
    }];
    let reply = send(&server, WRITE, &[PROTOBUF], first(vec![alone])).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(written(&reply), ["0", "0", "1"]);
    assert_eq!(ledger(&server), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(rows_of(&server, "default", Table::Exemplars), 1);
}

#[tokio::test]
async fn version_two_tells_what_was_written() {
    let server = Server::start().await;
    let symbols = ["", "__name__", "m", "a", "b"].map(str::to_string).to_vec();
    let one = |labels_refs: Vec<u32>| write_v2::TimeSeries {
        labels_refs,
        samples: vec![write_v2::Sample {
            value: 1.0,
            timestamp: 1,
            start_timestamp: 0,
        }],
        ..write_v2::TimeSeries::default()
    };
    let request = |timeseries| {
        let symbols = symbols.clone();
        snappy(
            &write_v2::Request {
                symbols,
                timeseries,
            }
            .encode_to_vec(),
        )
    };
    let reply = send(&server, WRITE, &[SECOND], request(vec![one(vec![1, 2])])).await;
    assert_eq!(reply.status, 204);
    assert_eq!(written(&reply), ["1", "0", "0"]);
    // What is good is stored, and the sender is told not to send the rest again.
    let mixed = vec![one(vec![1, 2, 3, 4]), one(vec![3, 4]), one(vec![1, 9])];
    let reply = send(&server, WRITE, &[SECOND], request(mixed)).await;
    assert_eq!(reply.status, 400);
    assert_eq!(written(&reply), ["1", "0", "0"]);
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    let text = text(&reply);
    for part in [
        "2 of 3 records were refused",
        "1 incomplete",
        "1 malformed",
        "__name__",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(ledger(&server), [4.0, 2.0, 0.0, 2.0]);
    assert_eq!(server.dead_letters().len(), 2);
}

#[tokio::test]
async fn metadata_describes_what_comes_later() {
    let server = Server::start().await;
    let metadata = WriteRequest {
        timeseries: Vec::new(),
        metadata: vec![MetricMetadata {
            r#type: 1,
            metric_family_name: "a".to_string(),
            help: "How often.".to_string(),
            unit: String::new(),
        }],
    };
    let kinds = |server: &Server| {
        let tenant = "default".parse().expect("an id");
        let snapshot = server.store.snapshot(&tenant, Signal::Metrics);
        let batches = snapshot.buffered.iter();
        let batches: Vec<_> = batches
            .filter_map(|request| request.batch(Table::Series))
            .collect();
        let cell = |batch: &arrow::array::RecordBatch, name: &str| {
            let column = batch.column_by_name(name).expect("a column");
            let text = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8);
            let text = text.expect("everything is text");
            arrow::array::AsArray::as_string::<i32>(&text)
                .value(0)
                .to_string()
        };
        let of =
            |batch: &&arrow::array::RecordBatch| (cell(batch, "series_id"), cell(batch, "type"));
        batches.iter().map(of).collect::<Vec<_>>()
    };
    for body in [
        first(vec![series("a", 1)]),
        snappy(&metadata.encode_to_vec()),
        first(vec![series("a", 2)]),
    ] {
        let reply = send(&server, WRITE, &[PROTOBUF], body).await;
        assert_eq!(reply.status, 204, "{reply:?}");
    }
    let found = kinds(&server);
    assert_eq!(found.len(), 2, "metadata alone is no row");
    assert_eq!((found[0].1.as_str(), found[1].1.as_str()), ("gauge", "sum"));
    assert_eq!(found[0].0, found[1].0, "it is the same series");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn heads_and_bodies_that_are_refused() {
    let config = Config {
        max_request_bytes: 64 << 10,
        ..Config::default()
    };
    let server = Server::with(config, Vec::new()).await;
    let body = first(vec![series("a", 1)]);
    let large = snappy(&vec![0; (64 << 10) + 1]);
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Headers<'_>, &[u8], u16, &str); 9] = [
        (&[], &body, 415, "content type"),
        (
            &[("content-type", "application/json")],
            &body,
            415,
            "content type",
        ),
        (
            &[(
                "content-type",
                "application/x-protobuf;proto=io.prometheus.write.v3.Request",
            )],
            &body,
            415,
            "content type",
        ),
        (
            &[PROTOBUF, ("content-encoding", "br")],
            &body,
            415,
            "compression",
        ),
        (&[PROTOBUF], b"no snappy", 400, "broken snappy data"),
        (
            &[PROTOBUF],
            &snappy(&[0x0a, 9, 1]),
            400,
            "malformed request at byte 0",
        ),
        (
            &[SECOND],
            &snappy(&[0x22, 1, b'a']),
            400,
            "the first symbol",
        ),
        (&[PROTOBUF], &large, 413, "after decompression"),
        (
            &[PROTOBUF, ("content-encoding", "gzip")],
            &body,
            400,
            "broken gzip data",
        ),
    ];
    for (headers, body, status, part) in cases {
        let reply = send(&server, WRITE, headers, body.to_vec()).await;
        assert_eq!(reply.status, status, "{headers:?}: {reply:?}");
        assert!(text(&reply).contains(part), "{part} in {}", text(&reply));
        assert_eq!(written(&reply), ["0"; 3]);
        assert_eq!(reply.header("retry-after"), "", "never again like this");
    }
    let get = http::Request::get(format!("http://{}{WRITE}", server.http));
    let get = get.body(axum::body::Body::empty()).expect("a request");
    let reply = HttpClient::one().send(get).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("allow")),
        (405, "POST")
    );
    assert_eq!(rows_of(&server, "default", Table::Samples), 0);
    let packed = WriteRequest {
        timeseries: vec![series("a", 1)],
        metadata: Vec::new(),
    };
    let headers = [PROTOBUF, ("content-encoding", "gzip")];
    let reply = send(&server, WRITE, &headers, gzip(&packed.encode_to_vec())).await;
    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn limits_on_records_refuse_the_series_alone() {
    let config = Config {
        max_attributes: 3,
        max_key_bytes: 16,
        max_value_bytes: 64,
        ..Config::default()
    };
    let server = Server::with(config, Vec::new()).await;
    let mut many = series("many", 2);
    many.labels
        .extend(["x", "y", "z"].map(|name| label(name, "1")));
    let mut long_name = series("long_name", 1);
    long_name.labels.push(label("k2345678901234567", "1"));
    let mut long_value = series("long_value", 1);
    long_value.labels.push(label("k", &"v".repeat(65)));
    let mut ahead = series("ahead", 1);
    ahead.samples[0].timestamp += 2 * 86_400_000;
    let mut alone = many.clone();
    alone.samples.clear();
    alone.exemplars = vec![Exemplar {
        timestamp: 5,
        ..Exemplar::default()
    }];
    let good = series("good", 1);
    let body = first(vec![many, long_name, good, long_value, ahead, alone]);
    let reply = send(&server, WRITE, &[PROTOBUF], body).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    let text = text(&reply);
    for part in ["3 too_many_attributes", "2 too_large", "1 too_far_ahead"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(ledger(&server), [7.0, 1.0, 0.0, 6.0]);
    assert_eq!(rows_of(&server, "default", Table::Series), 1);
    assert_eq!(server.dead_letters().len(), 6);
}

#[tokio::test]
async fn when_memory_is_spent_the_sender_is_told_to_come_back() {
    let server = Server::start().await;
    let budget = server.store.budget();
    let rest = budget.limit_bytes() - budget.used_bytes();
    let all = budget.reserve(rest).expect("what is left");
    for (path, headers, body) in [
        (WRITE, [PROTOBUF], first(vec![series("a", 1)])),
        (IMPORT, [("content-type", "text/plain")], b"a 1".to_vec()),
    ] {
        let reply = send(&server, path, &headers, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("retry-after")),
            (429, "1"),
            "{path}"
        );
    }
    drop(all);
    let reply = send(&server, WRITE, &[PROTOBUF], first(vec![series("a", 1)])).await;
    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn rows_belong_to_the_tenant_of_the_key() {
    let keys = vec![
        key("acme", "cairn_acme", &[Scope::Ingest]),
        key("initech", "cairn_initech", &[Scope::Ingest]),
        key("initech", "cairn_reader", &[Scope::Query]),
    ];
    let server = Server::with(Config::default(), keys).await;
    let body = first(vec![series("a", 1)]);
    let sent = [
        ("authorization", "Bearer cairn_acme", 204),
        ("x-api-key", "cairn_initech", 204),
        ("authorization", "Bearer cairn_reader", 403),
        ("authorization", "Bearer cairn_nobody", 401),
        ("x-other", "", 401),
    ];
    for (name, value, status) in sent {
        let reply = send(&server, WRITE, &[PROTOBUF, (name, value)], body.clone()).await;
        assert_eq!(reply.status, status, "{value}");
        let reply = send(&server, IMPORT, &[(name, value)], b"b 1\n".to_vec()).await;
        assert_eq!(reply.status, status, "{value}");
        let challenge = reply.header("www-authenticate");
        assert_eq!(challenge.starts_with("Bearer"), status == 401);
    }
    for tenant in ["acme", "initech"] {
        assert_eq!(rows_of(&server, tenant, Table::Samples), 2, "{tenant}");
    }
    assert_eq!(rows_of(&server, "default", Table::Samples), 0);
}

#[tokio::test]
async fn text_formats() {
    let server = Server::start().await;
    let text_format = b"# TYPE a counter\na{x=\"1\"} 1 5\nb 2\nbad\n".to_vec();
    let reply = send(
        &server,
        IMPORT,
        &[("content-encoding", "gzip")],
        gzip(&text_format),
    )
    .await;
    assert_eq!(reply.status, 400, "{reply:?}");
    let expected =
        "1 of 3 records were refused: 1 malformed, first record 2: line 4: a sample has no value";
    assert_eq!(text(&reply), expected);
    assert_eq!(
        server.dead_letters(),
        [("malformed".to_string(), b"bad".to_vec())]
    );
    let open = (
        "content-type",
        "application/openmetrics-text; version=1.0.0",
    );
    let body = b"c_total 1 5.5 # {trace_id=\"x\"} 2\n# EOF\n".to_vec();
    let reply = send(&server, IMPORT, &[open], body).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(rows_of(&server, "default", Table::Samples), 3);
    assert_eq!(rows_of(&server, "default", Table::Exemplars), 1);
    let reply = send(&server, IMPORT, &[], Vec::new()).await;
    assert_eq!(reply.status, 204, "nothing is stored at once");
    assert_eq!(ledger(&server), [5.0, 4.0, 0.0, 1.0]);
}
