//! What becomes of requests: stored, partly stored, stored once; and what the client is told.

use crate::{
    client::{HttpClient, PACKINGS, frame, http_path},
    requests::{SIGNALS, field, log, logs_request, metrics_request, now, request, spans_request},
    server::Server,
};
use cairn_ingest::config::Config;
use cairn_proto::{
    export::{ExportResponse, PartialSuccess},
    status::{Code, Status},
};
use cairn_storage::signal::Signal;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::logs_service_client::LogsServiceClient,
        metrics::v1::metrics_service_client::MetricsServiceClient,
        trace::v1::trace_service_client::TraceServiceClient,
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
};
use prost::Message;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tonic::{codec::CompressionEncoding, transport::Endpoint};

fn partial(message: &[u8]) -> Option<PartialSuccess> {
    ExportResponse::decode(message)
        .expect("an export response")
        .partial_success
}

#[tokio::test]
async fn check_01_02_03_05_08_10_every_protocol_signal_and_compression() {
    let server = Server::start().await;
    let (one, two) = (HttpClient::one(), HttpClient::two());
    for signal in SIGNALS {
        let mut expected = 0;
        let mut sequence = 0;
        for (name, pack) in PACKINGS {
            for (client, version) in [(&one, "1"), (&two, "2")] {
                let body = pack(&request(signal, 3, &format!("http {name} {version}")));
                let headers = [("content-encoding", name)];
                let reply = client.export(server.http, signal, &headers, body).await;
                assert_eq!(reply.status, 200, "{signal} {name}: {reply:?}");
                assert_eq!(reply.header("content-type"), "application/x-protobuf");
                assert!(
                    reply.body.is_empty(),
                    "a full success has no partial success"
                );
                expected += 3;
                assert_eq!(
                    server.rows("default", signal),
                    expected,
                    "readable with its OK"
                );
                let of_reply: u64 = reply.header("cairn-sequence").parse().expect("a number");
                assert!(of_reply > sequence && of_reply <= server.store.sequence());
                sequence = of_reply;
            }
            let body = frame(name != "identity", &pack(&request(signal, 3, name)));
            let reply = two
                .call(server.grpc, signal, &[("grpc-encoding", name)], body)
                .await;
            assert_eq!(
                reply.grpc_status().code(),
                Code::Ok,
                "{signal} {name}: {reply:?}"
            );
            assert!(
                reply.grpc_message().is_empty(),
                "a full success has no partial success"
            );
            assert_eq!(reply.header("grpc-accept-encoding"), "identity,gzip,zstd");
            expected += 3;
            assert_eq!(
                server.rows("default", signal),
                expected,
                "readable with its OK"
            );
        }
    }
    for (protocol, code) in [("grpc", "0"), ("http/protobuf", "200")] {
        let labels = [
            format!("protocol=\"{protocol}\""),
            format!("code=\"{code}\""),
        ];
        let labels = [labels[0].as_str(), labels[1].as_str()];
        let count = if protocol == "grpc" { 9.0 } else { 18.0 };
        assert_eq!(server.metric("ingest_requests_total", &labels), count);
    }
    assert_eq!(server.metric("ingest_requests_in_flight", &[]), 0.0);
}

#[tokio::test]
async fn check_01_05_tonic_clients() {
    let server = Server::start().await;
    let endpoint = Endpoint::from_shared(format!("http://{}", server.grpc)).expect("a URL");
    let channel = endpoint.connect().await.expect("the server listens");
    for compression in [
        None,
        Some(CompressionEncoding::Gzip),
        Some(CompressionEncoding::Zstd),
    ] {
        let mut logs = LogsServiceClient::new(channel.clone());
        let mut metrics = MetricsServiceClient::new(channel.clone());
        let mut traces = TraceServiceClient::new(channel.clone());
        if let Some(encoding) = compression {
            logs = logs.send_compressed(encoding).accept_compressed(encoding);
            metrics = metrics
                .send_compressed(encoding)
                .accept_compressed(encoding);
            traces = traces.send_compressed(encoding).accept_compressed(encoding);
        }
        let mark = format!("{compression:?}");
        let answer = logs
            .export(logs_request(vec![log(&mark)]))
            .await
            .expect("accepted");
        assert_eq!(answer.into_inner().partial_success, None);
        let answer = metrics
            .export(metrics_request(&[1.0]))
            .await
            .expect("accepted");
        assert_eq!(answer.into_inner().partial_success, None);
        let answer = traces
            .export(spans_request(&[mark]))
            .await
            .expect("accepted");
        assert_eq!(answer.into_inner().partial_success, None);
    }
    for signal in SIGNALS {
        assert_eq!(server.rows("default", signal), 3, "{signal}");
    }
}

