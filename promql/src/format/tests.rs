//! Queries and how they are printed.

use crate::parse::parse;

fn check(text: &str, printed: &str) {
    let expr = parse(text, true).expect("the query is PromQL");
    assert_eq!(expr.to_string(), printed);
    let again = parse(printed, true).expect("what was printed is PromQL");
    assert_eq!(expr, again, "{text}");
}

#[test]
fn queries_are_printed_in_one_way() {
    check("1", "1");
    check("-0x10", "-16");
    check("1h30m", "1h30m");
    check("\"a\\n\"", "\"a\\n\"");
    check("foo", "foo");
    check(
        "{\"my.metric\", 'l'=~\"x\"}",
        "{__name__=\"my.metric\",l=~\"x\"}",
    );
    check("foo{a='1',b='2'}", "foo{a=\"1\",b=\"2\"}");
    check(
        "foo{\"a.b\"!='c'} offset -5m @ 10",
        "foo{\"a.b\"!=\"c\"} @ 10.000 offset -5m",
    );
    check("rate(foo[5m] @ end())", "rate(foo[5m] @ end())");
    check("SUM(a) BY (x,y)", "sum by (x, y) (a)");
    check("topk without () (2, a)", "topk without () (2, a)");
    check("a+b*c", "a + b * c");
    check("a * on (x) group_left b", "a * on (x) group_left () b");
    check("a == bool ignoring(x) b", "a == bool ignoring (x) b");
    check("a + fill(0) b", "a + fill (0) b");
    check(
        "a + on(x) fill_left(0) fill_right(-1) b",
        "a + on (x) fill_left (0) fill_right (-1) b",
    );
    check("a </ 2 >/ b", "a </ 2 >/ b");
    check("rate(foo[5m + step()])", "rate(foo[5m + step()])");
    check("rate(foo[5m] smoothed)", "rate(foo[5m] smoothed)");
    check(
        "foo[max_of(step(),5s):2*step()]",
        "foo[max_of(step(), 5s):2 * step()]",
    );
    check("foo offset (step()*2)", "foo offset (step() * 2)");
    check(
        "max_over_time((a or b)[1h:] offset 1w)",
        "max_over_time((a or b)[1h:] offset 1w)",
    );
    check("-foo^2", "-foo ^ 2");
    let expr = parse("foo[300:60.5] offset 7", true).expect("the query is PromQL");
    assert_eq!(expr.to_string(), "foo[5m:1m500ms] offset 7s");
}

#[test]
fn matchers_are_printed_in_order() {
    let expr = parse("foo{b='1',\"a.b\"!='2',a=~'3'}", true).expect("the query is PromQL");
    let printed = "foo{\"a.b\"!=\"2\",a=~\"3\",b=\"1\"}";
    assert_eq!(expr.to_string(), printed);
    let expr = parse("a + ignoring () b", true).expect("the query is PromQL");
    assert_eq!(expr.to_string(), "a + b");
}

/// Checked against `format_query` of Prometheus 3.5.
#[test]
fn long_queries_are_printed_over_several_lines() {
    let check = |text: &str, lines: &[&str]| {
        let expr = parse(text, true).expect("the query is PromQL");
        let printed = super::pretty(&expr);
        assert_eq!(printed.lines().collect::<Vec<_>>(), lines);
        let again = parse(&printed, true).expect("what was printed is PromQL");
        assert_eq!(super::pretty(&again), printed);
    };
    check("sum(a) by (b)", &["sum by (b) (a)"]);
    let long =
        "a_long_name_of_a_metric_that_takes_up_most_of_a_line{with_a_label=\"and its value\"}";
    check(
        &format!("topk by (b) (3, rate({long}[5m])) / on (b) -({long} + {long})"),
        &[
            "  topk by (b) (",
            "    3,",
            &format!("    rate({long}[5m])"),
            "  )",
            "/ on (b)",
            "  -(",
            &format!("      {long}"),
            "    +",
            &format!("      {long}"),
            "  )",
        ],
    );
    check(
        &format!("max_over_time(({long} == bool {long})[1h:1m] offset 5m)"),
        &[
            "max_over_time(",
            "  (",
            &format!("      {long}"),
            "    == bool",
            &format!("      {long}"),
            "  )[1h:1m] offset 5m",
            ")",
        ],
    );
}
