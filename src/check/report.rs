//! What the checks found, for people and for machines.

use super::{Level, Outcome, Way};
use serde_json::json;
use std::fmt::Write;

impl Level {
    fn letter(self) -> &'static str {
        match self {
            Level::Must => "M",
            Level::Should => "S",
            Level::Sense => "X",
        }
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Protobuf => "http/protobuf",
            Way::Json => "http/json",
            Way::Grpc => "grpc",
            Way::Socket => "socket",
        }
    }
}

/// How many failed among those that must not: the ones OTLP, gRPC or JSON's mapping demand.
pub(crate) fn broken(outcomes: &[Outcome]) -> usize {
    let broken = outcomes
        .iter()
        .filter(|o| o.verdict.is_err() && o.check.level == Level::Must);
    broken.count()
}

/// A line for each check, then the counts.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for Outcome { check, verdict } in outcomes {
        let (number, level, way) = (check.number, check.level.letter(), check.way.name());
        let word = if verdict.is_ok() { "ok" } else { "FAIL" };
        let _ = writeln!(
            text,
            "{word:<4} {number:>2} {level} {way:<13} {}",
            check.title
        );
        if let Err(detail) = verdict {
            let _ = writeln!(text, "          {detail}");
        }
    }
    let failed = outcomes.iter().filter(|o| o.verdict.is_err()).count();
    let passed = outcomes.len() - failed;
    let broken = broken(outcomes);
    let _ = writeln!(
        text,
        "{passed} passed, {failed} failed, {broken} of them a MUST"
    );
    text
}

/// An array of objects, one for each check.
pub(crate) fn lines(outcomes: &[Outcome]) -> String {
    let rows = outcomes.iter().map(|Outcome { check, verdict }| {
        json!({
            "number": check.number,
            "level": check.level.letter(),
            "client": check.way.name(),
            "check": check.title,
            "passed": verdict.is_ok(),
            "detail": verdict.as_ref().err(),
        })
    });
    let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}
