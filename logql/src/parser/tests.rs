//! What is LogQL, and what is said about what is not.

use super::{parse, parse_log};
use crate::{Error, Expr, Kind};
use proptest::prelude::*;

/// What a refusal gets wrong, if it does.
fn check_refused(query: &str, at: (u32, u32), contains: &str) -> Option<String> {
    match parse(query) {
        Err(Error::Syntax {
            line,
            column,
            detail,
        }) if (line, column) == at && detail.contains(contains) => None,
        other => Some(format!("{query} gives {other:?}")),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        ("", (1, 1), "unexpected the end of the query"),
        ("{", (1, 2), "the name of a label"),
        ("{}", (1, 1), "at least one matcher"),
        (r#"{a=""}"#, (1, 1), "at least one matcher"),
        (r#"{a!="x"}"#, (1, 1), "at least one matcher"),
        (r#"{a=~".*"}"#, (1, 1), "at least one matcher"),
        (r#"{a="b""#, (1, 7), ", or }"),
        (r#"{a="b}"#, (1, 4), "closing quote"),
        (r#"{a='b'}"#, (1, 4), "single quotes"),
        (r#"{a "b"}"#, (1, 4), "=, !=, =~ or !~"),
        (r#"{a=~"("}"#, (1, 5), "invalid regular expression"),
        (r#"{a="\z"}"#, (1, 4), "unknown escape"),
        (r#"{a="b"} |= x"#, (1, 12), "a text between quotes"),
        (r#"{a="b"} |~ "[""#, (1, 12), "invalid regular expression"),
        (r#"{a="b"} |> "<x>""#, (1, 12), "write <_> for <x>"),
        (r#"{a="b"} |~ ip("1.1.1.1")"#, (1, 12), "ip() goes with"),
        (r#"{a="b"} |= ip("1.1.1")"#, (1, 15), "neither an address"),
        (r#"{a="b"} | jsn"#, (1, 11), "is no stage"),
        (r#"{a="b"} | json a="x.""#, (1, 18), "expected a key"),
        (r#"{a="b"} | json a, a"#, (1, 19), "extracted twice"),
        (r#"{a="b"} | logfmt a="x y""#, (1, 20), "cannot be a key"),
        (
            r#"{a="b"} | regexp "x""#,
            (1, 18),
            "names at least one group",
        ),
        (r#"{a="b"} | pattern "x""#, (1, 19), "at least one capture"),
        (
            r#"{a="b"} | pattern "<a><b>""#,
            (1, 19),
            "text between them",
        ),
        (
            r#"{a="b"} | line_format "{{ .x ""#,
            (1, 23),
            "}} are missing",
        ),
        (
            r#"{a="b"} | line_format "{{ foo }}""#,
            (1, 23),
            "\"foo\" is not defined",
        ),
        (
            r#"{a="b"} | line_format "{{ if .x }}""#,
            (1, 23),
            "{{end}} is missing",
        ),
        (
            r#"{a="b"} | label_format __error__="x""#,
            (1, 24),
            "cannot be formatted",
        ),
        (
            r#"{a="b"} | label_format a=b, a=c"#,
            (1, 29),
            "twice in one stage",
        ),
        (r#"{a="b"} | x"#, (1, 11), "is no stage"),
        (r#"{a="b"} | x = y"#, (1, 15), "a number, a duration"),
        (r#"{a="b"} | x > "5""#, (1, 15), "a number, a duration"),
        (r#"{a="b"} | x > 5zz"#, (1, 15), "neither a number"),
        (r#"{a="b"} | (x > 5"#, (1, 17), "expected )"),
        (
            r#"{a="b"} | unwrap x"#,
            (1, 9),
            "belongs into a metric query",
        ),
        (r#"{a="b"} extra"#, (1, 9), "the end of the query"),
        ("{a=\"b\"}\n| json\n| foo", (3, 3), "is no stage"),
        (r#"{a="é"} & x"#, (1, 9), "unexpected character '&'"),
        (r#"rate({a="b"})"#, (1, 13), "a range like [5m]"),
        (r#"rate({a="b"}[5])"#, (1, 14), "is not a duration"),
        (r#"rate({a="b"}[0s])"#, (1, 14), "longer than 0"),
        (r#"rate({a="b"}[5m)"#, (1, 13), "closing ]"),
        (r#"rate({a="b"}[5m]"#, (1, 17), "expected )"),
        (
            r#"rate({a="b"}[5m] offset 5)"#,
            (1, 25),
            "a duration like 5m",
        ),
        (
            r#"rate({a="b"}[5m]) by (x)"#,
            (1, 1),
            "grouping is not allowed for rate",
        ),
        (r#"sum_over_time({a="b"}[5m])"#, (1, 1), "needs a number"),
        (
            r#"count_over_time({a="b"} | unwrap x [5m])"#,
            (1, 1),
            "takes no unwrap",
        ),
        (
            r#"sum_over_time({a="b"} | unwrap foo(x) [5m])"#,
            (1, 32),
            "not foo()",
        ),
        (
            r#"sum_over_time({a="b"} | unwrap x | json [5m])"#,
            (1, 36),
            "only label filters",
        ),
        (
            r#"quantile_over_time({a="b"} | unwrap x [5m])"#,
            (1, 1),
            "needs the quantile first",
        ),
        (r#"rate(0.5, {a="b"}[5m])"#, (1, 1), "takes no number"),
        (r#"topk(rate({a="b"}[5m]))"#, (1, 1), "needs a number first"),
        (r#"topk(0, rate({a="b"}[5m]))"#, (1, 1), "whole and above 0"),
        (
            r#"topk(1.5, rate({a="b"}[5m]))"#,
            (1, 1),
            "whole and above 0",
        ),
        (r#"sum(2, rate({a="b"}[5m]))"#, (1, 1), "takes no number"),
        (
            r#"sum by (x) (rate({a="b"}[5m])) by (y)"#,
            (1, 1),
            "not both",
        ),
        (
            r#"sort by (x) (rate({a="b"}[5m]))"#,
            (1, 1),
            "grouping is not allowed",
        ),
        (r#"sum(x)"#, (1, 5), "unknown function"),
        (r#"foo({a="b"}[5m])"#, (1, 1), "unknown function"),
        (r#"1 + "#, (1, 5), "a metric query"),
        (r#"1 and 2"#, (1, 3), "not with a number"),
        (
            r#"vector(1) + bool vector(1)"#,
            (1, 11),
            "bool goes with comparisons",
        ),
        (
            r#"vector(1) and on (a) group_left vector(1)"#,
            (1, 11),
            "no grouping is allowed",
        ),
        (
            r#"vector(1) + group_left vector(1)"#,
            (1, 13),
            "stand after on",
        ),
        (r#"vector(x)"#, (1, 8), "a number"),
        (
            r#"label_replace(vector(1), "a-b", "", "x", "y")"#,
            (1, 26),
            "cannot be the name of a label",
        ),
        (
            r#"label_replace(vector(1), "a", "", "x", "(")"#,
            (1, 40),
            "invalid regular expression",
        ),
        (r#"label_replace(vector(1), "a")"#, (1, 29), "expected ,"),
        ("1e999", (1, 1), "too large"),
        (r#"sum({a="b"})"#, (1, 5), "a metric query"),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(query, at, contains)| check_refused(query, *at, contains))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}",
        wrong.join(
            "
"
        )
    );
}

#[test]
fn a_log_query_and_a_metric_query_are_told_apart() {
    assert!(matches!(parse(r#"(({a="b"}))"#), Ok(Expr::Log(_))));
    assert!(matches!(
        parse(r#"(rate({a="b"}[5m]))"#),
        Ok(Expr::Metric(_))
    ));
    assert!(parse_log(r#"{a="b"}"#).is_ok());
    assert!(parse_log("vector(1)").is_err());
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let long = format!("{{a=\"{}\"}}", "x".repeat(200_000));
    let parentheses = format!("{}1{}", "(".repeat(100_000 / 2), ")".repeat(100_000 / 2));
    let nested = format!("{}vector(1){}", "sum(".repeat(150), ")".repeat(150));
    let chain = vec!["vector(1)"; 200].join(" + ");
    let filters = format!("{{a=\"b\"}} | {}", vec!["x > 1"; 200].join(" or "));
    let open = format!("{{a=\"b\"}} | {}", "(".repeat(1_000));
    for query in [long, parentheses, nested, chain, filters, open] {
        let error = parse(&query).expect_err("over a limit");
        assert_eq!(error.kind(), Kind::Limited, "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_tokens_panic(words in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "(", ")", "[5m]", "[", "]", "a", "=", "\"x\"", "`y`", "|", "|=", "!=", "|~", "!~", "|>", "!>", "=~", "json",
        "logfmt", "--strict", "unwrap", "rate", "sum", "by", "without", "topk", "5", "5m", "5KB", "-", "+", "*", "^", "or",
        "and", "unless", "on", "ignoring", "group_left", "offset", "vector", "label_replace", "quantile_over_time", ",", "ip",
        "line_format", "label_format", "drop", "keep", "pattern", "regexp", "bool", ">", "==", "#c\n", "{a=\"b\"}",
    ]), 0..24)) {
        let _ = parse(&words.join(" "));
    }
}
