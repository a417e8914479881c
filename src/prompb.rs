//! Native histograms as Prometheus' protobuf messages have them, float counts.

use cairn_promql::histogram::{Buckets, Histogram, ResetHint};
use cairn_proto::write_v1::{self as wire, BucketSpan, Count, ZeroCount};

/// What Prometheus marks the end of a series with.
pub(crate) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// A histogram at a time (ms).
pub(crate) fn histogram(histogram: &Histogram, timestamp: i64) -> wire::Histogram {
    let (positive_spans, positive_counts) = spans(&histogram.positive);
    let (negative_spans, negative_counts) = spans(&histogram.negative);
    wire::Histogram {
        count: Some(Count::Float(histogram.count)),
        sum: histogram.sum,
        schema: histogram.schema.into(),
        zero_threshold: histogram.zero_threshold,
        zero_count: Some(ZeroCount::Float(histogram.zero_count)),
        positive_spans,
        positive_counts,
        negative_spans,
        negative_counts,
        reset_hint: match histogram.hint {
            ResetHint::Unknown => 0,
            ResetHint::Reset => 1,
            ResetHint::NotReset => 2,
            ResetHint::Gauge => 3,
        },
        timestamp,
        custom_values: histogram.bounds.to_vec(),
        ..wire::Histogram::default()
    }
}

/// Populated buckets as stretches with gaps in between.
fn spans(buckets: &Buckets) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut counts = Vec::with_capacity(buckets.len());
    let mut next = 0;
    for (index, count) in buckets.iter() {
        match spans.last_mut().filter(|_| index == next) {
            Some(last) => last.length += 1,
            None => spans.push(BucketSpan {
                offset: index - next,
                length: 1,
            }),
        }
        counts.push(count);
        next = index + 1;
    }
    (spans, counts)
}

#[cfg(test)]
mod tests {
    use super::spans;
    use cairn_promql::histogram::Buckets;

    #[test]
    fn gaps_part_the_spans() {
        let (spans, counts) = spans(&Buckets::sparse(vec![(-2, 1.0), (-1, 2.0), (3, 4.0)]));
        let spans: Vec<_> = spans
            .iter()
            .map(|span| (span.offset, span.length))
            .collect();
        assert_eq!(
            (spans, counts),
            (vec![(-2, 2), (3, 1)], vec![1.0, 2.0, 4.0])
        );
    }
}
