//! One check that was made, as a step says it and as the page shows it.

use super::requirements::REQUIREMENTS;
use anyhow::{Context, Result, bail};
use std::fmt;

/// What came out of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// The machine cannot make it, and the step said so.
    NotChecked,
}

/// One check, ordered as in the page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// Where its number stands in `REQUIREMENTS`.
    pub(super) place: usize,
    check: String,
    client: String,
    pub(super) outcome: Outcome,
    /// Why it failed, where the step knows.
    reason: String,
}

impl Row {
    fn new(number: &str, check: &str, client: &str, outcome: Outcome) -> Result<Row> {
        let place = REQUIREMENTS.iter().position(|known| known.number == number);
        Ok(Row {
            place: place.with_context(|| format!("no row of the page has the number {number}"))?,
            check: check.to_string(),
            client: client.to_string(),
            outcome,
            reason: String::new(),
        })
    }

    /// The row of a line `conformance: …`; nothing for other lines.
    pub(crate) fn of_line(line: &str) -> Option<Result<Row>> {
        let rest = line.strip_prefix("conformance: ")?;
        Some(Row::parse(rest).with_context(|| format!("reading the line {line:?}")))
    }

    fn parse(text: &str) -> Result<Row> {
        let parts: Vec<&str> = text.splitn(5, '|').map(str::trim).collect();
        let [number, check, client, outcome, reason @ ..] = &parts[..] else {
            bail!("it must be: number | check | client | passed, failed or not checked");
        };
        let outcome = match *outcome {
            "passed" => Outcome::Passed,
            "failed" => Outcome::Failed,
            "not checked" => Outcome::NotChecked,
            other => bail!("{other:?} is no outcome"),
        };
        let reason = reason.first().map(|reason| reason.replace('|', "/"));
        Ok(Row {
            reason: reason.unwrap_or_default(),
            ..Row::new(number, check, client, outcome)?
        })
    }

    /// The rows of a line `test module::check_04_05_what_it_is ... ok` of a test program; none for other lines.
    pub(crate) fn of_test(line: &str) -> Result<Vec<Row>> {
        let Some((path, outcome)) = test(line) else {
            return Ok(Vec::new());
        };
        let (module, name) = path.rsplit_once("::").unwrap_or(("tests", path));
        let mut words = name.split('_').peekable();
        if words.next() != Some("check") {
            return Ok(Vec::new());
        }
        let mut numbers = Vec::new();
        while let Some(number) = words.next_if(|word| word.parse::<u8>().is_ok()) {
            numbers.push(number.trim_start_matches('0'));
        }
        let check = words.collect::<Vec<_>>().join(" ");
        let client = format!("cargo test, {module}");
        let rows = numbers
            .iter()
            .map(|number| Row::new(number, &check, &client, outcome));
        rows.collect()
    }

    pub(super) fn in_page(&self) -> String {
        let outcome = match (self.outcome, self.reason.as_str()) {
            (Outcome::Passed, _) => "passed".to_string(),
            (Outcome::NotChecked, _) => "not checked".to_string(),
            (Outcome::Failed, "") => "**failed**: the cause is not known yet".to_string(),
            (Outcome::Failed, reason) => format!("**failed**: {reason}"),
        };
        let number = REQUIREMENTS[self.place].number;
        format!(
            "| {number} | | {} | {} | {outcome} |",
            self.check, self.client
        )
    }
}

/// The name and the outcome of a line of a test program.
fn test(line: &str) -> Option<(&str, Outcome)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match outcome.trim() {
        "ok" => Some((name, Outcome::Passed)),
        "FAILED" => Some((name, Outcome::Failed)),
        _ => None,
    }
}

impl fmt::Display for Row {
    /// The line that [`Row::of_line`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotChecked => "not checked",
        };
        let number = REQUIREMENTS[self.place].number;
        write!(
            f,
            "conformance: {number} | {} | {} | {outcome}",
            self.check, self.client
        )?;
        if self.reason.is_empty() {
            return Ok(());
        }
        write!(f, " | {}", self.reason)
    }
}
