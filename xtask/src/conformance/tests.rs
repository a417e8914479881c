//! Rows are read as steps and test programs write them, and a page notices what it lost.

use super::{Row, compare, page};
use std::collections::BTreeSet;

fn row(text: &str) -> Row {
    Row::of_line(text)
        .expect("a line of a check")
        .expect("it can be read")
}

#[test]
fn rows_of_steps() {
    let text = "conformance: 3.4 | no way out | Python | passed";
    assert_eq!(row(text).to_string(), text);
    let text = "conformance: 19 | a bomb | raw socket | failed | it grew";
    assert_eq!(row(text).to_string(), text);
    assert!(Row::of_line("19 | a bomb | raw socket | passed").is_none());
    for broken in [
        "conformance: 56 | a | b | passed",
        "conformance: 1 | a | b | maybe",
        "conformance: 1 | a | passed",
    ] {
        let read = Row::of_line(broken).expect("a line of a check");
        assert!(read.is_err(), "{broken}");
    }
}

#[test]
fn rows_of_tests() {
    let read = |line| -> Vec<String> {
        let rows = Row::of_test(line).expect("known numbers");
        rows.iter().map(Row::to_string).collect()
    };
    assert_eq!(
        read("test json::check_04_15_a_b ... ok"),
        [
            "conformance: 4 | a b | cargo test, json | passed",
            "conformance: 15 | a b | cargo test, json | passed"
        ]
    );
    assert_eq!(
        read("test check_9_c ... FAILED"),
        ["conformance: 9 | c | cargo test, tests | failed"]
    );
    assert!(read("test json::other ... ok").is_empty());
    assert!(read("test json::check_04_a ... ignored").is_empty());
    assert!(Row::of_test("test json::check_99_a ... ok").is_err());
}

#[test]
fn a_page_notices_what_it_lost() {
    let of = |lines: &[&str]| page(&lines.iter().map(|line| row(line)).collect::<BTreeSet<_>>());
    let kept = "conformance: 1 | a | x | passed";
    let old = of(&[
        kept,
        "conformance: 2 | b | x | passed",
        "conformance: 3 | c | x | failed",
    ]);
    assert_eq!(compare(&old, &old).kept, 2);
    assert!(compare(&old, &old).differing.is_empty());
    let worse = [
        of(&[kept]),
        of(&[kept, "conformance: 2 | b | x | failed | because"]),
        of(&[kept, "conformance: 2 | b | y | passed"]),
    ];
    for new in worse {
        assert_eq!(compare(&old, &new).lost, ["| 2 | | b | x | passed |"]);
    }
    let better = of(&[
        kept,
        "conformance: 2 | b | x | passed",
        "conformance: 3 | c | x | passed",
    ]);
    assert!(compare(&old, &better).lost.is_empty());
    assert!(!compare(&old, &better).differing.is_empty());
    let skipped = of(&[kept, "conformance: 2 | b | x | not checked"]);
    assert!(compare(&old, &skipped).lost.is_empty());
}
