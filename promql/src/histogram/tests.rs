//! Histograms: arithmetic, resets, statistics, and what holds of any of them.

use super::{
    Accumulator, Buckets, CUSTOM_SCHEMA, Histogram, NanEffect, ResetHint, Trim, detect_hints,
    parse_notation,
};
use proptest::prelude::*;
use std::sync::Arc;

fn noted(text: &str) -> Histogram {
    parse_notation(text)
        .expect("the notation is right")
        .histogram
}

/// `one op other` is `expected`, in notation.
fn check(one: &str, op: char, other: &str, expected: &str) {
    let (one, other) = (noted(one), noted(other));
    let combined = match op {
        '+' => one.add(&other),
        _ => one.sub(&other),
    };
    assert_eq!(
        combined.expect("both go together").histogram.notation(),
        expected
    );
}

#[test]
fn bounds_are_those_of_prometheus_to_the_last_digit() {
    let check = |histogram: &str, lower: f64, upper: f64| {
        let histogram = noted(histogram);
        let bucket = histogram.buckets().next().expect("a bucket is populated");
        assert_eq!((bucket.lower, bucket.upper), (lower, upper));
    };
    check(
        "{{schema:2 count:1 sum:1 offset:-29 buckets:[1]}}",
        0.005_524_271_728_019_902,
        0.006_569_503_244_169_644,
    );
    check(
        "{{schema:1 count:1 sum:1 offset:0 buckets:[1]}}",
        std::f64::consts::FRAC_1_SQRT_2.next_down(),
        1.0,
    );
    check(
        "{{schema:8 count:1 sum:1 offset:257 buckets:[1]}}",
        2.0,
        2.005_422_550_100_405,
    );
}

#[test]
fn sums_have_the_buckets_of_both() {
    check(
        "{{count:4 sum:5 buckets:[1 2 1]}}",
        '+',
        "{{count:1 sum:2 offset:1 buckets:[1]}}",
        "{{count:5 sum:7 buckets:[1 3 1]}}",
    );
    check(
        "{{count:4 sum:5 offset:-2 buckets:[1]}}",
        '-',
        "{{count:1 sum:2 offset:2 buckets:[1] n_buckets:[3]}}",
        "{{count:3 sum:3 offset:-2 buckets:[1 0 0 0 -1] n_buckets:[-3]}}",
    );
}

#[test]
fn the_coarser_schema_wins() {
    check(
        "{{schema:1 count:3 sum:1 buckets:[1 1 1]}}",
        '+',
        "{{schema:0 count:1 sum:1 buckets:[5]}}",
        "{{count:4 sum:2 buckets:[6 2]}}",
    );
    check(
        "{{schema:-1 count:1 sum:4 offset:1 buckets:[1]}}",
        '+',
        "{{schema:0 count:4 sum:4 offset:1 buckets:[2 2]}}",
        "{{schema:-1 count:5 sum:8 offset:1 buckets:[5]}}",
    );
}

#[test]
fn the_wider_zero_bucket_takes_in_what_it_covers() {
    check(
        "{{count:3 z_bucket:1 z_bucket_w:0.001 offset:-1 buckets:[1 1]}}",
        '+',
        "{{count:2 z_bucket:2 z_bucket_w:0.5}}",
        "{{count:5 z_bucket:4 z_bucket_w:0.5 buckets:[1]}}",
    );
    // The threshold of 0.3 is inside of the populated bucket from 0.25 to 0.5, which goes as a whole.
    check(
        "{{count:3 z_bucket:1 z_bucket_w:0.001 offset:-1 buckets:[1 1] n_offset:-1 n_buckets:[7]}}",
        '+',
        "{{count:2 z_bucket:2 z_bucket_w:0.3}}",
        "{{count:5 z_bucket:11 z_bucket_w:0.5 buckets:[1]}}",
    );
}

#[test]
fn custom_bounds_that_both_have_are_left() {
    check(
        "{{schema:-53 count:15 sum:55 custom_values:[2 4 6] buckets:[1 2 5 7]}}",
        '+',
        "{{schema:-53 count:36 sum:0 custom_values:[1 2 3 4 5 6 7 8] buckets:[1 1 1 1 1 1 10 10 10]}}",
        "{{schema:-53 count:51 sum:55 custom_values:[2 4 6] buckets:[3 4 7 37]}}",
    );
    check(
        "{{schema:-53 count:1 custom_values:[2] buckets:[1]}}",
        '+',
        "{{schema:-53 count:1 custom_values:[5] buckets:[1]}}",
        "{{schema:-53 count:2 custom_values:[] buckets:[2]}}",
    );
}