#[tokio::test]
async fn check_49_a_thousand_calls_on_one_connection() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let calls = (0..1000).map(|number| {
        let body = frame(false, &request(Signal::Logs, 1, &format!("call {number}")));
        client.call(server.grpc, Signal::Logs, &[], body)
    });
    for reply in futures::future::join_all(calls).await {
        assert_eq!(reply.grpc_status().code(), Code::Ok);
    }
    assert_eq!(server.rows("default", Signal::Logs), 1000);
}

#[tokio::test]
async fn check_15_nothing_to_store_is_a_success() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let empty_groups = field(1, &field(2, &[]));
    for body in [Vec::new(), empty_groups] {
        for signal in SIGNALS {
            let reply = client.export(server.http, signal, &[], body.clone()).await;
            assert_eq!(
                (reply.status.as_u16(), reply.body.len()),
                (200, 0),
                "{reply:?}"
            );
            let reply = client
                .call(server.grpc, signal, &[], frame(false, &body))
                .await;
            assert_eq!(reply.grpc_status().code(), Code::Ok);
            assert_eq!(server.rows("default", signal), 0);
        }
    }
}

/// One bad record among ten thousand loses itself, is counted, named, and kept as a dead letter.
#[tokio::test]
async fn check_11_14_one_bad_record_among_ten_thousand() {
    let server = Server::start().await;
    let client = HttpClient::two();
    // A field of fixed width that is cut off.
    let broken = b"\x09\x01\x02";
    for (http, expected) in [(true, 1), (false, 2)] {
        let mut records: Vec<Vec<u8>> = (0..10_000)
            .map(|n| log(&format!("{http} {n}")).encode_to_vec())
            .collect();
        records[4_170] = broken.to_vec();
        let records: Vec<u8> = records.iter().flat_map(|record| field(2, record)).collect();
        let body = field(1, &field(2, &records));
        let message = if http {
            let reply = client.export(server.http, Signal::Logs, &[], body).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            reply.body.to_vec()
        } else {
            let reply = client
                .call(server.grpc, Signal::Logs, &[], frame(false, &body))
                .await;
            assert_eq!(reply.grpc_status().code(), Code::Ok);
            reply.grpc_message().to_vec()
        };
        let partial = partial(&message).expect("one record was refused");
        assert_eq!(partial.rejected, 1);
        let text = &partial.error_message;
        assert!(
            text.contains("1 of 10000") && text.contains("malformed"),
            "{text}"
        );
        assert!(text.contains("record 4170"), "{text}");
        assert_eq!(server.rows("default", Signal::Logs), 9_999 * expected);
        let letters = vec![("malformed".to_string(), broken.to_vec()); expected];
        assert_eq!(server.dead_letters(), letters);
    }
}

fn attributes(count: usize) -> Vec<KeyValue> {
    let value = Some(AnyValue {
        value: Some(Value::IntValue(1)),
    });
    let attribute = |n| KeyValue {
        key: format!("k{n}"),
        value: value.clone(),
        ..KeyValue::default()
    };
    (0..count).map(attribute).collect()
}

