//! The steps that run the real binary: SDK acceptance, hostile clients, kills, the order of syncs. Each is a Python program below
//! `tests/` that ends with a line `N passed, M failed`.

use super::{
    Counts, python,
    shell::{self, Place},
};
use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Power cuts within the suite: each takes about two seconds.
const POWER_CUTS: &str = "8";

/// Time of a hostile statement within the suite: many are made to take all of it.
const STATEMENT_MILLISECONDS: &str = "2000";

/// What the Python programs below `tests/` import.
const REQUIREMENTS: &str = "tests/sdk/python/requirements.txt";

/// What the S3 server and its test import.
const S3_REQUIREMENTS: &str = "tests/s3/requirements.txt";

/// The same for Azurite.
const AZURE_REQUIREMENTS: &str = "tests/s3/azure.txt";

/// What the tests of Prometheus' interfaces import.
const PROMQL_REQUIREMENTS: &str = "tests/promql/requirements.txt";

/// What ships logs, and what follows them.
const LOGS_REQUIREMENTS: &str = "tests/logs/requirements.txt";

/// Prometheus' own test scripts, beside the repository.
const PROMETHEUS_SUITE: &str = "../shared/promqltest";

/// Those of them that take seconds; `cargo xtask promqltest` runs all.
const QUICK_SCRIPTS: [&str; 6] = [
    "at_modifier.test",
    "literals.test",
    "range_queries.test",
    "staleness.test",
    "subquery.test",
    "trig_functions.test",
];

/// Generated queries within the suite, always the same; `cargo xtask prometheus --queries N --seed S` asks others.
const QUERIES: [&str; 4] = ["--queries", "300", "--seed", "3"];

/// Linters of what is shipped beside the binary.
const PACKAGING_REQUIREMENTS: &str = "tests/packaging/requirements.txt";

/// What tests the server against its document, and the outbox against its messages.
const CONTRACTS_REQUIREMENTS: &str = "tests/contracts/requirements.txt";

/// Kills within the suite; `tests/crash/crash.py --kills N` does more.
const KILLS: &str = "30";

/// Builds the server and the Rust SDK senders, with the features of the whole workspace, as the tests have them.
pub(super) fn build(place: &Place) -> Result<Counts> {
    shell::succeed(place.cargo().args([
        "build",
        "--release",
        "--workspace",
        "--bins",
        "--locked",
    ]))?;
    Ok(Counts::ONE)
}

/// Real SDKs and a real forwarder send; SQL and DuckDB return what was sent.
pub(super) fn sdks(place: &Place) -> Result<Counts> {
    let node = node_folder(place, "tests/sdk/node")?;
    let mut command = program(place, "tests/sdk/acceptance.py")?;
    command
        .arg("--node")
        .arg(node)
        .arg("--rust-sender")
        .arg(binary(place, "sdk_sender"))
        .arg("--readme-sender")
        .arg(binary(place, "readme_sender"));
    counted(place, &mut command)
}

/// Data folders of released formats.
pub(super) fn golden(place: &Place) -> Result<Counts> {
    counted(place, &mut program(place, "tests/golden/golden.py")?)
}

/// A real S3 server under the store: the suite of buckets, then the binary with its segments there, in outages as well.
pub(super) fn s3(place: &Place) -> Result<Counts> {
    counted(place, &mut objects(place, S3_REQUIREMENTS)?)
}

/// The same with Azurite.
pub(super) fn azure(place: &Place) -> Result<Counts> {
    let node = npm_folder(place, "azurite", "tests/s3/node", &[])?;
    let mut command = objects(place, AZURE_REQUIREMENTS)?;
    let program = node.join("node_modules/.bin/azurite-blob");
    counted(place, command.arg("--azurite").arg(program))
}