#[test]
fn exponential_and_custom_buckets_do_not_mix() {
    let custom = noted("{{schema:-53 custom_values:[2] buckets:[1]}}");
    let exponential = noted("{{buckets:[1]}}");
    assert!(custom.add(&exponential).is_err());
    let mut accumulator = Accumulator::new(&exponential);
    assert!(accumulator.add(&custom).is_err());
    assert_eq!(accumulator.sum(), exponential);
}

#[test]
fn small_sums_survive_beside_large_ones() {
    let mut accumulator = Accumulator::new(&noted("{{count:1 sum:5.3}}"));
    for sum in ["1e100", "1", "-1e100", "2"] {
        let other = noted(&format!("{{{{count:1 sum:{sum}}}}}"));
        accumulator.add(&other).expect("both go together");
    }
    assert_eq!(accumulator.sum().notation(), "{{count:5 sum:8.3}}");
}

#[test]
fn a_mean_does_not_overflow_where_the_sum_does() {
    let mut accumulator = Accumulator::new(&noted("{{count:1.5e308 sum:1}}"));
    accumulator
        .add(&noted("{{count:1e308 sum:2}}"))
        .expect("both go together");
    assert_eq!(accumulator.mean().notation(), "{{count:1.25e+308 sum:1.5}}");
    assert_eq!(accumulator.sum().notation(), "{{count:+Inf sum:3}}");
}

#[test]
fn resets_are_seen_in_any_count() {
    let check = |before: &str, now: &str, expected: bool| {
        assert_eq!(
            noted(now).detect_reset(&noted(before)),
            expected,
            "{before} {now}"
        );
    };
    check(
        "{{count:3 buckets:[1 2]}}",
        "{{count:4 buckets:[1 3]}}",
        false,
    );
    check(
        "{{count:3 buckets:[1 2]}}",
        "{{count:2 buckets:[1 2]}}",
        true,
    );
    check(
        "{{count:3 buckets:[1 2]}}",
        "{{count:4 buckets:[0 4]}}",
        true,
    );
    check(
        "{{count:3 buckets:[1 2]}}",
        "{{count:4 z_bucket:1 z_bucket_w:1 buckets:[0 3]}}",
        false,
    );
    check(
        "{{count:3 buckets:[1 2]}}",
        "{{count:4 z_bucket:1 z_bucket_w:1.5 buckets:[0 3]}}",
        true,
    );
    check(
        "{{count:3 z_bucket_w:1}}",
        "{{count:3 z_bucket_w:0.5}}",
        true,
    );
    check(
        "{{schema:1 count:2 buckets:[1 1]}}",
        "{{count:3 buckets:[1 2]}}",
        false,
    );
    check(
        "{{count:2 buckets:[1 1]}}",
        "{{schema:1 count:3 buckets:[1 1 1]}}",
        true,
    );
    check(
        "{{count:9 buckets:[9]}}",
        "{{count:1 counter_reset_hint:not_reset}}",
        false,
    );
    check("{{count:1}}", "{{count:2 counter_reset_hint:reset}}", true);
    check(
        "{{schema:-53 count:15 custom_values:[2 4 6] buckets:[1 2 5 7]}}",
        "{{schema:-53 count:15 custom_values:[2 3 4 6] buckets:[1 0 1 5 8]}}",
        true,
    );
    check(
        "{{schema:-53 count:15 custom_values:[2 4 6] buckets:[1 2 5 7]}}",
        "{{schema:-53 count:16 custom_values:[2 3 4 6] buckets:[1 1 1 5 8]}}",
        false,
    );
}

#[test]
fn hints_are_found_from_point_to_point() {
    let mut points: Vec<(i64, Arc<Histogram>)> = [1.0, 2.0, 1.0]
        .into_iter()
        .zip(0..)
        .map(|(count, time)| {
            (
                time,
                Arc::new(Histogram {
                    count,
                    ..Histogram::default()
                }),
            )
        })
        .collect();
    detect_hints(&mut points);
    let hints: Vec<ResetHint> = points.iter().map(|(_, histogram)| histogram.hint).collect();
    assert_eq!(
        hints,
        [ResetHint::Unknown, ResetHint::NotReset, ResetHint::Reset]
    );
}