/// What admission refuses: exact counts, both reasons, and the bytes of the records in the dead letters.
#[tokio::test]
async fn check_11_records_over_the_limits_are_refused_one_by_one() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let mut records = vec![log("fine"); 5];
    records[1].time_unix_nano = now() + 2 * 86_400 * 1_000_000_000;
    records[2].attributes = attributes(1001);
    records[3].attributes = attributes(1000);
    records[4].body = Some(AnyValue {
        value: Some(Value::StringValue("x".repeat((1 << 20) + 1))),
    });
    let request = logs_request(records.clone()).encode_to_vec();
    let reply = client
        .call(server.grpc, Signal::Logs, &[], frame(false, &request))
        .await;
    let partial = partial(reply.grpc_message()).expect("three records were refused");
    assert_eq!(partial.rejected, 3);
    for part in [
        "3 of 5",
        "1 too_far_ahead",
        "1 too_many_attributes",
        "1 too_large",
        "1048577",
    ] {
        assert!(
            partial.error_message.contains(part),
            "{part}: {}",
            partial.error_message
        );
    }
    assert_eq!(server.rows("default", Signal::Logs), 2);
    let letter = |reason: &str, index: usize| (reason.to_string(), records[index].encode_to_vec());
    let expected = [
        letter("too_far_ahead", 1),
        letter("too_many_attributes", 2),
        letter("too_large", 4),
    ];
    assert_eq!(server.dead_letters(), expected);
    let received = ["signal=\"logs\"", "outcome=\"received\""];
    assert_eq!(server.metric("storage_records_total", &received), 5.0);
    let stored = ["signal=\"logs\"", "outcome=\"stored\""];
    assert_eq!(server.metric("storage_records_total", &stored), 2.0);
    let rejected = ["signal=\"logs\"", "outcome=\"rejected\""];
    assert_eq!(server.metric("storage_records_total", &rejected), 3.0);
}

#[tokio::test]
async fn data_points_over_the_limits_keep_their_bytes_too() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let mut request = metrics_request(&[1.0, 2.0, 3.0]);
    let metric = &mut request.resource_metrics[0].scope_metrics[0].metrics[0];
    let Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Gauge(gauge)) =
        &mut metric.data
    else {
        panic!("it is a gauge")
    };
    gauge.data_points[1].time_unix_nano = now() + 2 * 86_400 * 1_000_000_000;
    let expected = gauge.data_points[1].encode_to_vec();
    let reply = client
        .export(server.http, Signal::Metrics, &[], request.encode_to_vec())
        .await;
    assert_eq!(
        partial(&reply.body)
            .expect("one point was refused")
            .rejected,
        1
    );
    assert_eq!(server.rows("default", Signal::Metrics), 2);
    assert_eq!(
        server.dead_letters(),
        [("too_far_ahead".to_string(), expected)]
    );
}

/// A million refusals make a short answer (OTLP clients take 4 MiB).
#[tokio::test]
async fn check_22_many_refusals_make_a_short_answer() {
    let server = Server::start().await;
    let client = HttpClient::one();
    let records: Vec<u8> = field(2, b"\x09\x01").repeat(200_000);
    let body = field(1, &field(2, &records));
    let reply = client.export(server.http, Signal::Logs, &[], body).await;
    let partial = partial(&reply.body).expect("all were refused");
    assert_eq!(partial.rejected, 200_000);
    assert!(reply.body.len() < 4096, "{} bytes", reply.body.len());
    assert_eq!(server.rows("default", Signal::Logs), 0);
}

/// Only warned of: nothing rejected, but the client is told.
#[tokio::test]
async fn check_12_a_warning_is_a_partial_success_without_rejections() {
    let server = Server::start().await;
    let client = HttpClient::one();
    let mut record = log("twice");
    record.attributes = [attributes(1), attributes(1)].concat();
    let body = logs_request(vec![record]).encode_to_vec();
    let reply = client.export(server.http, Signal::Logs, &[], body).await;
    let partial = partial(&reply.body).expect("a warning");
    assert_eq!(partial.rejected, 0);
    assert!(
        partial.error_message.contains("1 keys stood twice"),
        "{}",
        partial.error_message
    );
}

