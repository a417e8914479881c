//! What is generated is what `benches/README.md` says.

use super::*;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    metrics::v1::metric::Data,
};
use prost::Message;
use std::collections::BTreeSet;

fn plan(signal: Signal, batch: usize) -> Plan {
    Plan {
        signal,
        records: 100_000,
        batch,
        spread: Duration::from_secs(600),
        seed: 3,
    }
}

fn requests(signal: Signal, batch: usize, count: usize) -> Vec<Made> {
    let mut generator = Generator::new(&plan(signal, batch));
    (0..count).map(|_| generator.next()).collect()
}

fn bytes_per_record(made: &[Made]) -> f64 {
    let bytes: usize = made.iter().map(|made| made.bytes.len()).sum();
    let records: u64 = made.iter().map(|made| made.records).sum();
    bytes as f64 / records as f64
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_no_two_requests_are_the_same() {
    for signal in [Signal::Logs, Signal::Spans, Signal::Metrics] {
        let first = requests(signal, 25, 200);
        let again = requests(signal, 25, 200);
        let bytes = |made: &[Made]| made.iter().map(|m| m.bytes.clone()).collect::<Vec<_>>();
        assert_eq!(bytes(&first), bytes(&again));
        let distinct: BTreeSet<_> = bytes(&first).into_iter().collect();
        assert_eq!(distinct.len(), 200);
    }
}

#[test]
fn logs() {
    let made = requests(Signal::Logs, 1_000, 40);
    let size = bytes_per_record(&made);
    assert!((280.0..320.0).contains(&size), "{size} bytes a record");
    let (mut records, mut traced, mut resources, mut bodies) =
        (0, 0, BTreeSet::new(), BTreeSet::new());
    for made in &made {
        let request = ExportLogsServiceRequest::decode(made.bytes.as_slice()).unwrap();
        for of in request.resource_logs {
            resources.insert(of.resource.unwrap().encode_to_vec());
            for record in of.scope_logs.into_iter().flat_map(|of| of.log_records) {
                records += 1;
                traced += u64::from(!record.trace_id.is_empty());
                assert!((2..=7).contains(&record.attributes.len()), "{record:?}");
                bodies.insert(record.body.unwrap().encode_to_vec());
            }
        }
    }
    assert_eq!(records, 40_000);
    assert!((11_400..12_600).contains(&traced), "{traced} with a trace");
    assert!(
        bodies.len() > 39_000,
        "only {} distinct bodies",
        bodies.len()
    );
    // Some of the 80 are rare.
    assert!(
        resources.len() > 50 && resources.len() <= 80,
        "{}",
        resources.len()
    );
}

#[test]
fn small_requests_of_logs_have_one_resource_and_the_same_size() {
    let made = requests(Signal::Logs, 25, 1_000);
    let size = bytes_per_record(&made);
    assert!((290.0..335.0).contains(&size), "{size} bytes a record");
}

#[test]
fn spans() {
    let made = requests(Signal::Spans, 1_000, 40);
    let size = bytes_per_record(&made);
    assert!((170.0..220.0).contains(&size), "{size} bytes a span");
    let (mut spans, mut events, mut links) = (0, 0, 0);
    for made in &made {
        let request = ExportTraceServiceRequest::decode(made.bytes.as_slice()).unwrap();
        let scopes = request
            .resource_spans
            .into_iter()
            .flat_map(|of| of.scope_spans);
        for span in scopes.flat_map(|of| of.spans) {
            spans += 1;
            events += span.events.len();
            links += span.links.len();
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            assert!(span.end_time_unix_nano > span.start_time_unix_nano);
        }
    }
    assert_eq!(spans, 40_000);
    assert!((1_700..2_300).contains(&events), "{events} events");
    assert!((300..500).contains(&links), "{links} links");
}

#[test]
fn metrics_have_ten_thousand_series() {
    let mut series = BTreeSet::new();
    // Two rounds of all resources, eight a request.
    for made in requests(Signal::Metrics, 1_000, 20) {
        assert_eq!(made.records, 1_000);
        let request = ExportMetricsServiceRequest::decode(made.bytes.as_slice()).unwrap();
        for of in request.resource_metrics {
            let resource = of.resource.unwrap().encode_to_vec();
            for metric in of.scope_metrics.into_iter().flat_map(|of| of.metrics) {
                let name = metric.name.clone();
                for attributes in attributes(metric.data.unwrap()) {
                    series.insert((resource.clone(), name.clone(), attributes));
                }
            }
        }
    }
    assert_eq!(series.len(), 10_000);
}

/// The attributes of all points.
fn attributes(data: Data) -> Vec<Vec<u8>> {
    macro_rules! of_points {
        ($of:expr) => {
            $of.data_points
                .into_iter()
                .map(|point| {
                    let fields = point.attributes.iter();
                    fields.flat_map(|field| field.encode_to_vec()).collect()
                })
                .collect()
        };
    }
    match data {
        Data::Gauge(of) => of_points!(of),
        Data::Sum(of) => of_points!(of),
        Data::Histogram(of) => of_points!(of),
        Data::ExponentialHistogram(of) => of_points!(of),
        Data::Summary(of) => of_points!(of),
    }
}
