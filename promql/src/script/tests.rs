//! That the runner sees what is wrong: in scripts, and in answers.

use super::{Memory, run};
use proptest::prelude::*;

/// Loads series and expects `eval` to fail with a reason that holds `reason`, or to pass where that is "".
fn check(eval: &str, reason: &str) {
    let script = format!(
        "load 1m\n  f{{a=\"1\"}} 1 2 3\n  f{{a=\"2\"}} 2 3 4\n  h {{{{count:2 sum:3 buckets:[1 1]}}}}\n\n{eval}\n"
    );
    let outcome = run(&script, &mut Memory::default()).expect("it is a script");
    let reasons: Vec<&str> = outcome
        .failed
        .iter()
        .map(|failure| failure.reason.as_str())
        .collect();
    match reason {
        "" => assert_eq!((reasons, outcome.passed), (vec![], 1), "{eval}"),
        reason => assert!(
            reasons.len() == 1 && reasons[0].contains(reason),
            "{eval}: {reasons:?}"
        ),
    }
}

#[test]
fn values_are_compared() {
    check("eval instant at 0 sum(f)\n  {} 3", "");
    check("eval instant at 0 sum(f)\n  {} 3.0000001", "");
    check("eval instant at 0 sum(f)\n  {} 3.001", "expected 3.001");
    check("eval instant at 0 sum(f)\n  {} {{count:3}}", "got 3");
    check("eval instant at 0 sum(f)", "unexpected series {}");
    check(
        "eval instant at 0 f{a=\"1\"}\n  f{a=\"1\"} 1\n  f{a=\"2\"} 2",
        "is missing",
    );
    check("eval instant at 0 1\n  2", "expected Scalar(2.0)");
    check(
        "eval instant at 0 \"a\"\n  expect string \"b\"",
        "expected String",
    );
    check(
        "eval instant at 0 sort(f)\n  expect ordered\n  f{a=\"2\"} 2\n  f{a=\"1\"} 1",
        "place",
    );
}

#[test]
fn steps_are_compared() {
    check("eval range from 0 to 2m step 1m sum(f)\n  {} 3 5 7", "");
    check(
        "eval range from 0 to 2m step 1m sum(f)\n  {} 3 5 8",
        "got [\"3@0\"",
    );
    check(
        "eval range from 0 to 2m step 1m sum(f)\n  {} 3 _ 7",
        "expected",
    );
    check(
        "eval range from 0 to 2m step 1m sum(f)\n  {} 3 5",
        "expected",
    );
    check(
        "eval range from 0 to 2m step 1m sum(f)\n  {} 3 5 7 9",
        "fewer steps",
    );
}

#[test]
fn histograms_are_compared() {
    check(
        "eval instant at 0 h\n  h {{count:2 sum:3 buckets:[1 1]}}",
        "",
    );
    check(
        "eval instant at 0 h\n  h {{count:2 sum:3 buckets:[1 1 0]}}",
        "",
    );
    check(
        "eval instant at 0 h\n  h {{count:2 sum:3 buckets:[1 2]}}",
        "got {{count:2",
    );
    check(
        "eval instant at 0 h\n  h {{count:2 sum:3 offset:1 buckets:[1 1]}}",
        "got {{count:2",
    );
    check(
        "eval instant at 0 h\n  h {{count:2 sum:3 z_bucket_w:1 buckets:[1 1]}}",
        "got {{count:2",
    );
    check(
        "eval instant at 0 h\n  h {{count:2 sum:3 buckets:[1 1] counter_reset_hint:gauge}}",
        "got",
    );
    check("eval instant at 0 h\n  h 2", "expected 2");
}

#[test]
fn failures_and_notes_are_compared() {
    check("eval instant at 0 f + on() f\n  expect fail", "");
    check("eval instant at 0 f + on() f", "it failed");
    check(
        "eval instant at 0 f\n  expect fail\n  f{a=\"1\"} 1\n  f{a=\"2\"} 2",
        "was to fail",
    );
    check(
        "eval instant at 0 f + on() f\n  expect fail msg: no",
        "failed with",
    );
    check(
        "eval instant at 0 quantile(2, f)\n  expect warn\n  {} Inf",
        "",
    );
    check(
        "eval instant at 0 quantile(2, f)\n  expect no_warn\n  {} Inf",
        "unexpected warning",
    );
    check(
        "eval instant at 0 quantile(2, f)\n  expect warn msg: no\n  {} Inf",
        "no warning",
    );
    check("eval instant at 0 sum(f)\n  expect info\n  {} 3", "no info");
}

#[test]
fn what_is_no_script_is_refused() {
    for script in [
        "loud 5m\n",
        "load 5x\n",
        "load 5m\n  a{ 1\n",
        "load 5m\n  a 1+2\n",
        "load 5m\n  a 1x99999999999\n",
        "load 5m\n  a {{schema:77}}\n",
        "load 5m\n  a 1 b\n",
        "eval sometimes f\n",
        "eval instant of 5m f\n",
        "eval range from 5m to 1m step 1m f\n",
        "eval instant at 0 f\n  expect much\n",
        "eval instant at 0 f\n  expect warn regex: (\n",
    ] {
        let error = run(script, &mut Memory::default())
            .expect_err(script)
            .to_string();
        assert!(error.contains("line"), "{script}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_much(script in "((load|eval|clear| instant| range| at| from|\n| 5m| a|\\{|\\}|\"|_|x|[0-9]|\\+| expect)){0,40}") {
        // Any outcome will do but a panic.
        let _ = run(&script, &mut Memory::default()).map(|outcome| outcome.passed);
    }
}
