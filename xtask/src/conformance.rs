//! `docs/conformance.md`: one table of every check that has a number, made from what the steps of the suite found.
//!
//! A step prints `conformance: NUMBER | CHECK | CLIENT | OUTCOME`, or `… | failed | REASON`; a Rust test says its
//! numbers in its name (`check_04_05_what_it_checks`). Both are kept in one file a step below the target folder, and
//! merged here. The page has no dates and no timings, so that it changes only when a check does.

mod requirements;
mod row;

use anyhow::{Context, Result};
use requirements::{REQUIREMENTS, Requirement};
use row::Outcome;
pub(crate) use row::Row;
use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

/// The committed page, from the repository's root.
pub(crate) const PAGE: &str = "docs/conformance.md";

const HEAD: &str = "\
# Conformance

What is asked of Cairn, and what the tests found: 1 to 55 concern OTLP (M: OTLP, gRPC or the JSON mapping of protobuf
demand it; S: OTLP recommends it; X: plain sense does), 3.2 to 3.7 the ledger, limits, SQL, corruption, faults and
contracts, 4.1 to 4.4 Prometheus' interfaces, 5.1 to 5.3 logs. Each line below a number is one check with the client or
the means that asked.

This page is made by `cargo xtask conformance` from the last run of `cargo xtask test`, which fails when a check that
passed here fails or is missing.

| number | | check | with | result |
|---|---|---|---|---|
";

/// The rows that a step's file holds, or none where the step never ran.
pub(crate) fn read(file: &Path) -> Result<BTreeSet<Row>> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(BTreeSet::new());
    };
    let rows = text.lines().filter_map(Row::of_line);
    rows.collect::<Result<_>>()
        .with_context(|| format!("reading {}", file.display()))
}

/// The page of `rows`, with every number.
pub(crate) fn page(rows: &BTreeSet<Row>) -> String {
    let mut text = HEAD.to_string();
    for (place, requirement) in REQUIREMENTS.iter().enumerate() {
        let own: Vec<&Row> = rows.iter().filter(|row| row.place == place).collect();
        let Requirement {
            number,
            level,
            title,
            ..
        } = requirement;
        let result = summary(requirement, &own);
        let _ = writeln!(
            text,
            "| **{number}** | {level} | **{title}** | | {result} |"
        );
        for row in own {
            let _ = writeln!(text, "{}", row.in_page());
        }
    }
    text
}

fn summary(requirement: &Requirement, rows: &[&Row]) -> String {
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    match (count(Outcome::Passed), count(Outcome::Failed)) {
        (0, 0) => format!("**not checked**: {}", requirement.unchecked),
        (passed, 0) => format!("{passed} passed"),
        (passed, failed) => format!("{passed} passed, **{failed} failed**"),
    }
}

/// What became of a page.
pub(crate) struct Comparison {
    /// Checks that passed in the old page and do in the new one.
    pub(crate) kept: u64,
    /// Checks that passed in the old page, and now fail or are missing.
    pub(crate) lost: Vec<String>,
    /// Lines that only one of the two has, with `-` or `+`.
    pub(crate) differing: Vec<String>,
}

/// Compares the committed page with a new one. A check that this machine cannot make, and says so, is not lost.
pub(crate) fn compare(old: &str, new: &str) -> Comparison {
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_string).collect() };
    let (old, new) = (lines(old), lines(new));
    let removed: Vec<&String> = old.difference(&new).collect();
    let is_skipped = |line: &str| {
        let skipped =
            line.strip_suffix("| passed |").unwrap_or(line).to_string() + "| not checked |";
        new.contains(&skipped)
    };
    let lost = removed
        .iter()
        .filter(|line| is_passed(line) && !is_skipped(line));
    let minus = removed.iter().map(|line| format!("- {line}"));
    let plus = new.difference(&old).map(|line| format!("+ {line}"));
    Comparison {
        kept: old
            .intersection(&new)
            .filter(|line| is_passed(line))
            .count() as u64,
        lost: lost.map(|line| line.to_string()).collect(),
        differing: minus.chain(plus).collect(),
    }
}

/// Whether a line of the page is a check that passed, not a number's summary.
fn is_passed(line: &str) -> bool {
    line.ends_with("| passed |")
}

#[cfg(test)]
mod tests;
