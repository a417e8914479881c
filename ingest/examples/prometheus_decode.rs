//! Measures how fast remote write becomes rows: requests of 2,000 series with one sample each, as Prometheus sends them.
//!
//! `cargo run --release -p cairn-ingest --example prometheus_decode -- [samples] [rounds]`. Times are of this thread on
//! the processor, so that a busy machine does not distort them.

use bytes::Bytes;
use cairn_ingest::{decode::decode, otlp::DECODER_VERSION, prometheus::Families};
use cairn_proto::{
    write_v1::{Label, Sample, TimeSeries, WriteRequest},
    write_v2,
};
use cairn_storage::{
    signal::{Encoding, Signal},
    time::Nanos,
};
use prost::Message;
use std::collections::HashMap;

const SERIES: usize = 2_000;
const START_MILLIS: i64 = 1_767_268_800_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: usize| {
        let text = arguments.next();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let (samples, rounds) = (next(1_000_000), next(3));
    let first: Vec<WriteRequest> = (0..samples / SERIES).map(request).collect();
    let payloads: [(Encoding, Vec<Bytes>); 2] = [
        (
            Encoding::PrometheusV1,
            first.iter().map(|one| one.encode_to_vec().into()).collect(),
        ),
        (
            Encoding::PrometheusV2,
            first
                .iter()
                .map(|one| second(one).encode_to_vec().into())
                .collect(),
        ),
    ];
    for (encoding, payloads) in &payloads {
        let bytes: usize = payloads.iter().map(Bytes::len).sum();
        for _ in 0..rounds {
            let begun = on_processor();
            let mut offered = 0;
            for payload in payloads {
                let of = (Signal::Metrics, *encoding, DECODER_VERSION);
                let received = Nanos(START_MILLIS * 1_000_000);
                let decoded = decode(of, payload, received, &Families::default());
                offered += decoded.expect("a request").offered;
            }
            let took = on_processor() - begun;
            eprintln!(
                "{encoding:?}: {offered} samples, {} bytes each, {took:.3} s of processor, {:.2} million samples/s",
                bytes as u64 / offered.max(1),
                offered as f64 / took / 1e6,
            );
        }
    }
}

/// Seconds that this thread has had a processor.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos: f64 = text
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    nanos / 1e9
}

fn request(number: usize) -> WriteRequest {
    let series = |at: usize| {
        let at = number * SERIES + at;
        let label = |name: &str, value: String| Label {
            name: name.to_string(),
            value,
        };
        let labels = vec![
            label(
                "__name__",
                format!("http_requests_of_handler_{}_total", at / 50 % 300),
            ),
            label("cluster", "production-eu-west-1".to_string()),
            label("code", ["200", "404", "500"][at % 3].to_string()),
            label("container", "server".to_string()),
            label("endpoint", "http-metrics".to_string()),
            label("handler", format!("/api/v1/things/{}", at % 50)),
            label(
                "instance",
                format!("10.0.{}.{}:8080", at / 250 % 250, at % 250),
            ),
            label("job", format!("shop-{}", at / 5_000 % 20)),
            label("namespace", "shop".to_string()),
            label("pod", format!("shop-7c9f8d6b5-{:05}", at % 5_000)),
            label("service", "shop".to_string()),
        ];
        TimeSeries {
            labels,
            samples: vec![Sample {
                value: at as f64 * 1.25,
                timestamp: START_MILLIS + (at % 15_000) as i64,
            }],
            ..TimeSeries::default()
        }
    };
    WriteRequest {
        timeseries: (0..SERIES).map(series).collect(),
        metadata: Vec::new(),
    }
}

/// The same request in version 2.
fn second(one: &WriteRequest) -> write_v2::Request {
    let mut symbols = vec![String::new()];
    let mut numbers = HashMap::from([(String::new(), 0)]);
    let mut symbol = |text: &String| {
        *numbers.entry(text.clone()).or_insert_with(|| {
            symbols.push(text.clone());
            symbols.len() as u32 - 1
        })
    };
    let mut timeseries = Vec::with_capacity(one.timeseries.len());
    for series in &one.timeseries {
        let labels = series.labels.iter();
        timeseries.push(write_v2::TimeSeries {
            labels_refs: labels
                .flat_map(|label| [symbol(&label.name), symbol(&label.value)])
                .collect(),
            samples: vec![write_v2::Sample {
                value: series.samples[0].value,
                timestamp: series.samples[0].timestamp,
                start_timestamp: 0,
            }],
            ..write_v2::TimeSeries::default()
        });
    }
    write_v2::Request {
        symbols,
        timeseries,
    }
}
