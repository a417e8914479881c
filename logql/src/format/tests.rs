//! The canonical text of queries, and that it is read as the same query.

use crate::{
    ast::{Expr, Metric},
    format, parse,
};
use proptest::prelude::*;

fn read(query: &str) -> Expr {
    parse(query).unwrap_or_else(|error| panic!("{query}: {error}"))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_query_has_one_text() {
    for (query, canonical) in [
        (
            r#"{a="b",c!="d",e=~"f",g!~"h",}"#,
            r#"{a="b", c!="d", e=~"f", g!~"h"}"#,
        ),
        ("{a=`b\"c`}", r#"{a="b\"c"}"#),
        ("# first\n{a=\"b\"} # last", r#"{a="b"}"#),
        (r#"({a="b"}|="x")"#, r#"{a="b"} |= "x""#),
        (
            r#"{a="b"}|="x"!="y"|~"z"!~"w""#,
            r#"{a="b"} |= "x" != "y" |~ "z" !~ "w""#,
        ),
        (
            r#"{a="b"} |= "x" or "y" or ip("10.0.0.1")"#,
            r#"{a="b"} |= "x" or "y" or ip("10.0.0.1")"#,
        ),
        (r#"{a="b"} != "x" or "y""#, r#"{a="b"} != "x" != "y""#),
        (
            r#"{a="b"} |> "<_> x" !> "y <_>""#,
            r#"{a="b"} |> "<_> x" !> "y <_>""#,
        ),
        (r#"{a="b"} | JSON"#, r#"{a="b"} | json"#),
        (
            r#"{a="b"} | json x, y="z[0].w""#,
            r#"{a="b"} | json x="x",y="z[0].w""#,
        ),
        (
            r#"{a="b"} | logfmt --keep-empty --strict"#,
            r#"{a="b"} | logfmt --strict --keep-empty"#,
        ),
        (
            r#"{a="b"} | logfmt --strict x, y="z""#,
            r#"{a="b"} | logfmt --strict x="x",y="z""#,
        ),
        (
            r#"{a="b"} | regexp "(?P<x>.)" | pattern `<y> "<_>"`"#,
            r#"{a="b"} | regexp "(?P<x>.)" | pattern "<y> \"<_>\"""#,
        ),
        (
            r#"{a="b"} | unpack | decolorize"#,
            r#"{a="b"} | unpack | decolorize"#,
        ),
        (r#"{a="b"} | x="y""#, r#"{a="b"} | x="y""#),
        (r#"{a="b"} | x = 5"#, r#"{a="b"} | x==5"#),
        (r#"{a="b"} | x >= -1.50"#, r#"{a="b"} | x>=-1.5"#),
        (r#"{a="b"} | x < 90s"#, r#"{a="b"} | x<1m30s"#),
        (r#"{a="b"} | x <= 1500KB"#, r#"{a="b"} | x<=1.5MB"#),
        (r#"{a="b"} | x > 5KiB"#, r#"{a="b"} | x>5120B"#),
        (
            r#"{a="b"} | x = ip("::1") | y != ip("10.0.0.0/8")"#,
            r#"{a="b"} | x=ip("::1") | y!=ip("10.0.0.0/8")"#,
        ),
        (
            r#"{a="b"} | x=1 or y=2 and z=3"#,
            r#"{a="b"} | ( x==1 or ( y==2 , z==3 ) )"#,
        ),
        (
            r#"{a="b"} | (x=1 or y=2), z=3 w=4"#,
            r#"{a="b"} | ( ( ( x==1 or y==2 ) , z==3 ) , w==4 )"#,
        ),
        (r#"{a="b"} | json="x""#, r#"{a="b"} | json="x""#),
        (
            r#"{a="b"} | line_format `{{.x}}`"#,
            r#"{a="b"} | line_format "{{.x}}""#,
        ),
        (
            r#"{a="b"} | label_format x=y, z="{{.w}}""#,
            r#"{a="b"} | label_format x=y,z="{{.w}}""#,
        ),
        (
            r#"{a="b"} | drop x, y="z" | keep w, v=~"u""#,
            r#"{a="b"} | drop x,y="z" | keep w,v=~"u""#,
        ),
        (r#"rate( {a="b"} [ 5m ] )"#, r#"rate({a="b"}[5m])"#),
        (
            r#"rate(({a="b"} | json)[1h30m])"#,
            r#"rate({a="b"} | json[1h30m])"#,
        ),
        (r#"rate(({a="b"}[5m]))"#, r#"rate({a="b"}[5m])"#),
        (r#"rate({a="b"}[5m] | json)"#, r#"rate({a="b"} | json[5m])"#),
        (
            r#"rate({a="b"}[5m] offset 1h | json)"#,
            r#"rate({a="b"} | json[5m] offset 1h0m0s)"#,
        ),
        (
            r#"count_over_time({a="b"}[1d] offset -5m)"#,
            r#"count_over_time({a="b"}[1d] offset -5m0s)"#,
        ),
        (
            r#"sum_over_time({a="b"} | unwrap x [5m])"#,
            r#"sum_over_time({a="b"} | unwrap x[5m])"#,
        ),
        (
            r#"sum_over_time({a="b"} | unwrap duration(x) | __error__="" | y > 5 [5m])"#,
            r#"sum_over_time({a="b"} | unwrap duration(x) | __error__="" | y>5[5m])"#,
        ),
        (
            r#"sum_over_time({a="b"}[5m] | unwrap bytes(x))"#,
            r#"sum_over_time({a="b"} | unwrap bytes(x)[5m])"#,
        ),
        (
            r#"quantile_over_time(0.990, {a="b"} | unwrap duration_seconds(x) [5m]) by (y, z)"#,
            r#"quantile_over_time(0.99,{a="b"} | unwrap duration_seconds(x)[5m]) by (y,z)"#,
        ),
        (
            r#"max_over_time({a="b"}|unwrap x[5m]) without(y)"#,
            r#"max_over_time({a="b"} | unwrap x[5m]) without (y)"#,
        ),
        (
            r#"SUM(rate({a="b"}[5m])) BY (x)"#,
            r#"sum by (x)(rate({a="b"}[5m]))"#,
        ),
        (r#"sum by () (vector(1))"#, r#"sum(vector(1))"#),
        (
            r#"sum without () (vector(1))"#,
            r#"sum without ()(vector(1))"#,
        ),
        (
            r#"topk(3, vector(1)) by (x)"#,
            r#"topk by (x)(3,vector(1))"#,
        ),
        (
            r#"approx_topk(3, vector(1))"#,
            r#"approx_topk(3,vector(1))"#,
        ),
        (
            r#"sort_desc(sort(vector(1)))"#,
            r#"sort_desc(sort(vector(1)))"#,
        ),
        ("1 + 2 * 3", "7"),
        ("2 ^ 3 ^ 2", "512"),
        ("-5 + 1", "-4"),
        ("1 / 0", "(1 / 0)"),
        ("1 > 2", "0"),
        ("vector(1) - 1 - 2", "((vector(1) - 1) - 2)"),
        ("vector(1) + 1 * 2", "(vector(1) + 2)"),
        ("(vector(1) + 1) * 2", "((vector(1) + 1) * 2)"),
        ("vector(1) > bool 0", "(vector(1) > bool 0)"),
        (
            "vector(1) or vector(2) and vector(3)",
            "(vector(1) or (vector(2) and vector(3)))",
        ),
        (
            "vector(1) unless on(a,b) vector(2)",
            "(vector(1) unless on (a,b) vector(2))",
        ),
        (
            "vector(1) / ignoring(a) group_left(b) vector(2)",
            "(vector(1) / ignoring (a) group_left (b) vector(2))",
        ),
        (
            "vector(1) / on(a) group_right (vector(2) + vector(3))",
            "(vector(1) / on (a) group_right (vector(2) + vector(3)))",
        ),
        (
            r#"label_replace(vector(1), "a", "$1", "b", "(.*)")"#,
            r#"label_replace(vector(1),"a","$1","b","(.*)")"#,
        ),
    ] {
        let expr = read(query);
        assert_eq!(expr.to_string(), canonical, "{query}");
        assert_eq!(read(canonical), expr, "{canonical}");
        assert_eq!(read(&format(&expr)), expr, "{query}");
    }
}

#[test]
fn long_queries_are_split() {
    let query = r#"sum by (level, namespace) (count_over_time({namespace="production", app="checkout"} |= "error" != "timeout" | json | level="error" | line_format "{{.msg}}" [5m] offset 1h)) / 100"#;
    let expected = r#"  sum by (level, namespace)(
    count_over_time(
      {namespace="production", app="checkout"}
        |= "error" != "timeout"
        | json
        | level="error"
        | line_format "{{.msg}}" [5m] offset 1h
    )
  )
/
  100"#;
    let expr = read(query);
    assert_eq!(format(&expr), expected);
    assert_eq!(read(expected), expr);
    let query = format!(
        "{{a=\"b\"}} |= \"{}\" |= \"{}\" | json",
        "x".repeat(60),
        "y".repeat(60)
    );
    assert_eq!(format(&read(&query)).lines().count(), 4);
    let filters = format!(
        "sum_over_time({{a=\"{}\"}} | unwrap x | y=\"z\" [5m])",
        "x".repeat(90)
    );
    assert_eq!(read(&format(&read(&filters))), read(&filters));
    let replaced = format!(
        "label_replace(rate({{a=\"{}\"}}[5m]), \"a\", \"b\", \"c\", \"d\")",
        "x".repeat(90)
    );
    assert_eq!(format(&read(&replaced)).lines().count(), 9);
    assert_eq!(read(&format(&read(&replaced))), read(&replaced));
}

/// A part of a query, as text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{1,6}", r#"[a-z"\\{}|`'é\n\t<>=]{1,6}"#]
        .prop_map(|text| crate::units::quote(&text))
}

fn matcher() -> impl Strategy<Value = String> {
    ("[a-z_]{1,5}", prop::sample::select(vec!["=", "!="]), text())
        .prop_map(|(name, op, text)| format!("{name}{op}{text}"))
}

fn filter() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        matcher(),
        (
            "[a-d]{1,3}",
            prop::sample::select(vec!["=", "==", "!=", ">", ">=", "<", "<="]),
            prop_oneof![
                (-1_000i32..1_000).prop_map(|n| n.to_string()),
                (0.0f64..1e9).prop_map(|n| n.to_string()),
                (1u32..100_000).prop_map(|n| format!("{n}ms")),
                (1u32..100_000).prop_map(|n| format!("{n}KiB")),
                (1u32..100_000).prop_map(|n| format!("{n}B")),
                (1u32..100).prop_map(|n| format!("{n}d{n}h")),
            ]
        )
            .prop_map(|(name, op, value)| format!("{name}{op}{value}")),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        (
            inner.clone(),
            prop::sample::select(vec![" and ", " or ", ", ", " "]),
            inner,
        )
            .prop_map(|(left, op, right)| format!("({left}{op}{right})"))
    })
}

fn stage() -> impl Strategy<Value = String> {
    prop_oneof![
        (
            prop::sample::select(vec!["|=", "!="]),
            prop::collection::vec(text(), 1..3)
        )
            .prop_map(|(op, texts)| format!("{op} {}", texts.join(" or "))),
        filter().prop_map(|filter| format!("| {filter}")),
        prop::sample::select(vec![
            "| json",
            "| json a=\"b.c[1]\", d",
            "| logfmt",
            "| logfmt --strict a",
            "| unpack",
            "| decolorize",
            "| pattern \"<a> <_>\"",
            "| regexp \"(?P<x>a+)\"",
            "| line_format \"{{ .a | upper }}\"",
            "| label_format a=b, c=\"{{ .d }}\"",
            "| drop a, b=\"c\"",
            "| keep a",
        ])
        .prop_map(str::to_string),
    ]
}

fn log() -> impl Strategy<Value = String> {
    (
        text(),
        prop::collection::vec(matcher(), 0..2),
        prop::collection::vec(stage(), 0..5),
    )
        .prop_map(|(value, matchers, stages)| {
            let more: String = matchers
                .iter()
                .map(|matcher| format!(", {matcher}"))
                .collect();
            format!("{{a={value}{more}}} {}", stages.join(" "))
        })
}

fn metric() -> impl Strategy<Value = String> {
    let range = (
        log(),
        1u32..100_000,
        prop::sample::select(vec!["s", "ms", "m", "d"]),
        -100i32..100,
    )
        .prop_map(|(log, length, unit, offset)| {
            let offset = if offset == 0 {
                String::new()
            } else {
                format!(" offset {offset}m")
            };
            format!("rate({log} [{length}{unit}]{offset})")
        });
    let unwrapped = (log(), filter()).prop_map(|(log, filter)| {
        format!("quantile_over_time(0.5, {log} | unwrap duration(x) | {filter} [5m]) by (a)")
    });
    let leaf = prop_oneof![
        range,
        unwrapped,
        (-50i32..50).prop_map(|n| format!("vector({n})"))
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|inner| format!("sum by (a, b) ({inner})")),
            inner
                .clone()
                .prop_map(|inner| format!("topk(3, {inner}) without (c)")),
            inner.clone().prop_map(|inner| format!(
                "label_replace({inner}, \"a\", \"$1\", \"b\", \"(.*)\")"
            )),
            (inner.clone(), -9i32..9).prop_map(|(inner, number)| format!("{inner} * {number}")),
            (
                inner.clone(),
                prop::sample::select(vec![
                    "+",
                    "- on (a)",
                    "* ignoring (a, b) group_left (c)",
                    "/",
                    "%",
                    "^",
                    "or",
                    "and on ()",
                    "unless",
                    "> bool",
                    "==",
                ]),
                inner,
            )
                .prop_map(|(left, op, right)| format!("{left} {op} {right}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn formatting_loses_nothing(query in prop_oneof![log(), metric()]) {
        // A few selectors match nothing but "", which is refused.
        if let Ok(expr) = parse(&query) {
            let canonical = expr.to_string();
            prop_assert_eq!(parse(&canonical), Ok(expr.clone()), "{}", canonical);
            prop_assert_eq!(parse(&canonical).map(|again| again.to_string()), Ok(canonical));
            let split = format(&expr);
            prop_assert_eq!(parse(&split), Ok(expr), "{}", split);
        }
    }
}

#[test]
fn most_generated_queries_are_queries() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let generated = (0..200).map(|_| metric().new_tree(&mut runner).expect("a query").current());
    let sound = generated.filter(|query| matches!(parse(query), Ok(Expr::Metric(found)) if !matches!(found, Metric::Literal(_))));
    assert!(sound.count() > 150);
}
