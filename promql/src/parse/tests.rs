//! What is refused, with which words and where.

use super::parse;

fn check_error(text: &str, line: usize, column: usize, message: &str) {
    match parse(text, true) {
        Err(crate::error::Error::Parse {
            line: l,
            column: c,
            message: m,
        }) => {
            assert_eq!((l, c, m.as_str()), (line, column, message), "{text}");
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn errors_say_what_and_where() {
    check_error("", 1, 1, "no expression found in input");
    check_error("1 +", 1, 4, "unexpected end of input");
    check_error("foo\n)", 2, 1, "unexpected \")\"");
    check_error("nope(1)", 1, 1, "unknown function with name \"nope\"");
    check_error(
        "rate(foo)",
        1,
        6,
        "expected type range vector in call to function \"rate\", got instant vector",
    );
    check_error(
        "1 == 1",
        1,
        1,
        "comparisons between scalars must use BOOL modifier",
    );
    check_error(
        "foo[5m][5m]",
        1,
        8,
        "ranges only allowed for vector selectors",
    );
    check_error(
        "{}",
        1,
        1,
        "vector selector must contain at least one non-empty matcher",
    );
    check_error(
        "foo{a=\"b\"",
        1,
        10,
        "unexpected end of input inside braces",
    );
    check_error("foo[0s]", 1, 1, "duration must be greater than 0");
    check_error(
        "1 and 2",
        1,
        1,
        "set operator \"and\" not allowed in binary scalar expression",
    );
    check_error(
        "foo{__name__=\"bar\"}",
        1,
        1,
        "metric name must not be set twice: \"foo\" or \"bar\"",
    );
    check_error(
        "a + on(x) group_left(x) b",
        1,
        1,
        "label \"x\" must not occur in ON and GROUP clause at once",
    );
    check_error(
        "sum()",
        1,
        1,
        "no arguments for aggregate expression provided",
    );
    check_error(
        "foo offset 5m offset 5m",
        1,
        15,
        "offset may not be set multiple times",
    );
    check_error("sum(", 1, 5, "unclosed left parenthesis");
    check_error("foo[5m", 1, 7, "unclosed left bracket");
    check_error("1 + On", 1, 5, "unexpected <on>");
    check_error("\"a", 1, 1, "unterminated quoted string");
}

#[test]
fn experiments_need_to_be_asked_for() {
    for text in [
        "limitk(1, a)",
        "mad_over_time(a[5m])",
        "a[step()]",
        "a[5m] anchored",
        "a + fill(0) b",
    ] {
        assert!(parse(text, false).is_err(), "{text}");
        assert!(parse(text, true).is_ok(), "{text}");
    }
}

#[test]
fn depth_and_length_are_limited() {
    assert!(parse(&"(".repeat(100_000), true).is_err());
    assert!(parse(&"-".repeat(100_000), true).is_err());
    assert!(parse(&format!("a{}", "+a".repeat(50_000)), true).is_err());
    assert!(parse(&format!("a[{}1s]", "1s+".repeat(40_000)), true).is_err());
    assert!(parse(&format!("a{}", "[1m:1s]".repeat(10_000)), true).is_err());
    assert!(parse(&" ".repeat(200_000), true).is_err());
}
