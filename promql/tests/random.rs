//! Expressions and data of any kind: nothing panics, and what is printed is read as it was.

use cairn_promql::{
    expr::Expr,
    labels::Labels,
    parse::parse,
    query::{Options, Point, Query, Value},
    script::{Memory, Storage, run},
    signature::{More, Type, functions},
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::collections::BTreeMap;

fn name() -> impl Strategy<Value = String> {
    select(vec![
        "f",
        "f",
        "g",
        "h",
        "h",
        "c",
        "mixed",
        "b_bucket",
        "target_info",
    ])
    .prop_map(str::to_owned)
}

fn length() -> impl Strategy<Value = String> {
    select(vec![
        "1ms",
        "30s",
        "1m",
        "5m",
        "1h",
        "2m30s",
        "step()",
        "(1m + 30s)",
        "1m * 2",
        "90",
    ])
    .prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = String> {
    select(vec![
        "0",
        "1",
        "2",
        "-1",
        "0.5",
        "1e300",
        "NaN",
        "Inf",
        "-Inf",
        "1000000007",
        "0x1f",
        "5m",
    ])
    .prop_map(str::to_owned)
}

fn shift() -> impl Strategy<Value = String> {
    select(vec![
        "",
        "",
        "",
        " offset 1m",
        " offset -2m",
        " @ 120",
        " @ start()",
        " @ end() offset 30s",
    ])
    .prop_map(str::to_owned)
}

fn matchers() -> impl Strategy<Value = String> {
    select(vec![
        "",
        "",
        "{job=\"a\"}",
        "{job!=\"a\"}",
        "{job=~\"a|b\"}",
        "{job!~\".+\", le=\"1\"}",
        "{\"job\"=\"b\"}",
    ])
    .prop_map(str::to_owned)
}

fn selector() -> impl Strategy<Value = String> {
    (name(), matchers(), shift())
        .prop_map(|(name, matchers, shift)| format!("{name}{matchers}{shift}"))
}

fn extension() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", "", "", "", "", " anchored", " smoothed"])
}

fn range(vector: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let selected = (name(), matchers(), length(), extension(), shift()).prop_map(
        |(name, matchers, length, extension, shift)| {
            format!("{name}{matchers}[{length}]{extension}{shift}")
        },
    );
    let subquery = (vector, length(), select(vec!["", "30s", "1m"]), shift())
        .prop_map(|(vector, length, step, shift)| format!("({vector})[{length}:{step}]{shift}"));
    prop_oneof![selected, subquery]
}

fn grouping() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        "",
        " by (job)",
        " without (job)",
        " by (le, job)",
        " by ()",
    ])
}

fn aggregation(vector: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let ops = select(vec![
        "sum",
        "avg",
        "min",
        "max",
        "count",
        "group",
        "stddev",
        "stdvar",
        "topk",
        "bottomk",
        "limitk",
        "limit_ratio",
        "quantile",
        "count_values",
    ]);
    (ops, grouping(), number(), vector).prop_map(|(op, grouping, number, vector)| match op {
        "topk" | "bottomk" | "limitk" | "limit_ratio" | "quantile" => {
            format!("{op}{grouping}({number}, {vector})")
        }
        "count_values" => format!("{op}{grouping}(\"value\", {vector})"),
        _ => format!("{op}{grouping}({vector})"),
    })
}

fn binary(
    vector: impl Strategy<Value = String> + Clone + 'static,
) -> impl Strategy<Value = String> {
    let ops = select(vec![
        "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", ">=", "> bool", "</", ">/", "and",
        "or", "unless",
    ]);
    let matching = select(vec![
        "",
        "",
        "",
        " on(job)",
        " ignoring(le)",
        " on(job) group_left",
        " ignoring(le, job) group_right(job)",
        " on()",
        " on(job) fill(0)",
    ]);
    let of_two = (vector.clone(), ops.clone(), matching, vector.clone()).prop_map(
        |(left, op, matching, right)| {
            let is_set = matches!(op, "and" | "or" | "unless");
            let matching = if is_set && matching.contains(['_', 'f']) {
                ""
            } else {
                matching
            };
            format!("({left}) {op}{matching} ({right})")
        },
    );
    let of_number =
        (vector, ops, number(), any::<bool>()).prop_map(|(vector, op, number, is_left)| {
            match (op, is_left) {
                ("and" | "or" | "unless", _) => vector,
                (_, true) => format!("{number} {op} ({vector})"),
                (_, false) => format!("({vector}) {op} {number}"),
            }
        });
    prop_oneof![of_two, of_number]
}

