//! A table of searches with their conditions, and refusals with their places.

use super::condition;
use crate::error::Error;
use proptest::prelude::*;
use serde_json::json;

/// The condition with its parameters put in.
fn lowered(text: &str) -> String {
    let condition = condition(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let condition = condition.expect("it says something");
    let mut sql = condition.sql;
    // From the last on, or `$q1` would be put into `$q10`.
    for (name, value) in condition.parameters.iter().rev() {
        sql = sql.replace(&format!("${name}"), &value.to_string());
    }
    sql
}

fn check(text: &str, expected: &str) {
    assert_eq!(lowered(text), expected, "{text}");
}

#[test]
fn words_are_looked_for_in_bodies() {
    check("timeout", r#"has_phrase(body, "timeout")"#);
    check(
        "  Timeout\n payment ",
        r#"(has_phrase(body, "Timeout") AND has_phrase(body, "payment"))"#,
    );
    check(r#""two words""#, r#"has_phrase(body, "two words")"#);
    check(
        r#""a \"b\" \\c \d""#,
        r#"has_phrase(body, "a \"b\" \\c \\d")"#,
    );
    check("10.0.0.7:8080", r#"has_phrase(body, "10.0.0.7:8080")"#);
    check("--verbose", r#"has_phrase(body, "--verbose")"#);
    check("time*", r#"has_prefix(body, "time")"#);
    check(r#""time o"*"#, r#"has_prefix(body, "time o")"#);
    check("*meou*", r#"(body ILIKE "%meou%")"#);
    check(r#"*"50% of_"*"#, r#"(body ILIKE "%50\\% of\\_%")"#);
    check("*", "(true)");
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    check(
        id,
        &format!(r#"(has_phrase(body, "{id}") OR (trace_id = X'{id}'))"#),
    );
    assert_eq!(condition("").ok(), Some(None));
    assert_eq!(condition(" \t").ok(), Some(None));
}

#[test]
fn words_are_joined() {
    check(
        "a b OR c",
        r#"((has_phrase(body, "a") AND has_phrase(body, "b")) OR has_phrase(body, "c"))"#,
    );
    check(
        "a AND (b OR c)",
        r#"(has_phrase(body, "a") AND (has_phrase(body, "b") OR has_phrase(body, "c")))"#,
    );
    check("-a", r#"(has_phrase(body, "a") IS NOT TRUE)"#);
    check(
        "NOT a -(b c)",
        r#"((has_phrase(body, "a") IS NOT TRUE) AND ((has_phrase(body, "b") AND has_phrase(body, "c")) IS NOT TRUE))"#,
    );
    check(r#""OR""#, r#"has_phrase(body, "OR")"#);
    check("or", r#"has_phrase(body, "or")"#);
}

#[test]
fn fields_are_columns_or_attributes() {
    check("service=shop", r#"(service_name = "shop")"#);
    check("service:sho*", r#"has_prefix(service_name, "sho")"#);
    check("body:x", r#"has_phrase(body, "x")"#);
    check(
        "user=alice",
        r#"((attributes['user'] = "alice") OR (resource_attributes['user'] = "alice"))"#,
    );
    check(
        "attributes.user:al*",
        r#"has_prefix(attributes['user'], "al")"#,
    );
    check(
        "resource.host.name:*",
        "(resource_attributes['host.name'] IS NOT NULL)",
    );
    check(
        r#""it's a":b"#,
        r#"(has_phrase(attributes['it''s a'], "b") OR has_phrase(resource_attributes['it''s a'], "b"))"#,
    );
    check(
        "attributes.k!=v*",
        r#"((attributes['k'] = "v*") IS NOT TRUE)"#,
    );
    check(
        "attributes.status>=500",
        "(attributes['status']::double >= 500.0)",
    );
    check(
        "trace_id:4BF92F3577B34DA6A3CE929D0E0E4736",
        "(trace_id = X'4bf92f3577b34da6a3ce929d0e0e4736')",
    );
    check("span_id:*", "(span_id IS NOT NULL)");
}

#[test]
fn severities_are_ranges() {
    check(
        "level:error",
        r#"(severity_number BETWEEN 17 AND 20 OR (severity_number NOT BETWEEN 1 AND 24 AND upper(severity_text) = "ERROR"))"#,
    );
    check("severity=notice", r#"(upper(severity_text) = "NOTICE")"#);
    for (text, bound) in [
        (">=warn", ">= 13"),
        (">warn", "> 16"),
        ("<warn", "< 13"),
        ("<=warning", "<= 16"),
        (">=17", ">= 17"),
    ] {
        check(
            &format!("severity{text}"),
            &format!("(severity_number BETWEEN 1 AND 24 AND severity_number {bound})"),
        );
    }
}

#[test]
fn refusals_say_where() {
    for (text, column, part) in [
        (r#"a "open"#, 3, "not closed"),
        (r#"a"b""#, 2, "a space is missing"),
        (r#""a"b"#, 4, "a space is missing"),
        ("a (b", 3, "not closed"),
        ("a)", 2, "closes none"),
        ("()", 2, "missing before this parenthesis"),
        ("a OR", 3, "missing behind"),
        ("OR a", 1, "missing before"),
        ("a AND OR b", 7, "missing before"),
        ("a -", 3, "right before"),
        ("a *b", 3, "write *b*"),
        ("a b*c", 3, "at the end of a word"),
        (r#""""#, 1, "nothing stands between"),
        ("key:", 1, "nothing stands behind key:"),
        ("http://x", 1, "taken for a field"),
        ("a ::", 3, "no letter"),
        ("trace_id:12", 1, "32 hexadecimal"),
        ("k>many", 1, "a number"),
        ("service>1", 1, "for numbers"),
        ("level:err*", 1, "no severity"),
    ] {
        match condition(text) {
            Err(Error::Invalid {
                detail,
                place: Some(place),
            }) => {
                assert!(detail.contains(part), "{text}: {detail}");
                assert_eq!((place.line, place.column), (1, column), "{text}: {detail}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let deep = format!("{}a{}", "(".repeat(20), ")".repeat(20));
    assert!(condition(&deep).is_err());
    assert!(condition(&"a ".repeat(32)).is_ok());
    assert!(condition(&"a ".repeat(33)).is_err());
    assert!(condition(&"a".repeat(9_000)).is_err());
    let on_second_line = condition("a\n\"b").err().and_then(|error| error.place());
    assert_eq!(on_second_line.map(|at| (at.line, at.column)), Some((2, 1)));
}

#[test]
fn all_parameters_are_used() {
    let condition = condition("level:fatal k:v -*x* (a OR b*) n>1").expect("sound");
    let condition = condition.expect("it says something");
    for name in condition.parameters.keys() {
        assert!(condition.sql.contains(&format!("${name}")), "{name}");
    }
    assert_eq!(condition.parameters["q0"], json!("FATAL"));
}

proptest! {
    #[test]
    fn any_text_is_a_condition_or_refused(text in r#"[a-c:=<>!*"()\\ \n-]{0,40}|\PC{0,40}"#) {
        if let Ok(Some(condition)) = condition(&text) {
            prop_assert!(crate::sql::expression::check(&condition.sql).is_ok(), "{}", condition.sql);
        }
    }
}