fn objects(place: &Place, requirements: &str) -> Result<Command> {
    let example = ["--release", "--workspace", "--example", "s3", "--locked"];
    shell::succeed(place.cargo().arg("build").args(example))?;
    let mut command = place.command(python::environment(place, requirements)?);
    command
        .arg("tests/s3/s3.py")
        .arg("--cairn")
        .arg(binary(place, "cairn"))
        .arg("--conformance")
        .arg(binary(place, "examples/s3"));
    Ok(command)
}

/// Our own test scripts of PromQL through a real store, and those of Prometheus that are quick.
pub(super) fn promqltest(place: &Place) -> Result<Counts> {
    let suite = place.root.join(PROMETHEUS_SUITE);
    let mut scripts = vec![place.root.join("promql/tests")];
    match suite.is_dir() {
        true => scripts.extend(QUICK_SCRIPTS.map(|name| suite.join(name))),
        false => println!(
            "NOT RUN: {} is not there: Prometheus' own scripts",
            suite.display()
        ),
    }
    counted(place, &mut promqltest_command(place, &scripts))
}

/// The scripts of one's own choice; those of Prometheus where none is named.
pub(super) fn promqltest_with(place: &Place, paths: &[String]) -> Result<()> {
    let paths: Vec<PathBuf> = match paths {
        [] => vec![
            place.root.join("promql/tests"),
            place.root.join(PROMETHEUS_SUITE),
        ],
        named => named.iter().map(PathBuf::from).collect(),
    };
    shell::succeed(&mut promqltest_command(place, &paths))
}

fn promqltest_command(place: &Place, paths: &[PathBuf]) -> Command {
    let mut command = place.command(binary(place, "cairn"));
    let data = place
        .cache
        .join("promqltest")
        .join(std::process::id().to_string());
    command
        .arg("promqltest")
        .arg("--data-dir")
        .arg(data)
        .args(paths);
    command
}

/// Generated PromQL is answered as Debian's Prometheus answers it over the same series; then real senders and readers of
/// Prometheus' interfaces, and SDKs whose numbers PromQL reads back. Both run, whatever the first finds.
pub(super) fn prometheus(place: &Place) -> Result<Counts> {
    let answers = counted(
        place,
        with_debian(place, "tests/promql/differ.py")?.args(QUERIES),
    );
    let clients = counted(
        place,
        with_debian(place, "tests/promql/clients.py")?.arg("--short"),
    );
    let all = [answers?, clients?];
    Ok(Counts {
        passed: all.iter().map(|counts| counts.passed).sum(),
        failed: all.iter().map(|counts| counts.failed).sum(),
    })
}

/// The same in the long form, with arguments of one's own for the generated queries.
pub(super) fn beside_prometheus(place: &Place, arguments: &[String]) -> Result<()> {
    let answers = shell::succeed(with_debian(place, "tests/promql/differ.py")?.args(arguments));
    let clients = shell::succeed(&mut with_debian(place, "tests/promql/clients.py")?);
    let scraper = shell::succeed(&mut with_debian(place, "tests/promql/scrape.py")?);
    answers.and(clients).and(scraper)
}

/// A Python program that runs the server beside Debian's programs, which it keeps in the cache.
fn with_debian(place: &Place, path: &str) -> Result<Command> {
    let mut command = with_packages(place, PROMQL_REQUIREMENTS, path)?;
    command.arg("--parts").arg(place.cache.join("debian"));
    Ok(command)
}

/// A Python program of ours with packages of its own and the server to run.
fn with_packages(place: &Place, requirements: &str, path: &str) -> Result<Command> {
    let mut command = place.command(python::environment(place, requirements)?);
    command.arg(path).arg("--cairn").arg(binary(place, "cairn"));
    Ok(command)
}

/// rsyslog, the official Elasticsearch client, Loki clients and curl send; every record is counted back.
pub(super) fn shippers(place: &Place) -> Result<Counts> {
    install("curl", "curl", place)?;
    let node = node_folder(place, "tests/logs/node")?;
    let mut command = with_packages(place, LOGS_REQUIREMENTS, "tests/logs/shippers.py")?;
    command.arg("--parts").arg(place.cache.join("debian"));
    counted(place, command.arg("--node").arg(node))
}