/// A call of any function that yields a vector, with arguments of the types that it wants.
fn call(vector: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    let vectors: Vec<_> = functions()
        .iter()
        .filter(|function| function.returns == Type::Vector)
        .collect();
    let argument = (vector.clone(), range(vector), number());
    (select(vectors), vec(argument, 6), 0..3_usize).prop_map(|(function, args, more)| {
        let more = if function.more == More::Fixed {
            0
        } else {
            more
        };
        let last = std::iter::repeat_n(function.args.last(), more).flatten();
        let args = function.args.iter().chain(last).zip(args).enumerate();
        let args: Vec<String> = args
            .map(
                |(at, (kind, (vector, range, number)))| match (function.name, kind) {
                    ("double_exponential_smoothing", Type::Scalar) => "0.5".to_owned(),
                    ("info", Type::Vector) if at == 1 => "{data=~\".+\"}".to_owned(),
                    ("label_replace", Type::String) => {
                        ["", "\"new\"", "\"x$1\"", "\"job\"", "\"(.*)\""][at].to_owned()
                    }
                    (_, Type::Scalar) => number,
                    (_, Type::Matrix) => range,
                    (_, Type::Vector) => vector,
                    (_, Type::String) => ["\"new\"", "\"le\"", "\"job\""][at % 3].to_owned(),
                },
            )
            .collect();
        format!("{}({})", function.name, args.join(", "))
    })
}

fn expression() -> impl Strategy<Value = String> {
    selector().boxed().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            2 => aggregation(inner.clone()),
            3 => call(inner.clone()),
            2 => binary(inner.clone()),
            1 => inner.prop_map(|inner| format!("-({inner})")),
        ]
    })
}

fn histogram() -> impl Strategy<Value = &'static str> {
    select(vec![
        "{{}}",
        "{{count:3 sum:2 buckets:[1 2]}}",
        "{{schema:2 count:9 sum:NaN buckets:[1 2 3] n_buckets:[1 0 1]}}",
        "{{count:1 z_bucket:1 z_bucket_w:3}}",
        "{{schema:-53 count:3 sum:5 custom_values:[1 2] buckets:[1 1 1]}}",
        "{{schema:-53 count:3 sum:5 custom_values:[2 5] buckets:[1 1 1] counter_reset_hint:gauge}}",
    ])
}

fn values() -> impl Strategy<Value = String> {
    let floats = (0..9_i32, -2..9_i32, 0..9_usize)
        .prop_map(|(start, step, times)| format!("{start}{step:+}x{times}"));
    let histograms = (histogram(), 0..6_usize).prop_map(|(one, times)| {
        format!(
            "{one}+{}x{times}",
            if one.contains("-53") {
                one
            } else {
                "{{count:1 buckets:[0 1]}}"
            }
        )
    });
    let odd = select(vec![
        "_", "_x3", "stale", "NaN", "Inf", "-Inf", "1e308", "-0",
    ])
    .prop_map(str::to_owned);
    prop_oneof![6 => floats, 3 => histograms, 1 => histogram().prop_map(str::to_owned), 2 => odd]
}

fn series() -> impl Strategy<Value = String> {
    let labels = select(vec![
        "",
        "{job=\"a\"}",
        "{job=\"b\"}",
        "{job=\"b\", le=\"1\"}",
        "{job=\"b\", le=\"+Inf\"}",
        "{job=\"a\", instance=\"1\", data=\"x\"}",
    ]);
    (name(), labels, vec(values(), 1..4))
        .prop_map(|(name, labels, values)| format!("  {name}{labels} {}", values.join(" ")))
}

fn memory(series: &[String]) -> Memory {
    let mut memory = Memory::default();
    let script = format!("load 30s\n{}\n", series.join("\n"));
    run(&script, &mut memory).expect("the series are written right");
    memory
}

