//! Sizes and memory: the limit to the byte, bombs, and what is told when memory is spent.

use crate::{
    client::{HttpClient, PACKINGS, frame, gzip, retry_delay, zstd},
    requests::{large_logs, logs_of_size, request},
    server::Server,
};
use cairn_ingest::config::Config;
use cairn_proto::status::Code;
use cairn_storage::signal::Signal;

const LIMIT: usize = 256 << 10;

async fn server() -> Server {
    let config = Config {
        max_request_bytes: LIMIT as u64,
        max_value_bytes: LIMIT as u64,
        max_record_bytes: LIMIT as u64,
        ..Config::default()
    };
    Server::with(config, Vec::new()).await
}

#[tokio::test]
async fn check_19_21_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    let server = server().await;
    let (one, two) = (HttpClient::one(), HttpClient::two());
    let mut expected = 0;
    for (name, pack) in PACKINGS {
        let headers = [("content-encoding", name)];
        for client in [&one, &two] {
            let body = pack(&logs_of_size(LIMIT));
            let reply = client
                .export(server.http, Signal::Logs, &headers, body)
                .await;
            assert_eq!(
                (reply.status.as_u16(), reply.body.len()),
                (200, 0),
                "{name}: {reply:?}"
            );
            expected += 1;
            let body = pack(&logs_of_size(LIMIT + 1));
            let reply = client
                .export(server.http, Signal::Logs, &headers, body)
                .await;
            assert_eq!(reply.status, 413, "{name}: {reply:?}");
            let error = reply.http_error();
            assert_eq!(
                (error.code(), retry_delay(&error)),
                (Code::ResourceExhausted, None)
            );
            assert_eq!(reply.header("retry-after"), "");
        }
        let headers = [("grpc-encoding", name)];
        let body = frame(name != "identity", &pack(&logs_of_size(LIMIT)));
        let reply = two.call(server.grpc, Signal::Logs, &headers, body).await;
        assert_eq!(reply.grpc_status().code(), Code::Ok, "{name}: {reply:?}");
        expected += 1;
        let body = frame(name != "identity", &pack(&logs_of_size(LIMIT + 1)));
        let error = two
            .call(server.grpc, Signal::Logs, &headers, body)
            .await
            .grpc_status();
        assert_eq!(
            (error.code(), retry_delay(&error)),
            (Code::ResourceExhausted, None)
        );
        assert_eq!(server.rows("default", Signal::Logs), expected);
    }
}

/// The default is 64 MiB after decompression, to the byte.
#[tokio::test]
async fn check_20_21_sixty_four_mebibytes_by_default() {
    let server = Server::start().await;
    let client = HttpClient::two();
    let limit = 64 << 20;
    let (whole, larger) = (large_logs(limit), large_logs(limit + 1));
    for (name, pack) in PACKINGS {
        let (compressed, packed) = (name != "identity", pack(&larger));
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, Signal::Logs, &headers, packed.clone())
            .await;
        assert_eq!(reply.status, 413, "{name}: {reply:?}");
        let headers = [("grpc-encoding", name)];
        let reply = client
            .call(
                server.grpc,
                Signal::Logs,
                &headers,
                frame(compressed, &packed),
            )
            .await;
        assert_eq!(
            reply.grpc_status().code(),
            Code::ResourceExhausted,
            "{name}"
        );
        let packed = pack(&whole);
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, Signal::Logs, &headers, packed.clone())
            .await;
        assert_eq!(reply.status, 200, "{name}: {reply:?}");
        let headers = [("grpc-encoding", name)];
        let reply = client
            .call(
                server.grpc,
                Signal::Logs,
                &headers,
                frame(compressed, &packed),
            )
            .await;
        assert_eq!(reply.grpc_status().code(), Code::Ok, "{name}");
    }
    assert_eq!(
        server.rows("default", Signal::Logs),
        128,
        "the same bytes, once"
    );
}

