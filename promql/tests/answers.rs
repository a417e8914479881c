//! Queries against series in memory: what they read, what they are refused, what the tree looks like.

use cairn_promql::{
    Limits,
    error::{Error, Result},
    json::ast_json,
    labels::Labels,
    parse::parse,
    query::{Answer, Options, Point, Query, Value, selections},
    script::{Memory, Storage, run},
};

const SERIES: &str = "load 1m
	a_total{x=\"1\"} 0+1x20
	a_total{x=\"2\"} 0+2x20
	b_total{x=\"1\"} 0+3x20
";

fn memory() -> Memory {
    let mut memory = Memory::default();
    run(SERIES, &mut memory).expect("the series are a script");
    memory
}

fn answer(query: &str, options: Options) -> Result<Answer> {
    let memory = memory();
    let source = memory.source();
    Query::new(query, options)?.evaluate(source.as_ref(), &|| Ok(()))
}

/// What the selectors of a query ask for, as matchers and times in seconds.
fn check_selections(query: &str, options: &Options, expected: &[(&str, i64, i64)]) {
    let expr = parse(query, true).expect("the query is PromQL");
    let found = selections(&expr, options).expect("the lengths are known");
    let found: Vec<(String, i64, i64)> = found
        .into_iter()
        .map(|selection| {
            let matcher = &selection.matchers[0];
            let text = format!("{}{}{}", matcher.name, matcher.op.symbol(), matcher.value);
            (text, selection.from_ms, selection.through_ms)
        })
        .collect();
    let expected: Vec<(String, i64, i64)> = expected
        .iter()
        .map(|(text, from, through)| ((*text).to_owned(), *from, *through))
        .collect();
    assert_eq!(found, expected, "{query}");
}

#[test]
fn selections_are_known_beforehand() {
    let options = Options::range(600_000, 900_000, 60_000);
    check_selections("a", &options, &[("__name__=a", 300_001, 900_000)]);
    check_selections("a offset 1m", &options, &[("__name__=a", 240_001, 840_000)]);
    check_selections("a @ 60", &options, &[("__name__=a", -239_999, 60_000)]);
    check_selections("rate(a[1m])", &options, &[("__name__=a", 540_001, 900_000)]);
    check_selections(
        "a + on (x) rate(b[1m])",
        &options,
        &[
            ("__name__=a", 300_001, 900_000),
            ("__name__=b", 540_001, 900_000),
        ],
    );
    // The first multiple of 50 s after 480 s is 500 s, the last one 900 s.
    check_selections(
        "max_over_time(rate(a[1m])[2m:50s])",
        &options,
        &[("__name__=a", 440_001, 900_000)],
    );
    check_selections(
        "info(a)",
        &options,
        &[
            ("__name__=a", 300_001, 900_000),
            ("__name__=target_info", 300_001, 900_000),
        ],
    );
    check_selections(
        "info(sum(rate(a[1m] offset 2m)), {x=\"y\"})",
        &options,
        &[
            ("__name__=a", 420_001, 780_000),
            ("__name__=target_info", 180_001, 780_000),
        ],
    );
    check_selections(
        "rate(a[1m] smoothed)",
        &options,
        &[("__name__=a", 240_001, 1_200_000)],
    );
}

#[test]
fn points_of_a_range_are_no_answer_over_steps() {
    for text in ["a_total[5m]", "'text'", "a_total[5m:1m] @ 0"] {
        let refused = Query::new(text, Options::range(0, 60_000, 60_000));
        assert!(matches!(refused, Err(Error::Unfit(_))), "{text}");
        assert!(Query::new(text, Options::instant(0)).is_ok(), "{text}");
    }
}

#[test]
fn names_go_at_once_or_at_the_end() {
    let mut options = Options::instant(60_000);
    let refused = answer("sum(abs({x=\"1\"}))", options.clone());
    assert!(
        matches!(refused, Err(Error::Evaluation(message)) if message.contains("same labelset"))
    );
    options.delayed_name_removal = true;
    let answered = answer("sum(abs({x=\"1\"}))", options.clone()).expect("names differ until then");
    let Value::Vector(elements) = answered.value else {
        panic!("a vector is answered");
    };
    assert!(matches!(elements[0].point, Point::Float(4.0)));
    assert!(answer("abs({x=\"1\"})", options).is_err());
}

#[test]
fn an_answer_says_what_was_read() {
    let answered = answer("a_total", Options::instant(600_000)).expect("there are series");
    assert!(answered.samples_read >= 2);
    let Value::Vector(mut elements) = answered.value else {
        panic!("a vector is answered");
    };
    elements.sort_by(|one, other| one.labels.cmp(&other.labels));
    assert_eq!(
        elements[0].labels,
        Labels::new([("__name__", "a_total"), ("x", "1")])
    );
    assert!(matches!(elements[0].point, Point::Float(10.0)));
}

#[test]
fn limits_end_an_evaluation() {
    let limited = |limits: Limits| {
        let options = Options {
            limits,
            ..Options::range(0, 600_000, 60_000)
        };
        match answer("sum(rate(a_total[5m]))", options) {
            Err(Error::Limit(message)) => message,
            other => panic!("a limit ends it: {other:?}"),
        }
    };
    let limits = Limits::default();
    assert!(
        limited(Limits {
            samples: 10,
            ..limits
        })
        .contains("samples read")
    );
    assert!(
        limited(Limits {
            series: 1,
            ..limits
        })
        .contains("series read")
    );
    assert!(
        limited(Limits {
            points: 10,
            ..limits
        })
        .contains("points")
    );
}

#[test]
fn an_interrupt_ends_an_evaluation() {
    let memory = memory();
    let source = memory.source();
    let query = Query::new("sum(a_total)", Options::instant(0)).expect("it is PromQL");
    let interrupt = || Err(Error::Limit("enough".to_owned()));
    assert!(matches!(
        query.evaluate(source.as_ref(), &interrupt),
        Err(Error::Limit(_))
    ));
}

#[test]
fn times_that_cannot_be_are_refused() {
    for options in [
        Options::range(10, 0, 1),
        Options::range(0, 10, -1),
        Options::range(0, 10, 0),
        Options::range(i64::MIN, i64::MAX, 1),
    ] {
        assert!(Query::new("1", options).is_err());
    }
}

#[test]
fn the_tree_has_the_form_of_prometheus() {
    let expr = parse(
        "sum by (job) (rate(a{x=~\"1\"}[5m] offset 1m)) > bool 1",
        true,
    );
    let tree = ast_json(&expr.expect("the query is PromQL"));
    let at = |pointer: &str| {
        tree.pointer(pointer)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    assert_eq!(at("/type"), "\"binaryExpr\"");
    assert_eq!(at("/op"), "\">\"");
    assert_eq!(at("/bool"), "true");
    assert_eq!(at("/matching"), "null");
    assert_eq!(at("/lhs/grouping"), "[\"job\"]");
    assert_eq!(at("/lhs/expr/func/name"), "\"rate\"");
    assert_eq!(at("/lhs/expr/args/0/type"), "\"matrixSelector\"");
    assert_eq!(at("/lhs/expr/args/0/range"), "300000");
    assert_eq!(at("/lhs/expr/args/0/offset"), "60000");
    assert_eq!(at("/lhs/expr/args/0/matchers/0/type"), "\"=~\"");
    assert_eq!(at("/lhs/expr/args/0/matchers/1/value"), "\"a\"");
    assert_eq!(at("/lhs/expr/args/0/name"), "\"a\"");
    assert_eq!(at("/rhs/val"), "\"1\"");
}