/// What Grafana's data sources ask is answered in the shape that they read.
pub(super) fn grafana(place: &Place) -> Result<Counts> {
    let mut command = with_packages(place, LOGS_REQUIREMENTS, "tests/grafana/grafana.py")?;
    counted(place, &mut command)
}

/// The language of the search, exports and saved searches of a running server.
pub(super) fn logs(place: &Place) -> Result<Counts> {
    let mut command = with_packages(place, LOGS_REQUIREMENTS, "tests/logs/search.py")?;
    counted(place, &mut command)
}

/// Every record of every client is a row, a retry or a dead letter.
pub(super) fn ledger(place: &Place) -> Result<Counts> {
    counted(place, &mut ledger_command(place)?)
}

/// The same with arguments of one's own.
pub(super) fn ledger_with(place: &Place, arguments: &[String]) -> Result<()> {
    shell::succeed(ledger_command(place)?.args(arguments))
}

fn ledger_command(place: &Place) -> Result<Command> {
    let node = node_folder(place, "tests/sdk/node")?;
    let mut command = program(place, "tests/ledger/ledger.py")?;
    command
        .arg("--node")
        .arg(node)
        .arg("--rust-sender")
        .arg(binary(place, "sdk_sender"));
    Ok(command)
}

/// Kills at random instants; what was acknowledged is there, once.
pub(super) fn crash(place: &Place) -> Result<Counts> {
    counted(
        place,
        program(place, "tests/crash/crash.py")?.args(["--kills", KILLS]),
    )
}

/// Power cuts; without loop devices nothing is checked, and it says so.
pub(super) fn power(place: &Place) -> Result<Counts> {
    install("mkfs.ext4", "e2fsprogs", place)?;
    counted(
        place,
        program(place, "tests/crash/crash.py")?.args(["--power", "--kills", POWER_CUTS]),
    )
}

/// The same with arguments of one's own.
pub(super) fn crash_with(place: &Place, arguments: &[String]) -> Result<()> {
    shell::succeed(program(place, "tests/crash/crash.py")?.args(arguments))
}

/// A disk that fails: injected errors, short writes, full and read-only disks; some of the cases.
pub(super) fn faults(place: &Place) -> Result<Counts> {
    counted(place, &mut fault_program(place)?)
}

/// The same with arguments of one's own.
pub(super) fn faults_with(place: &Place, arguments: &[String]) -> Result<()> {
    shell::succeed(fault_program(place)?.args(arguments))
}

fn fault_program(place: &Place) -> Result<Command> {
    install("strace", "strace", place)?;
    install("mkfs.ext4", "e2fsprogs", place)?;
    program(place, "tests/faults/faults.py")
}

/// Every OK comes after the syncs that it promises.
pub(super) fn sync_order(place: &Place) -> Result<Counts> {
    install("strace", "strace", place)?;
    counted(place, &mut program(place, "tests/crash/sync_order.py")?)
}

/// Dockerfile, compose file and the collector's settings, without a container engine.
pub(super) fn packaging(place: &Place) -> Result<Counts> {
    install("systemd-analyze", "systemd", place)?;
    let python = python::environment(place, PACKAGING_REQUIREMENTS)?;
    counted(
        place,
        place.command(python).arg("tests/packaging/packaging.py"),
    )
}

/// A list of what the binary is made of, against the schema of its format.
pub(super) fn sbom(place: &Place, file: &Path) -> Result<Counts> {
    let python = python::environment(place, PACKAGING_REQUIREMENTS)?;
    let mut command = place.command(python);
    counted(place, command.arg("tests/packaging/sbom.py").arg(file))
}