#[test]
fn quantiles_are_interpolated() {
    let check = |text: &str, q: f64, expected: f64| {
        let got = noted(text).quantile(q);
        let is_close = got.value == expected || (got.value - expected).abs() < 1e-9;
        assert!(is_close, "{q} of {text} is {got:?} and not {expected}");
    };
    check("{{count:4 buckets:[1 2 1]}}", 0.5, 2_f64.sqrt());
    check("{{count:4 n_buckets:[1 2 1]}}", 0.5, -2_f64.sqrt());
    check("{{count:1 z_bucket:1 z_bucket_w:0.5}}", 0.5, 0.0);
    check(
        "{{count:2 z_bucket:1 z_bucket_w:0.5 buckets:[1]}}",
        0.25,
        0.25,
    );
    check(
        "{{schema:-53 count:4 custom_values:[5 10] buckets:[1 2 1]}}",
        0.5,
        7.5,
    );
    check(
        "{{schema:-53 count:4 custom_values:[5 10] buckets:[1 2 1]}}",
        1.0,
        10.0,
    );
    check(
        "{{schema:-53 count:1 custom_values:[-5] buckets:[1]}}",
        0.5,
        -5.0,
    );
    check("{{count:4 buckets:[1 2 1]}}", 2.0, f64::INFINITY);
    check("{{count:4 buckets:[1 2 1]}}", -1.0, f64::NEG_INFINITY);
    assert!(noted("{{}}").quantile(0.5).value.is_nan());
    let beside_nan = noted("{{count:15 sum:NaN buckets:[12]}}");
    assert_eq!(beside_nan.quantile(0.4).nan, NanEffect::SkewedHigher);
    assert_eq!(beside_nan.quantile(0.9).nan, NanEffect::ResultIsNan);
}

#[test]
fn bounds_reach_the_largest_number() {
    let last = noted("{{count:2 offset:1024 buckets:[1 1]}}");
    let uppers: Vec<f64> = last.buckets().map(|bucket| bucket.upper).collect();
    assert_eq!(uppers, [f64::MAX, f64::INFINITY]);
    let smallest = noted("{{schema:8 count:1 offset:-260000 buckets:[1]}}");
    assert!(
        smallest
            .buckets()
            .all(|bucket| bucket.upper > 0.0 && bucket.lower < bucket.upper)
    );
}

#[test]
fn indexes_at_the_ends_of_what_can_be_do_no_harm() {
    let ends = Histogram {
        positive: Buckets::dense(i32::MAX, [1.0, 1.0]),
        negative: Buckets::dense(i32::MIN, [1.0]),
        ..Histogram::default()
    };
    assert_eq!((ends.positive.len(), ends.negative.len()), (1, 1));
    let coarse = Histogram {
        schema: -4,
        zero_threshold: 1.0,
        ..Histogram::default()
    };
    let sum = ends.add(&coarse).expect("both are exponential").histogram;
    assert_eq!((sum.zero_count, sum.positive.len()), (1.0, 1));
    assert!(ends.trim(Trim::KeepBelow, 1.0).count <= 2.0);
    assert!(ends.notation().len() < 1 << 24 && !ends.to_string().is_empty());
}

#[test]
fn a_histogram_is_printed_in_the_order_of_its_values() {
    let all =
        noted("{{count:6 sum:1e+06 z_bucket:2 z_bucket_w:0.001 buckets:[1 0 1] n_buckets:[2]}}");
    assert_eq!(
        all.to_string(),
        "{count:6, sum:1e+06, [-1,-0.5):2, [-0.001,0.001]:2, (0.5,1]:1, (2,4]:1}"
    );
    let custom = noted("{{schema:-53 count:3 sum:4 custom_values:[1 2] buckets:[1 1 1]}}");
    assert_eq!(
        custom.to_string(),
        "{count:3, sum:4, [-Inf,1]:1, (1,2]:1, (2,+Inf]:1}"
    );
}

#[test]
fn bad_notations_are_refused() {
    for text in [
        "{{",
        "{{schema:9}}",
        "{{count:x}}",
        "{{what:1}}",
        "{{buckets:[1}}",
    ] {
        assert!(parse_notation(text).is_err(), "{text}");
    }
}

/// No histogram has buckets inside of its zero bucket.
fn outside_of_zero(schema: i8, zero_threshold: f64, buckets: Buckets) -> Buckets {
    let layout = Histogram {
        schema,
        ..Histogram::default()
    }
    .layout();
    let outside = buckets
        .iter()
        .filter(|(index, _)| layout.edges(*index).1 > zero_threshold);
    Buckets::sparse(outside.collect())
}

