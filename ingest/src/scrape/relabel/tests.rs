//! Every action on labels.

use super::*;

/// A rule in short, the rest as Prometheus has it where nobody says.
struct Case<'a> {
    action: &'a str,
    source: &'a [&'a str],
    target: &'a str,
    regex: &'a str,
    replacement: &'a str,
}

const USUAL: Case<'static> = Case {
    action: "replace",
    source: &["a"],
    target: "t",
    regex: "(.*)",
    replacement: "$1",
};

fn rule(case: &Case<'_>) -> Rule {
    Rule {
        source_labels: case.source.iter().map(ToString::to_string).collect(),
        separator: ";".to_string(),
        target_label: case.target.to_string(),
        pattern: whole(case.regex).expect("a pattern"),
        modulus: 1_000,
        replacement: case.replacement.to_string(),
        action: Action::parse(case.action).expect("an action"),
    }
}

/// Checks what a rule makes of labels `name=value …`; nothing where it drops.
#[track_caller]
fn check(case: &Case<'_>, labels: &str, expected: Option<&str>) {
    let read = |text: &str| -> Labels {
        let pairs = text.split_whitespace();
        pairs.filter_map(|pair| pair.split_once('=')).collect()
    };
    let mut labels = read(labels);
    let kept = apply(&[rule(case)], &mut labels);
    assert_eq!(kept.then_some(labels), expected.map(read));
}

#[test]
fn replace() {
    check(&USUAL, "a=foo", Some("a=foo t=foo"));
    check(&USUAL, "b=x t=y", Some("b=x"));
    let case = Case {
        source: &["a", "b"],
        regex: "f(.*);(.*)r",
        replacement: "$2-${1}$$",
        ..USUAL
    };
    check(&case, "a=foo b=bar", Some("a=foo b=bar t=ba-oo$"));
    check(&case, "a=boo b=bar", Some("a=boo b=bar"));
    let case = Case {
        regex: "(.*)-(.*)",
        target: "${1}",
        replacement: "$2",
        ..USUAL
    };
    check(&case, "a=name-value", Some("a=name-value name=value"));
    let case = Case {
        source: &[],
        replacement: "fixed",
        ..USUAL
    };
    check(&case, "a=1", Some("a=1 t=fixed"));
    // The pattern matches the whole value.
    let case = Case {
        regex: "oo",
        ..USUAL
    };
    check(&case, "a=foo", Some("a=foo"));
    let case = Case {
        target: "a",
        replacement: "",
        ..USUAL
    };
    check(&case, "a=foo b=1", Some("b=1"));
}

#[test]
fn keep_and_drop() {
    let case = |action, regex| Case {
        action,
        regex,
        ..USUAL
    };
    check(&case("keep", "f.*"), "a=foo", Some("a=foo"));
    check(&case("keep", "f"), "a=foo", None);
    check(&case("drop", "f.*"), "a=foo", None);
    check(&case("drop", ""), "a=foo", Some("a=foo"));
    check(&case("drop", ""), "b=foo", None);
    check(&case("KeepEqual", "(.*)"), "a=1 t=1", Some("a=1 t=1"));
    check(&case("keepequal", "(.*)"), "a=1 t=2", None);
    check(&case("dropequal", "(.*)"), "a=1 t=1", None);
    check(&case("dropequal", "(.*)"), "a=1 t=2", Some("a=1 t=2"));
}

#[test]
fn names_and_cases() {
    let case = |action, regex, replacement| Case {
        action,
        regex,
        replacement,
        ..USUAL
    };
    check(
        &case("labelmap", "__meta_(.+)", "$1"),
        "__meta_x=1 y=2",
        Some("__meta_x=1 x=1 y=2"),
    );
    check(
        &case("labeldrop", "x.*", "$1"),
        "x1=1 x2=2 y=3",
        Some("y=3"),
    );
    check(
        &case("labelkeep", "x.*", "$1"),
        "x1=1 x2=2 y=3",
        Some("x1=1 x2=2"),
    );
    check(
        &case("lowercase", "(.*)", "$1"),
        "a=FoO",
        Some("a=FoO t=foo"),
    );
    check(
        &case("uppercase", "(.*)", "$1"),
        "a=FoO",
        Some("a=FoO t=FOO"),
    );
}

#[test]
fn hashmod_as_prometheus_counts() {
    // Of Prometheus' own test: "baz" modulo 1000 is 976. The other is Python's MD5, its last eight bytes modulo 1000.
    let of = |source| Case {
        action: "hashmod",
        source,
        ..USUAL
    };
    check(&of(&["c"]), "c=baz", Some("c=baz t=976"));
    let several = "a=foo b=bar c=baz";
    check(
        &of(&["a", "b", "c"]),
        several,
        Some("a=foo b=bar c=baz t=719"),
    );
}
