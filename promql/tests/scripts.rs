//! Scripts in the format of Prometheus' suite: our own, and Prometheus' where it lies beside the repository.

use cairn_promql::script::{Memory, Outcome, run};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files of Prometheus' suite, and how many of their evaluations may fail. A number only goes down.
const SUITE: [(&str, usize); 11] = [
    ("aggregators.test", 0),
    ("at_modifier.test", 0),
    ("functions.test", 0),
    ("histograms.test", 0),
    ("literals.test", 0),
    ("native_histograms.test", 0),
    ("operators.test", 0),
    ("range_queries.test", 0),
    ("staleness.test", 0),
    ("subquery.test", 0),
    ("trig_functions.test", 0),
];

#[expect(
    clippy::disallowed_methods,
    reason = "the folder of the tests is no data"
)]
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of the tests is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "test")
        })
        .collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Runs the script at `path` and prints its line of the table; more failures than `allowed` are returned.
#[expect(
    clippy::print_stdout,
    reason = "the table is what the test is read for"
)]
fn check(path: &Path, allowed: usize) -> Vec<String> {
    let text = fs::read_to_string(path).expect("the script can be read");
    let Outcome { passed, failed } = run(&text, &mut Memory::default()).expect("it is a script");
    println!(
        "{:30} {passed:5} passed {:5} failed",
        name(path),
        failed.len()
    );
    if failed.len() <= allowed {
        return Vec::new();
    }
    let reasons = failed.iter().map(|failure| {
        format!(
            "{}:{}: {}\n    {}",
            name(path),
            failure.line,
            failure.query,
            failure.reason
        )
    });
    reasons.collect()
}

#[test]
fn our_scripts_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let paths = scripts(&folder);
    assert!(
        !paths.is_empty(),
        "there are scripts in {}",
        folder.display()
    );
    let failures: Vec<String> = paths.iter().flat_map(|path| check(path, 0)).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn the_suite_of_prometheus_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/promqltest");
    if !folder.is_dir() {
        println!(
            "PROMETHEUS' SUITE DID NOT RUN: there is no {}",
            folder.display()
        );
        return;
    }
    let paths = scripts(&folder);
    let allowed = |path: &Path| {
        let known = SUITE.iter().find(|(file, _)| *file == name(path));
        known
            .unwrap_or_else(|| panic!("{} is not in the table", name(path)))
            .1
    };
    assert_eq!(paths.len(), SUITE.len(), "files are missing");
    let failures: Vec<String> = paths
        .iter()
        .flat_map(|path| check(path, allowed(path)))
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