fn counts() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0_u32..20).prop_map(f64::from), 0..12)
}

fn exponential() -> impl Strategy<Value = Histogram> {
    (
        -4_i8..=8,
        -20..20_i32,
        counts(),
        -20..20_i32,
        counts(),
        0_u32..9,
        prop::sample::select(vec![0.0, 0.001, 0.7, 3.0]),
    )
        .prop_map(
            |(schema, first, positive, negative_first, negative, zero, zero_threshold)| {
                let outside = |first, counts| {
                    outside_of_zero(schema, zero_threshold, Buckets::dense(first, counts))
                };
                let positive = outside(first, positive);
                let negative = outside(negative_first, negative);
                let in_buckets: f64 = positive
                    .iter()
                    .chain(negative.iter())
                    .map(|(_, count)| count)
                    .sum();
                Histogram {
                    schema,
                    zero_threshold,
                    zero_count: f64::from(zero),
                    count: in_buckets + f64::from(zero),
                    sum: 17.0,
                    positive,
                    negative,
                    ..Histogram::default()
                }
            },
        )
}

fn custom() -> impl Strategy<Value = Histogram> {
    (
        prop::collection::btree_set(-9..9_i32, 0..9),
        prop::collection::vec(0..9_u32, 10),
    )
        .prop_map(|(bounds, counts)| {
            let bounds: Vec<f64> = bounds.into_iter().map(f64::from).collect();
            let counts: Vec<f64> = counts
                .into_iter()
                .take(bounds.len() + 1)
                .map(f64::from)
                .collect();
            let count = counts.iter().sum();
            Histogram {
                positive: Buckets::dense(0, counts),
                count,
                sum: 3.0,
                ..Histogram::custom(bounds)
            }
        })
}

fn any() -> impl Strategy<Value = Histogram> {
    prop_oneof![exponential(), custom()]
}

fn counted(histogram: &Histogram) -> f64 {
    histogram.buckets().map(|bucket| bucket.count).sum()
}

proptest! {
    #[test]
    fn a_notation_is_read_as_it_was_written(histogram in any()) {
        prop_assert_eq!(noted(&histogram.notation()), histogram);
    }

    #[test]
    fn sums_lose_nothing_and_do_not_care_for_order(one in exponential(), other in exponential()) {
        let sum = one.add(&other).expect("both are exponential").histogram;
        prop_assert_eq!(&sum, &other.add(&one).expect("both are exponential").histogram);
        prop_assert_eq!(counted(&sum), counted(&one) + counted(&other));
        let mut accumulator = Accumulator::new(&one);
        accumulator.add(&other).expect("both are exponential");
        prop_assert_eq!(accumulator.sum(), sum);
    }

    #[test]
    fn custom_sums_lose_nothing(one in custom(), other in custom()) {
        let sum = one.add(&other).expect("both are custom").histogram;
        prop_assert_eq!(counted(&sum), counted(&one) + counted(&other));
        prop_assert_eq!(sum.schema, CUSTOM_SCHEMA);
    }

    #[test]
    fn what_grew_was_not_reset(one in any(), factor in 1_u32..5) {
        prop_assert!(!one.mul(f64::from(factor)).detect_reset(&one));
    }

    #[test]
    fn buckets_ascend(histogram in any()) {
        let buckets: Vec<_> = histogram.buckets().collect();
        for pair in buckets.windows(2) {
            prop_assert!(pair[0].upper <= pair[1].lower, "{:?}", pair);
        }
    }

    #[test]
    fn quantiles_ascend(histogram in any(), one in 0.0..1.0_f64, other in 0.0..1.0_f64) {
        let (low, high) = (histogram.quantile(one.min(other)).value, histogram.quantile(one.max(other)).value);
        prop_assert!(histogram.count == 0.0 || low <= high + 1e-9 * high.abs(), "{} {}", low, high);
    }

    #[test]
    fn what_is_trimmed_off_is_what_is_kept_on_the_other_side(histogram in exponential(), limit in -20.0..20.0_f64) {
        let (below, above) = (histogram.trim(Trim::KeepBelow, limit), histogram.trim(Trim::KeepAbove, limit));
        prop_assert!((below.count + above.count - histogram.count).abs() < 1e-6);
        let fraction = histogram.fraction(f64::NEG_INFINITY, limit).value;
        prop_assert!(histogram.count == 0.0 || (fraction * histogram.count - below.count).abs() < 1e-6);
    }
}
