//! The story is the same every time, hangs together, and has an incident.

use super::*;
use opentelemetry_proto::tonic::{
    metrics::v1::metric::Data,
    trace::v1::{Span, span::SpanKind},
};
use std::collections::{BTreeMap, BTreeSet};

/// What is told of the seconds from `first`.
fn told(first: u64, seconds: u64) -> Batch {
    let mut batch = Batch::default();
    (first..first + seconds).for_each(|second| simulate(second, &mut batch));
    batch
}

fn errors(batch: &Batch) -> usize {
    batch
        .logs
        .iter()
        .filter(|(_, record)| record.severity_text == "ERROR")
        .count()
}

/// A second at which a cycle of the incident begins.
const CYCLE: u64 = 1_200 * 1_475_000;

#[test]
fn the_same_seconds_tell_the_same_story() {
    let (once, again) = (told(CYCLE, 20), told(CYCLE, 20));
    assert_eq!(once.spans, again.spans);
    assert_eq!(once.logs, again.logs);
    assert_ne!(once.logs, told(CYCLE + 20, 20).logs);
}

#[test]
fn spans_are_trees_over_services_within_the_lag() {
    let batch = told(CYCLE + 480, 60);
    let mut traces: BTreeMap<&[u8], Vec<&Span>> = BTreeMap::new();
    for (_, span) in &batch.spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    for spans in traces.values() {
        let ids: BTreeSet<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
        assert_eq!(ids.len(), spans.len(), "span ids are unique");
        let roots: Vec<_> = spans
            .iter()
            .filter(|span| span.parent_span_id.is_empty())
            .collect();
        assert_eq!(roots.len(), 1);
        for span in spans.iter().filter(|span| !span.parent_span_id.is_empty()) {
            assert!(
                ids.contains(span.parent_span_id.as_slice()),
                "{span:?} has its parent in the trace"
            );
        }
        let begun = roots[0].start_time_unix_nano;
        for span in spans {
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            assert!(
                span.end_time_unix_nano - begun < LAG.as_nanos() as u64,
                "{span:?} ends too late"
            );
        }
    }
    let linked = batch
        .spans
        .iter()
        .filter(|(_, span)| span.kind == SpanKind::Consumer as i32);
    for (_, span) in linked {
        assert!(
            traces.contains_key(span.links[0].trace_id.as_slice()),
            "the producer is there"
        );
    }
    let services: BTreeSet<_> = batch.spans.iter().map(|(pod, _)| pod.service).collect();
    assert_eq!(services.len(), 6);
}

#[test]
fn log_records_carry_the_ids_of_their_spans() {
    let batch = told(CYCLE, 30);
    let spans: BTreeSet<(&[u8], &[u8])> = batch
        .spans
        .iter()
        .map(|(_, span)| (span.trace_id.as_slice(), span.span_id.as_slice()))
        .collect();
    assert!(!batch.logs.is_empty());
    for (_, record) in &batch.logs {
        assert!(spans.contains(&(record.trace_id.as_slice(), record.span_id.as_slice())));
    }
}

#[test]
fn payments_breaks_for_four_minutes_of_twenty() {
    assert_eq!(errors(&told(CYCLE + 300, 120)), 0);
    assert!(errors(&told(CYCLE + 500, 120)) > 5);
    assert_eq!(errors(&told(CYCLE + 720, 120)), 0);
}

#[test]
fn every_kind_of_metric_is_exported() {
    let batch = told(CYCLE, 60);
    let mut meters = Meters::new(CYCLE * NANOS);
    meters.record(&batch.measurements);
    let metrics = meters.export((CYCLE + 60) * NANOS);
    let mut kinds = BTreeSet::new();
    let mut exemplars = 0;
    for (_, metric) in &metrics {
        let kind = match metric.data.as_ref().expect("a metric has data") {
            Data::Gauge(_) => "gauge",
            Data::Sum(sum) if sum.aggregation_temporality == 1 => "delta sum",
            Data::Sum(sum) if sum.is_monotonic => "cumulative sum",
            Data::Sum(_) => "up-down sum",
            Data::Histogram(histogram) => {
                let point = &histogram.data_points[0];
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                exemplars += point.exemplars.len();
                "histogram"
            }
            Data::ExponentialHistogram(histogram) => {
                let point = &histogram.data_points[0];
                let buckets = point.positive.as_ref().expect("durations are positive");
                assert_eq!(buckets.bucket_counts.iter().sum::<u64>(), point.count);
                "exponential histogram"
            }
            Data::Summary(_) => "summary",
        };
        kinds.insert(kind);
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    assert!(exemplars > 0);
}
