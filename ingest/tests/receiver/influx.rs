//! Influx line protocol as its clients see it.

use crate::{
    client::{HttpClient, Reply, gzip, post},
    server::{Server, key},
};
use arrow::{
    array::AsArray,
    datatypes::{Int64Type, TimestampNanosecondType},
};
use cairn_ingest::config::Config;
use cairn_storage::signal::Signal;
use cairn_tenancy::principal::Scope;

const ONE: &str = "/influx/write";
const TWO: &str = "/influx/api/v2/write";

async fn send(server: &Server, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let client = HttpClient::one();
    client.send(post(server.http, path, headers, body)).await
}

fn json(reply: &Reply) -> serde_json::Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}

#[tokio::test]
async fn both_versions_with_each_precision() {
    let server = Server::start().await;
    let sent = [
        (
            format!("{ONE}?db=x&precision=s"),
            1_700_000_001_000_000_000_i64,
            1_700_000_001_i64,
        ),
        (format!("{ONE}?precision=h"), 3_600_000_000_000, 1),
        (
            format!("{ONE}?db=x"),
            1_700_000_001_000_000_007,
            1_700_000_001_000_000_007,
        ),
        (
            format!("{TWO}?org=o&bucket=b&precision=ms"),
            1_700_000_001_002_000_000,
            1_700_000_001_002,
        ),
        (
            format!("{TWO}?precision=us&bucket=b"),
            1_700_000_001_000_002_000,
            1_700_000_001_000_002,
        ),
    ];
    for (path, _, time) in &sent {
        let body = format!("m,t=1 v=7i,note=\"text\" {time}");
        let reply = send(
            &server,
            path,
            &[("content-encoding", "gzip")],
            gzip(body.as_bytes()),
        )
        .await;
        assert_eq!(
            (reply.status.as_u16(), reply.body.len()),
            (204, 0),
            "{reply:?}"
        );
    }
    let batches = server.batches("default", Signal::Metrics);
    let (mut times, mut values): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for batch in &batches {
        let column = |name| batch.column_by_name(name).expect("a column");
        times.extend(
            column("timestamp")
                .as_primitive::<TimestampNanosecondType>()
                .values(),
        );
        values.extend(column("value_int").as_primitive::<Int64Type>().values());
    }
    assert_eq!(times, sent.map(|(_, time, _)| time));
    assert_eq!(values, [7; 5]);
    let texts = server.metric("ingest_skipped_texts_total", &["protocol=\"influx/lines\""]);
    assert_eq!(texts, 5.0, "what is left out is counted");
}

#[tokio::test]
async fn bad_lines_and_bad_requests() {
    let server = Server::start().await;
    let reply = send(&server, ONE, &[], b"a v=1\nb\nc v=2\n".to_vec()).await;
    assert_eq!(reply.status, 400);
    let expected = "partial write: 1 of 3 records were refused: 1 malformed, first record 2: line 2: \
         it has no fields dropped=1";
    assert_eq!(json(&reply)["error"], expected);
    assert_eq!(json(&reply)["code"], "invalid");
    assert_eq!(server.rows("default", Signal::Metrics), 2);
    assert_eq!(
        server.dead_letters(),
        [("malformed".to_string(), b"b".to_vec())]
    );
    let reply = send(
        &server,
        "/influx/write?precision=days",
        &[],
        b"a v=1".to_vec(),
    )
    .await;
    assert_eq!(reply.status, 400);
    let message = json(&reply)["message"].to_string();
    assert!(message.contains("precision"), "{message}");
    let headers = [("content-encoding", "br")];
    let reply = send(&server, TWO, &headers, b"a v=1".to_vec()).await;
    assert_eq!(reply.status, 415);
    let ping = http::Request::get(format!("http://{}/influx/ping", server.http));
    let ping = ping.body(axum::body::Body::empty()).expect("a request");
    assert_eq!(HttpClient::one().send(ping).await.status, 204);
}

#[tokio::test]
async fn keys_as_clients_of_influx_send_them() {
    let keys = vec![
        key("acme", "cairn_acme", &[Scope::Ingest]),
        key("initech", "cairn_reader", &[Scope::Query]),
    ];
    let server = Server::with(Config::default(), keys).await;
    let basic = "Basic dTpjYWlybl9hY21l";
    for (value, status, code) in [
        ("Token cairn_acme", 204, ""),
        (basic, 204, ""),
        ("Token cairn_reader", 403, "forbidden"),
        ("Token nobody", 401, "unauthorized"),
    ] {
        let headers = [("authorization", value)];
        let reply = send(
            &server,
            TWO,
            &headers,
            format!("a v=1 {}", value.len()).into(),
        )
        .await;
        assert_eq!(reply.status, status, "{value}");
        if status != 204 {
            assert_eq!(json(&reply)["code"], code);
        }
    }
    assert_eq!(server.rows("acme", Signal::Metrics), 2);
}