#[tokio::test]
async fn check_19_bombs_are_given_up_at_the_limit() {
    let server = server().await;
    let client = HttpClient::two();
    let zeros = vec![0; 64 << 20];
    for (name, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        let before = server.metric("ingest_payload_bytes_total", &[]);
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, Signal::Logs, &headers, bomb.clone())
            .await;
        assert_eq!(reply.status, 413, "{name}: {reply:?}");
        let headers = [("grpc-encoding", name)];
        let reply = client
            .call(server.grpc, Signal::Logs, &headers, frame(true, &bomb))
            .await;
        assert_eq!(
            reply.grpc_status().code(),
            Code::ResourceExhausted,
            "{name}"
        );
        let inflated = server.metric("ingest_payload_bytes_total", &[]) - before;
        assert!(
            inflated <= 2.0 * LIMIT as f64,
            "{name}: {inflated} bytes were kept"
        );
    }
    assert_eq!(
        server.store.budget().used_bytes(),
        0,
        "all memory was given back"
    );
}

/// A declared length is believed only where it is too large.
#[tokio::test]
async fn check_19_declared_lengths() {
    let server = server().await;
    let client = HttpClient::two();
    let announced = [&[0][..], &u32::MAX.to_be_bytes(), b"little"].concat();
    let reply = client.call(server.grpc, Signal::Logs, &[], announced).await;
    assert_eq!(reply.grpc_status().code(), Code::ResourceExhausted);
    assert_eq!(server.store.budget().used_bytes(), 0);
}

/// Memory that is spent comes back, so these are the errors to retry; and the retry goes through.
#[tokio::test]
async fn check_23_24_25_26_28_spent_memory_is_retryable() {
    let server = server().await;
    let client = HttpClient::two();
    let budget = server.store.budget();
    let body = request(Signal::Logs, 10, "again");
    for (name, pack) in PACKINGS {
        let left = budget.limit_bytes() - budget.used_bytes();
        let held = budget.reserve(left - 100).expect("that much is free");
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, Signal::Logs, &headers, pack(&body))
            .await;
        assert_eq!(reply.status, 429, "{name}: {reply:?}");
        let after: u64 = reply.header("retry-after").parse().expect("whole seconds");
        assert!(after >= 1);
        let error = reply.http_error();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert_eq!(retry_delay(&error), Some(after));

        let headers = [("grpc-encoding", name)];
        let framed = frame(name != "identity", &pack(&body));
        let reply = client
            .call(server.grpc, Signal::Logs, &headers, framed.clone())
            .await;
        let error = reply.grpc_status();
        assert_eq!(error.code(), Code::ResourceExhausted, "{name}");
        assert_eq!(
            retry_delay(&error),
            Some(after),
            "retryable, unlike one that is too large"
        );

        drop(held);
        let reply = client
            .call(server.grpc, Signal::Logs, &headers, framed)
            .await;
        assert_eq!(reply.grpc_status().code(), Code::Ok, "{name}");
    }
    assert_eq!(
        server.rows("default", Signal::Logs),
        10,
        "refused ones left nothing behind"
    );
}

/// A store that is closed is out of reach: retryable, and nothing of ours is told.
#[tokio::test]
async fn check_23_26_28_a_store_out_of_reach_is_retryable() {
    let server = server().await;
    let client = HttpClient::two();
    server.store.close().await.expect("it closes");
    let body = request(Signal::Logs, 1, "late");
    let reply = client
        .export(server.http, Signal::Logs, &[], body.clone())
        .await;
    assert_eq!(reply.status, 503, "{reply:?}");
    let after: u64 = reply.header("retry-after").parse().expect("whole seconds");
    assert_eq!(retry_delay(&reply.http_error()), Some(after));
    let reply = client
        .call(server.grpc, Signal::Logs, &[], frame(false, &body))
        .await;
    let error = reply.grpc_status();
    assert_eq!(
        (error.code(), retry_delay(&error)),
        (Code::Unavailable, Some(after))
    );
}
