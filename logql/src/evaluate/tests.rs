//! Metric queries over a few lines, and against a slow model.

use super::{Answer, Evaluation};
use crate::{Entry, Error, Expr, Kind, Limits, Times, ast::Metric, parse};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

/// Seconds, the value of the label `app`, and the line.
type Line<'a> = (f64, &'a str, &'a str);

const LINES: [Line<'_>; 10] = [
    (1.0, "a", "v=1 d=100ms b=1KB k=x"),
    (2.0, "a", "v=3 d=200ms b=2KB k=y"),
    (3.0, "b", "v=10 d=1s b=1MB k=x"),
    (4.0, "a", "v=2 d=300ms b=3KB k=x"),
    (5.0, "b", "v=20 d=2s b=2MB k=y"),
    (6.0, "a", "v=5 d=400ms b=4KB k=x"),
    (7.0, "b", "v=5 d=3s b=3MB k=x"),
    (8.0, "a", "v=7 d=500ms b=5KB k=y"),
    (9.0, "c", "no number"),
    (10.0, "a", "v=4 d=600ms b=6KB k=x"),
];

fn metric(query: &str) -> Metric {
    match parse(query) {
        Ok(Expr::Metric(metric)) => metric,
        other => panic!("{query}: {other:?}"),
    }
}