/// What a query answers at one time, by labels; nothing where it fails.
fn at(
    text: &str,
    memory: &Memory,
    options: Options,
    time_ms: i64,
) -> Option<BTreeMap<Labels, String>> {
    let query = Query::new(text, options).ok()?;
    let answer = query.evaluate(memory.source().as_ref(), &|| Ok(())).ok()?;
    let points: Vec<(Labels, i64, Point)> = match answer.value {
        Value::Vector(elements) => elements
            .into_iter()
            .map(|element| (element.labels, element.time_ms, element.point))
            .collect(),
        Value::Matrix(lines) => lines
            .into_iter()
            .flat_map(|line| {
                let labels = line.labels;
                let floats = line
                    .floats
                    .into_iter()
                    .map(|(time, value)| (time, Point::Float(value)));
                let histograms = line
                    .histograms
                    .into_iter()
                    .map(|(time, value)| (time, Point::Histogram(value)));
                let all: Vec<_> = floats
                    .chain(histograms)
                    .map(|(time, point)| (labels.clone(), time, point))
                    .collect();
                all
            })
            .collect(),
        Value::Scalar { time_ms, value } => vec![(Labels::default(), time_ms, Point::Float(value))],
        Value::String { .. } => return None,
    };
    let now = points.into_iter().filter(|(_, time, _)| *time == time_ms);
    Some(
        now.map(|(labels, _, point)| (labels, printed(&point)))
            .collect(),
    )
}

/// Up to where computing in another order may differ.
fn printed(point: &Point) -> String {
    match point {
        Point::Float(value) => format!("{value:.9e}"),
        Point::Histogram(histogram) => format!(
            "{} {:.9e} {:.9e}",
            histogram.schema, histogram.count, histogram.sum
        ),
    }
}

/// An expression without its places in the text, and without whether a number was written as a duration.
fn bare(expr: &Expr) -> String {
    let shown = format!("{expr:?}").replace("duration: true", "duration: false");
    let mut pieces = shown.split("Span {");
    let first = pieces.next().unwrap_or_default().to_owned();
    let rest = pieces.filter_map(|piece| piece.split_once('}'));
    rest.fold(first, |text, (_, after)| text + after)
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = parse(&text, true).map(|expr| expr.to_string());
    }

    #[test]
    fn no_tokens_panic(tokens in vec(select(vec![
        "f", "sum", "by", "(", ")", "{", "}", "[", "]", "\"a\"", "=", "=~", "1", "5m", ":", "@", "offset", "-", "+", "on",
        "group_left", "bool", ",", "rate", "and", "start", "end", "step", "fill", "</", "anchored", "#\n", "'", "`",
    ]), 0..30)) {
        let _ = parse(&tokens.join(" "), true).map(|expr| expr.to_string());
    }

    #[test]
    fn what_is_printed_is_read_as_it_was(text in expression()) {
        if let Ok(expr) = parse(&text, true) {
            let printed = expr.to_string();
            let again = parse(&printed, true).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
            // Ranges are printed as durations, also those that were written as numbers.
            prop_assert_eq!(bare(&again), bare(&expr), "{} printed as {}", text, printed);
            prop_assert_eq!(again.to_string(), printed);
        }
    }

    #[test]
    fn no_evaluation_panics(text in expression(), series in vec(series(), 1..14), step_ms in select(vec![0, 1, 30_000, 77_000])) {
        let memory = memory(&series);
        let end_ms = if step_ms == 1 { 60_020 } else { 240_000 };
        let options = Options {
            start_ms: if step_ms == 0 { end_ms } else { 60_000 },
            end_ms,
            step_ms,
            experimental: true,
            ..Options::default()
        };
        if let Ok(query) = Query::new(text.as_str(), options) {
            // A failure is an answer, too: expressions may match many to many.
            let _ = query.evaluate(memory.source().as_ref(), &|| Ok(()));
        }
    }

    #[test]
    fn a_step_of_a_range_is_what_it_is_alone(text in expression(), series in vec(series(), 1..14)) {
        let varies = ["start()", "end()", "step()", "range()", "sort"];
        if varies.iter().any(|call| text.contains(call)) {
            return Ok(());
        }
        let memory = memory(&series);
        for time_ms in [60_000, 120_000, 180_000] {
            let range = at(&text, &memory, Options::range(60_000, 180_000, 60_000), time_ms);
            let alone = at(&text, &memory, Options::instant(time_ms), time_ms);
            // A range fails where any of its steps does.
            if let Some(range) = range {
                prop_assert_eq!(Some(range), alone, "{} at {} of {:?}", text, time_ms, series);
            }
        }
    }
}