/// Requests made from the OpenAPI document, and events read with protobuf's own parser.
pub(super) fn contracts(place: &Place) -> Result<Counts> {
    let path = "tests/contracts/contracts.py";
    counted(
        place,
        &mut with_packages(place, CONTRACTS_REQUIREMENTS, path)?,
    )
}

/// What OTLP asks of a server, over bare sockets and with `cairn otlp-check`.
pub(super) fn otlp(place: &Place) -> Result<Counts> {
    counted(place, &mut program(place, "tests/otlp/otlp.py")?)
}

/// Statements of tenants that want out, and random ones; `tests/hostile/sql.py --fuzz N` does more.
pub(super) fn sql(place: &Place) -> Result<Counts> {
    counted(
        place,
        program(place, "tests/hostile/sql.py")?.args(["--deadline", STATEMENT_MILLISECONDS]),
    )
}

/// Requests and sockets made to hurt.
pub(super) fn limits(place: &Place) -> Result<Counts> {
    counted(place, &mut program(place, "tests/hostile/limits.py")?)
}

/// A Python program of ours with the server to run.
pub(super) fn program(place: &Place, path: &str) -> Result<Command> {
    with_packages(place, REQUIREMENTS, path)
}

pub(super) fn binary(place: &Place, name: &str) -> PathBuf {
    place.target.join("release").join(name)
}

/// The Node sender of the folder `of` with its packages.
fn node_folder(place: &Place, of: &str) -> Result<PathBuf> {
    npm_folder(place, &of.replace('/', "-"), of, &["send.mjs"])
}

/// What `from` (a path from the root) locks, installed by npm, and `files` of it beside: in a copy in the cache, so that the
/// tree stays clean.
fn npm_folder(place: &Place, name: &str, from: &str, files: &[&str]) -> Result<PathBuf> {
    install("npm", "npm", place)?;
    let folder = place.cache.join("node").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for file in ["package.json", "package-lock.json"].iter().chain(files) {
        let from = place.root.join(from).join(file);
        std::fs::copy(&from, folder.join(file))
            .with_context(|| format!("copying {}", from.display()))?;
    }
    let mut command = place.command("npm");
    command
        .args(["ci", "--silent", "--no-audit", "--no-fund"])
        .current_dir(&folder);
    shell::succeed(&mut command)?;
    Ok(folder)
}

/// Installs the Debian package `package`, where its program `name` is not there.
pub(super) fn install(name: &str, package: &str, place: &Place) -> Result<()> {
    let is_there = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder: PathBuf| Path::is_file(&folder.join(name)))
    });
    if is_there {
        return Ok(());
    }
    shell::succeed(
        place
            .command("apt-get")
            .args(["update", "-qq"])
            .stdin(Stdio::null()),
    )?;
    shell::succeed(
        place
            .command("apt-get")
            .args(["install", "-y", "-qq", package])
            .stdin(Stdio::null()),
    )
}

/// Runs a program and takes its counts from its last line.
pub(super) fn counted(place: &Place, command: &mut Command) -> Result<Counts> {
    let mut counts = None;
    let succeeded = shell::watch(place, command, |line| counts = closing(line).or(counts))?;
    match counts {
        Some(counts) if succeeded || counts.failed > 0 => Ok(counts),
        Some(_) => bail!("it failed although no check did: see above"),
        None => bail!("it ended without its counts: see above"),
    }
}

/// The counts of a line `N passed, M failed`.
fn closing(line: &str) -> Option<Counts> {
    let (passed, failed) = line.trim().split_once(" passed, ")?;
    Some(Counts {
        passed: passed.parse().ok()?,
        failed: failed.strip_suffix(" failed")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_harnesses() {
        assert_eq!(
            closing("12 passed, 3 failed"),
            Some(Counts {
                passed: 12,
                failed: 3
            })
        );
        assert_eq!(closing("12 passed, 3 failed or so"), None);
        assert_eq!(closing("passed, failed"), None);
    }
}
