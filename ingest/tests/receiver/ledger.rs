//! Every record offered has one outcome, whatever comes in: the counts of `/metrics`, of the answers and of the rows.

use crate::{
    client::{HttpClient, PACKINGS, frame},
    requests::{SIGNALS, field, log, metrics_request, now, request, spans_request},
    server::Server,
};
use cairn_ingest::config::Config;
use cairn_proto::export::ExportResponse;
use cairn_storage::signal::Signal;
use prost::Message;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Cut off in the middle of a field of fixed width.
const BROKEN: &[u8] = b"\x09\x01\x02";

const DAY_NANOS: u64 = 86_400_000_000_000;

/// What a test counts by itself.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Counts {
    received: u64,
    stored: u64,
    deduplicated: u64,
    rejected: u64,
}

/// A request of `good` records and `bad` ones of both kinds: malformed, and further ahead than is taken.
fn mixed(random: &mut StdRng, signal: Signal, (good, bad): (usize, usize)) -> Vec<u8> {
    let mark: u64 = random.random();
    let ahead = now() + 2 * DAY_NANOS;
    let mut records: Vec<Vec<u8>> = (0..good + bad)
        .map(|number| {
            let is_bad = number >= good;
            if is_bad && number % 2 == 0 {
                return BROKEN.to_vec();
            }
            let mut time = now();
            if is_bad {
                time = ahead;
            }
            record(signal, &format!("{mark} {number}"), time)
        })
        .collect();
    for at in (1..records.len()).rev() {
        records.swap(at, random.random_range(0..=at));
    }
    group(signal, &records)
}

fn record(signal: Signal, name: &str, time: u64) -> Vec<u8> {
    match signal {
        Signal::Spans => {
            let mut request = spans_request(&[name.to_string()]);
            let mut span = request
                .resource_spans
                .remove(0)
                .scope_spans
                .remove(0)
                .spans
                .remove(0);
            span.start_time_unix_nano = time;
            span.encode_to_vec()
        }
        Signal::Metrics => {
            let mut request = metrics_request(&[1.0]);
            let metric = request
                .resource_metrics
                .remove(0)
                .scope_metrics
                .remove(0)
                .metrics
                .remove(0);
            let Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Gauge(mut gauge)) =
                metric.data
            else {
                panic!("it is a gauge")
            };
            gauge.data_points[0].time_unix_nano = time;
            gauge.data_points[0].encode_to_vec()
        }
        _ => {
            let mut log = log(name);
            log.time_unix_nano = time;
            log.encode_to_vec()
        }
    }
}

/// The records in one resource and scope; data points in one gauge.
fn group(signal: Signal, records: &[Vec<u8>]) -> Vec<u8> {
    if signal == Signal::Metrics {
        let points: Vec<u8> = records.iter().flat_map(|point| field(1, point)).collect();
        let metric = [field(1, b"gauge"), field(5, &points)].concat();
        return field(1, &field(2, &field(2, &metric)));
    }
    let records: Vec<u8> = records.iter().flat_map(|record| field(2, record)).collect();
    field(1, &field(2, &records))
}

/// Sends, and returns how many records were rejected as the answer says.
async fn send(
    client: &HttpClient,
    server: &Server,
    (signal, random): (Signal, &mut StdRng),
    body: &[u8],
) -> u64 {
    let (name, pack) = PACKINGS[random.random_range(0..PACKINGS.len())];
    let message = if random.random() {
        let headers = [("content-encoding", name)];
        let reply = client
            .export(server.http, signal, &headers, pack(body))
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body.to_vec()
    } else {
        let framed = frame(name != "identity", &pack(body));
        let headers = [("grpc-encoding", name)];
        let reply = client.call(server.grpc, signal, &headers, framed).await;
        reply.grpc_message().to_vec()
    };
    let answer = ExportResponse::decode(&message[..]).expect("an export response");
    answer.partial_success.map_or(0, |partial| {
        assert!(!partial.error_message.is_empty());
        u64::try_from(partial.rejected).expect("a count")
    })
}

fn told(server: &Server, signal: Signal) -> Counts {
    let of = |outcome: &str| {
        let labels = [
            format!("signal=\"{signal}\""),
            format!("outcome=\"{outcome}\""),
        ];
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        server.metric("storage_records_total", &labels) as u64
    };
    assert_eq!(of("quarantined"), 0, "everything was decoded");
    Counts {
        received: of("received"),
        stored: of("stored"),
        deduplicated: of("deduplicated"),
        rejected: of("rejected"),
    }
}

#[tokio::test]
async fn check_13_received_is_stored_and_deduplicated_and_rejected() {
    let server = Server::with(Config::default(), Vec::new()).await;
    let client = HttpClient::two();
    let mut random = StdRng::seed_from_u64(7);
    for signal in SIGNALS {
        let mut expected = Counts::default();
        let mut sent: Vec<(Vec<u8>, u64, u64)> = Vec::new();
        for round in 0..60 {
            let again = !sent.is_empty() && random.random_ratio(1, 4);
            let (body, good, bad) = match again {
                true => sent[random.random_range(0..sent.len())].clone(),
                false => {
                    let (good, bad) = (random.random_range(0..40), random.random_range(0..6));
                    let body = mixed(&mut random, signal, (good, bad));
                    (body, good as u64, bad as u64)
                }
            };
            let rejected = send(&client, &server, (signal, &mut random), &body).await;
            assert_eq!(rejected, bad, "{signal} round {round}");
            expected.received += good + bad;
            if again {
                expected.deduplicated += good + bad;
            } else {
                expected.stored += good;
                expected.rejected += bad;
                if good + bad > 0 {
                    sent.push((body, good, bad));
                }
            }
            let counts = told(&server, signal);
            assert_eq!(counts, expected, "{signal} round {round}");
            assert_eq!(
                counts.received,
                counts.stored + counts.deduplicated + counts.rejected
            );
            assert_eq!(server.rows("default", signal) as u64, counts.stored);
        }
        // What is refused as a whole offered nothing, so it moves no count.
        let reply = client.export(server.http, signal, &[], "no protobuf").await;
        assert_eq!(reply.status, 400);
        let held = {
            let budget = server.store.budget();
            budget
                .reserve(budget.limit_bytes() - budget.used_bytes() - 100)
                .expect("it is free")
        };
        let body = request(signal, 10, "no room");
        let reply = client.export(server.http, signal, &[], body).await;
        assert_eq!(reply.status, 429);
        drop(held);
        assert_eq!(told(&server, signal), expected, "{signal}");
        assert!(
            expected.deduplicated > 0 && expected.rejected > 0,
            "{expected:?}"
        );
    }
    let letters = server.dead_letters().len() as u64;
    let rejected: u64 = SIGNALS
        .iter()
        .map(|signal| told(&server, *signal).rejected)
        .sum();
    assert_eq!(letters, rejected, "each is kept, once");
}
