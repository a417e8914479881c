//! Expressions and data of any kind: nothing panics, and what is printed is read as it was.

use cairn_promql::{
    parse::parse,
    query::{Options, Query},
    script::{Memory, Storage, run},
    signature::{Type, functions},
};
use proptest::{collection::vec, prelude::*, sample::select};

fn name() -> impl Strategy<Value = String> {
    select(vec![
        "f",
        "g",
        "h",
        "c",
        "mixed",
        "ended",
        "b_bucket",
        "target_info",
        "none",
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
    select(vec!["", "", "", " anchored", " smoothed"])
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
    (vector.clone(), ops, matching, prop_oneof![vector, number()])
        .prop_map(|(left, op, matching, right)| format!("({left}) {op}{matching} ({right})"))
}

/// A call of any function, with arguments of the types that it wants.
fn call(vector: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    let text = select(vec![
        "\"job\"", "\"le\"", "\"$1\"", "\"(.*)\"", "\"new\"", "\"\"",
    ]);
    (
        0..functions().len(),
        vec((vector.clone(), range(vector), number(), text), 6),
        0..4_usize,
    )
        .prop_map(|(at, args, more)| {
            let function = &functions()[at];
            let last = function.args.last();
            let kinds = function
                .args
                .iter()
                .chain(std::iter::repeat_n(last, more).flatten());
            let args = kinds
                .zip(args)
                .map(|(kind, (vector, range, number, text))| match kind {
                    Type::Scalar => number,
                    Type::Matrix => range,
                    Type::String => text.to_owned(),
                    Type::Vector => vector,
                });
            format!("{}({})", function.name, args.collect::<Vec<_>>().join(", "))
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

fn series() -> impl Strategy<Value = String> {
    let value = select(vec![
        "_",
        "stale",
        "0",
        "1",
        "-1",
        "NaN",
        "Inf",
        "-Inf",
        "1e308",
        "5",
        "7",
        "{{}}",
        "{{count:3 sum:2 buckets:[1 2]}}",
        "{{schema:2 count:9 sum:NaN buckets:[1 2 3] n_buckets:[1 0 1]}}",
        "{{count:1 z_bucket:1 z_bucket_w:3}}",
        "{{schema:-53 count:3 sum:5 custom_values:[1 2] buckets:[1 1 1]}}",
        "{{schema:-53 count:3 sum:5 custom_values:[2 5] buckets:[1 1 1] counter_reset_hint:gauge}}",
    ]);
    let labels = select(vec![
        "",
        "{job=\"a\"}",
        "{job=\"b\"}",
        "{job=\"b\", le=\"1\"}",
        "{job=\"b\", le=\"+Inf\"}",
    ]);
    (name(), labels, vec(value, 0..12))
        .prop_map(|(name, labels, values)| format!("  {name}{labels} {}", values.join(" ")))
}

fn memory(series: &[String]) -> Memory {
    let mut memory = Memory::default();
    let script = format!("load 30s\n{}\n", series.join("\n"));
    run(&script, &mut memory).expect("the series are written right");
    memory
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
            prop_assert_eq!(&again, &expr, "{} printed as {}", text, printed);
            prop_assert_eq!(again.to_string(), printed);
        }
    }

    #[test]
    fn no_evaluation_panics(text in expression(), series in vec(series(), 0..8), step_ms in select(vec![0, 1, 30_000, 77_000])) {
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
}
