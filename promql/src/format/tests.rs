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
    check("{\"my.metric\", 'l'=~\"x\"}", "{\"my.metric\",l=~\"x\"}");
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
}