#[tokio::test]
async fn check_16_26_what_is_no_request_is_refused_for_good() {
    let server = Server::start().await;
    let client = HttpClient::two();
    for signal in SIGNALS {
        let reply = client.export(server.http, signal, &[], "no protobuf").await;
        assert_eq!(reply.status, 400, "{reply:?}");
        check_bad_request(&reply.http_error());
        assert_eq!(reply.header("retry-after"), "");
        let reply = client
            .call(server.grpc, signal, &[], frame(false, b"no protobuf"))
            .await;
        check_bad_request(&reply.grpc_status());
        assert_eq!(server.rows("default", signal), 0);
    }
}

fn check_bad_request(status: &Status) {
    use cairn_proto::status::StatusExt;
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let violations = &details
        .bad_request()
        .expect("it says what is bad")
        .field_violations;
    assert_eq!(violations[0].description, status.message());
    assert!(details.retry_info().is_none());
}

/// The same bytes again are acknowledged and not stored again, over any protocol and compression.
#[tokio::test]
async fn check_27_a_retry_never_doubles() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let body = request(Signal::Logs, 3, "once");
    for (name, pack) in PACKINGS {
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, Signal::Logs, &headers, pack(&body))
            .await;
        assert_eq!(reply.status, 200);
        let reply = client
            .call(server.grpc, Signal::Logs, &[], frame(false, &body))
            .await;
        assert_eq!(reply.grpc_status().code(), Code::Ok);
    }
    assert_eq!(server.rows("default", Signal::Logs), 3);
    let deduplicated = ["signal=\"logs\"", "outcome=\"deduplicated\""];
    assert_eq!(server.metric("storage_records_total", &deduplicated), 15.0);
}

/// A client that is gone before its answer: all of its request is stored or nothing, and its retry does not double.
#[tokio::test]
async fn check_51_clients_that_hang_up() {
    let server = Server::start().await;
    let bodies: Vec<Vec<u8>> = (0..20)
        .map(|number| request(Signal::Logs, 7, &format!("client {number}")))
        .collect();
    for (number, body) in bodies.iter().enumerate() {
        let mut stream = TcpStream::connect(server.http)
            .await
            .expect("the server listens");
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
             content-length: {}\r\n\r\n",
            http_path(Signal::Logs),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let sent = if number % 2 == 0 {
            body.len()
        } else {
            body.len() / 2
        };
        stream.write_all(&body[..sent]).await.expect("it reads");
        drop(stream);
        assert_eq!(
            server.rows("default", Signal::Logs) % 7,
            0,
            "all or nothing"
        );
    }
    let client = HttpClient::two();
    for body in &bodies {
        let reply = client
            .export(server.http, Signal::Logs, &[], body.clone())
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(
            server.rows("default", Signal::Logs) % 7,
            0,
            "all or nothing"
        );
    }
    assert_eq!(server.rows("default", Signal::Logs), 140);
}

/// A call whose deadline passes is given up, and the server is none the worse for it.
#[tokio::test]
async fn deadlines() {
    let server = Server::with(Config::default(), Vec::new()).await;
    let client = HttpClient::two();
    let began =
        axum::body::Body::from_stream(futures::stream::pending::<Result<&[u8], std::io::Error>>());
    let reply = client
        .call(server.grpc, Signal::Logs, &[("grpc-timeout", "50m")], began)
        .await;
    assert_eq!(reply.grpc_status().code(), Code::DeadlineExceeded);
    let body = frame(false, &request(Signal::Logs, 1, "in time"));
    for timeout in ["10S", "5M", "1H", "30000000u"] {
        let headers = [("grpc-timeout", timeout)];
        let reply = client
            .call(server.grpc, Signal::Logs, &headers, body.clone())
            .await;
        assert_eq!(reply.grpc_status().code(), Code::Ok, "{timeout}");
    }
    for timeout in ["", "S", "10", "10x", "123456789S", "-1S"] {
        let headers = [("grpc-timeout", timeout)];
        let reply = client
            .call(server.grpc, Signal::Logs, &headers, body.clone())
            .await;
        assert_eq!(
            reply.grpc_status().code(),
            Code::InvalidArgument,
            "{timeout}"
        );
    }
    tokio::time::timeout(Duration::from_secs(5), server.store.close())
        .await
        .expect("nothing hangs")
        .expect("it closes");
}