fn evaluate(
    query: &str,
    times: Times,
    lines: &[Line<'_>],
    limits: Limits,
) -> Result<Answer, Error> {
    let metric = metric(query);
    let mut evaluation = Evaluation::new(&metric, times, limits, 0)?;
    for source in 0..evaluation.sources() {
        // Not in the order of time.
        for (at, app, line) in lines.iter().rev() {
            let stream = [("app", *app)];
            if evaluation.selects(source, &stream) {
                let timestamp = (at * 1e9) as i64;
                evaluation.push(
                    source,
                    &Entry {
                        timestamp,
                        line,
                        stream: &stream,
                        metadata: &[],
                    },
                )?;
            }
        }
    }
    evaluation.finish()
}

fn text(answer: Answer) -> String {
    let number = |value: f64| {
        let rounded = (value * 10_000.0).round() / 10_000.0;
        format!("{rounded}")
    };
    match answer {
        Answer::Scalar(value) => format!("scalar {}", number(value)),
        Answer::Vector(samples) => {
            let sample =
                |(labels, value): (crate::Labels, f64)| format!("{labels} {}", number(value));
            samples
                .into_iter()
                .map(sample)
                .collect::<Vec<_>>()
                .join(", ")
        }
        Answer::Matrix(series) => {
            let point = |(at, value): (i64, f64)| format!("{}@{}", number(value), at / SECOND);
            let row = |series: super::Series| {
                let points: Vec<String> = series.points.into_iter().map(point).collect();
                format!("{} {}", series.labels, points.join(" "))
            };
            series.into_iter().map(row).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Instant queries at 10 s, so that a range of 10 s sees all lines, and one of 4 s those from 7 s on.
fn check(cases: &[(&str, &str)]) {
    for (query, expected) in cases {
        let answer = evaluate(query, Times::at(10 * SECOND), &LINES, Limits::default());
        let answer = answer.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(text(answer), *expected, "{query}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn range_aggregations() {
    check(&[
        (
            r#"count_over_time({app=~".+"}[10s])"#,
            r#"{app="a"} 6, {app="b"} 3, {app="c"} 1"#,
        ),
        (
            r#"count_over_time({app=~".+"}[4s])"#,
            r#"{app="a"} 2, {app="b"} 1, {app="c"} 1"#,
        ),
        (
            r#"count_over_time({app=~".+"}[3s])"#,
            r#"{app="a"} 2, {app="c"} 1"#,
        ),
        (
            r#"count_over_time({app=~".+"}[1s] offset 1s)"#,
            r#"{app="c"} 1"#,
        ),
        (
            r#"count_over_time({app="a"} |= "x" [10s])"#,
            r#"{app="a"} 4"#,
        ),
        (r#"count_over_time({app="zzz"}[10s])"#, ""),
        (r#"rate({app="a"}[10s])"#, r#"{app="a"} 0.6"#),
        (r#"bytes_over_time({app="c"}[10s])"#, r#"{app="c"} 9"#),
        (
            r#"bytes_rate({app="c"} | line_format "12345" [10s])"#,
            r#"{app="c"} 0.5"#,
        ),
        (
            r#"absent_over_time({app="zzz", env!="q", x=~"y"}[10s])"#,
            r#"{app="zzz"} 1"#,
        ),
        (r#"absent_over_time({app="a"}[10s])"#, ""),
        (r#"sum(absent_over_time({app="zzz"}[10s]))"#, "{} 1"),
        (
            r#"sum_over_time({app="a"} | logfmt | unwrap v [10s])"#,
            r#"{app="a", b="1KB", d="100ms", k="x"} 1, {app="a", b="2KB", d="200ms", k="y"} 3, {app="a", b="3KB", d="300ms", k="x"} 2, {app="a", b="4KB", d="400ms", k="x"} 5, {app="a", b="5KB", d="500ms", k="y"} 7, {app="a", b="6KB", d="600ms", k="x"} 4"#,
        ),
        (
            r#"sum_over_time({app="a"} | logfmt v, k | unwrap v [10s])"#,
            r#"{app="a", k="x"} 12, {app="a", k="y"} 10"#,
        ),
        (
            r#"rate({app="a"} | logfmt v | unwrap v [10s])"#,
            r#"{app="a"} 2.2"#,
        ),
        (
            r#"avg_over_time({app="a"} | logfmt v | unwrap v [10s])"#,
            r#"{app="a"} 3.6667"#,
        ),
        (
            r#"max_over_time({app=~"a|b"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 7, {app="b"} 20"#,
        ),
        (
            r#"min_over_time({app=~"a|b"} | logfmt | unwrap v [10s]) without (d, b, k)"#,
            r#"{app="a"} 1, {app="b"} 5"#,
        ),
        (
            r#"min_over_time({app=~"a|b"} | logfmt | unwrap v [10s]) by ()"#,
            "{} 1",
        ),
        (
            r#"first_over_time({app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 1"#,
        ),
        (
            r#"last_over_time({app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 4"#,
        ),
        (
            r#"first_over_time({app="a"} | logfmt | unwrap v [9s]) by (app)"#,
            r#"{app="a"} 3"#,
        ),
        (
            r#"stdvar_over_time({app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 3.8889"#,
        ),
        (
            r#"stddev_over_time({app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 1.972"#,
        ),
        (
            r#"quantile_over_time(0.5, {app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 3.5"#,
        ),
        (
            r#"quantile_over_time(0, {app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 1"#,
        ),
        (
            r#"quantile_over_time(1, {app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} 7"#,
        ),
        (
            r#"quantile_over_time(1.5, {app="a"} | logfmt | unwrap v [10s]) by (app)"#,
            r#"{app="a"} inf"#,
        ),
        // 1 to 3, anew from 0 to 2, to 5, to 7, anew to 4.
        (
            r#"rate_counter({app="a"} | logfmt v | unwrap v [10s])"#,
            r#"{app="a"} 1.3"#,
        ),
        (
            r#"rate_counter({app="a"} | logfmt v | unwrap v [1s])"#,
            r#"{app="a"} 0"#,
        ),
        (
            r#"sum by (app) (sum_over_time({app=~"a|b"} | logfmt | unwrap duration(d) [10s]))"#,
            r#"{app="a"} 2.1, {app="b"} 6"#,
        ),
        (
            r#"sum(sum_over_time({app="a"} | logfmt | unwrap duration_seconds(d) [10s]))"#,
            "{} 2.1",
        ),
        (
            r#"sum(sum_over_time({app="a"} | logfmt | unwrap bytes(b) [10s]))"#,
            "{} 21000",
        ),
        (
            r#"sum(sum_over_time({app="a"} | logfmt | unwrap v | k="y" [10s]))"#,
            "{} 10",
        ),
        (
            r#"sum(sum_over_time({app="a"} | logfmt | unwrap missing [10s]))"#,
            "",
        ),
        (
            r#"sum(sum_over_time({app="a"} | logfmt | unwrap d | __error__="" [10s]))"#,
            "",
        ),
        (
            r#"count_over_time({app="c"} | json | __error__!="" [10s])"#,
            r#"{__error__="JSONParserErr", app="c"} 1"#,
        ),
        (r#"sum(count_over_time({app="c"} | json [10s]))"#, "{} 1"),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn vector_aggregations() {
    check(&[
        (r#"sum(count_over_time({app=~".+"}[10s]))"#, "{} 10"),
        (
            r#"sum by (app) (count_over_time({app=~".+"} | logfmt [10s]))"#,
            r#"{app="a"} 6, {app="b"} 3, {app="c"} 1"#,
        ),
        (
            r#"sum by (k) (count_over_time({app=~".+"} | logfmt [10s]))"#,
            r#"{} 1, {k="x"} 6, {k="y"} 3"#,
        ),
        (
            r#"sum without (app, v, d, b) (count_over_time({app=~".+"} | logfmt [10s]))"#,
            r#"{} 1, {k="x"} 6, {k="y"} 3"#,
        ),
        (r#"avg(count_over_time({app=~".+"}[10s]))"#, "{} 3.3333"),
        (r#"min(count_over_time({app=~".+"}[10s]))"#, "{} 1"),
        (r#"max(count_over_time({app=~".+"}[10s]))"#, "{} 6"),
        (r#"count(count_over_time({app=~".+"}[10s]))"#, "{} 3"),
        (r#"stddev(count_over_time({app=~".+"}[10s]))"#, "{} 2.0548"),
        (r#"stdvar(count_over_time({app=~".+"}[10s]))"#, "{} 4.2222"),
        (
            r#"topk(2, count_over_time({app=~".+"}[10s]))"#,
            r#"{app="a"} 6, {app="b"} 3"#,
        ),
        (
            r#"approx_topk(1, count_over_time({app=~".+"}[10s]))"#,
            r#"{app="a"} 6"#,
        ),
        (
            r#"bottomk(2, count_over_time({app=~".+"}[10s]))"#,
            r#"{app="c"} 1, {app="b"} 3"#,
        ),
        (
            r#"topk by (k) (1, sum by (app, k) (count_over_time({app=~"a|b"} | logfmt [10s])))"#,
            r#"{app="a", k="x"} 4, {app="a", k="y"} 2"#,
        ),
        (
            r#"sort(count_over_time({app=~".+"}[10s]))"#,
            r#"{app="c"} 1, {app="b"} 3, {app="a"} 6"#,
        ),
        (
            r#"sort_desc(count_over_time({app=~".+"}[10s]))"#,
            r#"{app="a"} 6, {app="b"} 3, {app="c"} 1"#,
        ),
        (
            r#"max by (app) (max_over_time({app=~"a|b"} | logfmt | unwrap v [10s]))"#,
            r#"{app="a"} 7, {app="b"} 20"#,
        ),
        (
            r#"min(min_over_time({app=~"a|b"} | logfmt | unwrap v [10s]))"#,
            "{} 1",
        ),
        (
            r#"max(avg_over_time({app=~"a|b"} | logfmt | unwrap v [10s]) by (app))"#,
            "{} 11.6667",
        ),
        (
            r#"sum(rate({app="a"} | logfmt | unwrap v [10s]))"#,
            "{} 2.2",
        ),
        (
            r#"label_replace(count_over_time({app="a"}[10s]), "svc", "$1-x", "app", "(.*)")"#,
            r#"{app="a", svc="a-x"} 6"#,
        ),
        (
            r#"label_replace(count_over_time({app="a"}[10s]), "svc", "y", "app", "b")"#,
            r#"{app="a"} 6"#,
        ),
        (
            r#"label_replace(count_over_time({app="a"}[10s]), "app", "", "app", ".*")"#,
            "{} 6",
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn operators() {
    let counts = r#"count_over_time({app=~".+"}[10s])"#;
    let bytes = r#"bytes_over_time({app=~"a|c"}[10s])"#;
    let by_k = r#"sum by (app, k) (count_over_time({app=~"a|b"} | logfmt [10s]))"#;
    let cases = [
        ("1 + 1".to_string(), "scalar 2"),
        ("1 / 0".to_string(), "scalar NaN"),
        ("vector(3)".to_string(), "{} 3"),
        ("vector(3) * 2 - 1".to_string(), "{} 5"),
        ("2 ^ vector(3)".to_string(), "{} 8"),
        ("vector(7) % 4".to_string(), "{} 3"),
        ("vector(1) / 0".to_string(), "{} NaN"),
        (
            format!("{counts} * 2"),
            r#"{app="a"} 12, {app="b"} 6, {app="c"} 2"#,
        ),
        (
            format!("100 / {counts}"),
            r#"{app="a"} 16.6667, {app="b"} 33.3333, {app="c"} 100"#,
        ),
        (format!("{counts} > 2"), r#"{app="a"} 6, {app="b"} 3"#),
        (format!("2 < {counts}"), r#"{app="a"} 6, {app="b"} 3"#),
        (
            format!("{counts} > bool 2"),
            r#"{app="a"} 1, {app="b"} 1, {app="c"} 0"#,
        ),
        (format!("{counts} == 3"), r#"{app="b"} 3"#),
        (format!("{counts} != 3"), r#"{app="a"} 6, {app="c"} 1"#),
        (format!("{counts} >= 3 <= 3"), r#"{app="b"} 3"#),
        (
            format!("{bytes} / {counts}"),
            r#"{app="a"} 21, {app="c"} 9"#,
        ),
        (
            format!("{bytes} > {counts}"),
            r#"{app="a"} 126, {app="c"} 9"#,
        ),
        (
            format!("{counts} > bool {bytes}"),
            r#"{app="a"} 0, {app="c"} 0"#,
        ),
        (
            format!("{counts} and {bytes}"),
            r#"{app="a"} 6, {app="c"} 1"#,
        ),
        (format!("{counts} unless {bytes}"), r#"{app="b"} 3"#),
        (
            format!("{bytes} or {counts}"),
            r#"{app="a"} 126, {app="b"} 3, {app="c"} 9"#,
        ),
        (
            format!("{counts} and on () vector(1)"),
            r#"{app="a"} 6, {app="b"} 3, {app="c"} 1"#,
        ),
        (
            format!("{by_k} / on (app) group_left {counts}"),
            r#"{app="a", k="x"} 0.6667, {app="a", k="y"} 0.3333, {app="b", k="x"} 0.6667, {app="b", k="y"} 0.3333"#,
        ),
        (
            format!("{by_k} / ignoring (k) group_left {counts} > 0.5"),
            r#"{app="a", k="x"} 0.6667, {app="b", k="x"} 0.6667"#,
        ),
        (
            format!("{counts} - on (app) group_right {by_k}"),
            r#"{app="a", k="x"} 2, {app="a", k="y"} 4, {app="b", k="x"} 1, {app="b", k="y"} 2"#,
        ),
        (
            format!("{counts} * on (app) label_replace({bytes}, \"z\", \"q\", \"app\", \".*\")"),
            r#"{app="a"} 756, {app="c"} 9"#,
        ),
        (
            format!(
                "{counts} * on (app) group_left (z) label_replace({bytes}, \"z\", \"q\", \"app\", \".*\")"
            ),
            r#"{app="a", z="q"} 756, {app="c", z="q"} 9"#,
        ),
        (format!("sum({counts}) / vector(4)"), "{} 2.5"),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(query, expected)| (query.as_str(), *expected))
        .collect();
    check(&cases);
}

#[test]
fn steps_see_what_is_after_the_beginning_up_to_the_end() {
    let times = Times::range(2 * SECOND, 10 * SECOND, 4 * SECOND).expect("sound");
    for (query, expected) in [
        (
            r#"count_over_time({app="a"}[4s])"#,
            r#"{app="a"} 2@2 2@6 2@10"#,
        ),
        (
            r#"count_over_time({app="a"}[2s])"#,
            r#"{app="a"} 2@2 1@6 1@10"#,
        ),
        (r#"count_over_time({app="b"}[1s])"#, ""),
        (r#"count_over_time({app="b"}[8s])"#, r#"{app="b"} 2@6 3@10"#),
        (
            r#"last_over_time({app="a"} | logfmt v | unwrap v [100s])"#,
            r#"{app="a"} 3@2 5@6 4@10"#,
        ),
        (
            r#"rate_counter({app="a"} | logfmt v | unwrap v [100s])"#,
            r#"{app="a"} 0.02@2 0.07@6 0.13@10"#,
        ),
        (
            r#"absent_over_time({app="b"}[2s])"#,
            r#"{app="b"} 1@2 1@10"#,
        ),
        (
            r#"topk(1, count_over_time({app=~"a|b"}[1s]))"#,
            r#"{app="a"} 1@2 1@6 1@10"#,
        ),
        ("1 + 1", "{} 2@2 2@6 2@10"),
        ("vector(1)", "{} 1@2 1@6 1@10"),
        (
            r#"count_over_time({app="b"}[4s]) > 1 or vector(0)"#,
            r#"{} 0@2 0@6 0@10, {app="b"} 2@6"#,
        ),
    ] {
        let answer = evaluate(query, times, &LINES, Limits::default()).expect(query);
        assert_eq!(text(answer), expected, "{query}");
    }
    assert!(Times::range(2, 1, 1).is_err());
    assert!(Times::range(1, 2, 0).is_err());
}

#[test]
fn errors_are_named() {
    let counts = r#"count_over_time({app=~".+"}[10s])"#;
    let by_k = r#"sum by (app, k) (count_over_time({app=~"a|b"} | logfmt [10s]))"#;
    for (query, contains) in [
        (
            r#"count_over_time({app="c"} | json [10s])"#.to_string(),
            "'JSONParserErr' for series: '{app=\"c\"}'",
        ),
        (
            r#"sum_over_time({app="a"} | logfmt | unwrap k [10s])"#.to_string(),
            "SampleExtractionErr",
        ),
        (
            r#"sum by (v) (count_over_time({app="a"} | logfmt | k > 5 [10s]))"#.to_string(),
            "LabelFilterErr",
        ),
        (
            r#"sum(count_over_time({app="a"} | line_format "{{div 1 0}}" [10s]))"#.to_string(),
            "TemplateFormatErr",
        ),
        (
            format!("{counts} / on (app) {by_k}"),
            "add group_left or group_right",
        ),
        (
            format!("{counts} / on (app) group_left {by_k}"),
            "aggregate it",
        ),
        (format!("{by_k} / on () {counts}"), "several series match"),
        (
            format!("label_replace({counts}, \"app\", \"x\", \"app\", \".*\")"),
            "makes two series",
        ),
    ] {
        let error =
            evaluate(&query, Times::at(10 * SECOND), &LINES, Limits::default()).expect_err(&query);
        assert!(error.to_string().contains(contains), "{query}: {error}");
    }
}

#[test]
fn limits_are_named() {
    let defaults = Limits::default();
    let times = Times::range(0, 100 * SECOND, SECOND).expect("sound");
    for (query, limits, contains) in [
        (
            r#"count_over_time({app=~".+"}[10s])"#,
            Limits {
                series: 2,
                ..defaults
            },
            "the series of a query: more than 2",
        ),
        (
            r#"count_over_time({app=~".+"}[10s])"#,
            Limits {
                cells: 4,
                ..defaults
            },
            "series times steps: more than 4",
        ),
        (
            r#"count_over_time({app=~".+"}[10s])"#,
            Limits {
                steps: 100,
                ..defaults
            },
            "the steps of a query: more than 100",
        ),
        (
            r#"rate_counter({app="a"} | logfmt v | unwrap v [10s])"#,
            Limits {
                samples: 3,
                ..defaults
            },
            "rate_counter: more than 3",
        ),
        (
            r#"vector(1) or label_replace(vector(1), "a", "b", "", "")"#,
            Limits {
                series: 1,
                ..defaults
            },
            "the series of an answer",
        ),
    ] {
        let error = evaluate(query, times, &LINES, limits).expect_err(query);
        assert!(error.to_string().contains(contains), "{query}: {error}");
        assert_eq!(error.kind(), Kind::Limited);
    }
}

#[test]
fn many_values_of_a_quantile_become_a_sketch() {
    let lines: Vec<String> = (0..20_000).map(|at| format!("v={}", at - 5_000)).collect();
    let lines: Vec<Line<'_>> = lines.iter().map(|line| (5.0, "a", line.as_str())).collect();
    for (quantile, exact) in [
        (0.0, -5_000.0),
        (0.1, -3_000.0),
        (0.5, 5_000.0),
        (0.99, 14_800.0),
        (1.0, 14_999.0),
    ] {
        let query =
            format!("quantile_over_time({quantile}, {{app=\"a\"}} | logfmt v | unwrap v [10s])");
        let answer =
            evaluate(&query, Times::at(10 * SECOND), &lines, Limits::default()).expect("sound");
        let Answer::Vector(samples) = answer else {
            panic!("a vector")
        };
        let value = samples[0].1;
        assert!(
            (value - exact).abs() <= exact.abs() * 0.011 + 1.0,
            "{quantile}: {value}"
        );
    }
}

/// The values in a window, in the order of time.
fn model(op: &str, values: &[f64], seconds: f64) -> f64 {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / count;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    let grown: f64 = values
        .windows(2)
        .map(|pair| {
            if pair[1] < pair[0] {
                pair[1]
            } else {
                pair[1] - pair[0]
            }
        })
        .sum();
    match op {
        "rate" => sum / seconds,
        "rate_counter" => grown / seconds,
        "sum_over_time" => sum,
        "avg_over_time" => mean,
        "max_over_time" => values.iter().copied().fold(f64::MIN, f64::max),
        "min_over_time" => values.iter().copied().fold(f64::MAX, f64::min),
        "first_over_time" => values[0],
        "last_over_time" => values[values.len() - 1],
        "stdvar_over_time" => variance,
        _ => variance.sqrt(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn windows_are_as_if_each_was_read_alone(
        found in prop::collection::btree_map(0i64..60, 0u32..50, 0..25),
        op in prop::sample::select(vec![
            "rate", "rate_counter", "sum_over_time", "avg_over_time", "max_over_time", "min_over_time", "first_over_time",
            "last_over_time", "stdvar_over_time", "stddev_over_time",
        ]),
        interval in 1i64..30, step in 1i64..20, start in 0i64..30, length in 0i64..40, offset in -5i64..15,
    ) {
        let offset_text = if offset == 0 { String::new() } else { format!("offset {offset}s") };
        let query = format!("{op}({{app=\"a\"}} | logfmt v | unwrap v [{interval}s] {offset_text})");
        let texts: Vec<(f64, String)> = found.iter().map(|(at, value)| (*at as f64, format!("v={value}"))).collect();
        let lines: Vec<Line<'_>> = texts.iter().map(|(at, line)| (*at, "a", line.as_str())).collect();
        let times = Times::range(start * SECOND, (start + length) * SECOND, step * SECOND).expect("sound");
        let answer = evaluate(&query, times, &lines, Limits::default()).expect("sound");
        let Answer::Matrix(series) = answer else { panic!("a matrix") };
        let points = series.into_iter().next().map(|series| series.points).unwrap_or_default();
        let mut expected = Vec::new();
        for end in (start..=start + length).step_by(step as usize) {
            let seen = |at: &i64| *at > end - offset - interval && *at <= end - offset;
            let values: Vec<f64> = found.iter().filter(|(at, _)| seen(at)).map(|(_, value)| f64::from(*value)).collect();
            if !values.is_empty() {
                expected.push((end * SECOND, model(op, &values, interval as f64)));
            }
        }
        prop_assert_eq!(points.len(), expected.len());
        for ((at, value), (expected_at, expected)) in points.into_iter().zip(expected) {
            prop_assert_eq!(at, expected_at);
            prop_assert!((value - expected).abs() < 1e-6, "{} at {}: {} and not {}", query, at, value, expected);
        }
    }
}
