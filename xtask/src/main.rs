//! The tasks of the repository: `cargo xtask tidy`, `cargo xtask test`, and what the suite is made of.
//!
//! Few and light dependencies, so that it starts in seconds on a fresh clone. What needs the server's own crates
//! (load, crash clients, the simulator) is a program of `benches/` or a test of its crate that a step calls.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a command-line tool for developers: files, environment and clock are its business"
)]

mod conformance;
mod suite;
mod tidy;

use anyhow::{Context, Result, bail};
use std::{path::Path, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask <task>

  tidy                     check the rules of the tree (also part of the tests)
  test [STEP…]             everything, or the steps named; `test --list` names them
  conformance              write docs/conformance.md from what the steps found when each last ran
  sbom [FILE]              write what the binary is made of, as CycloneDX (target/sbom/cairn.cdx.json)
  crash [--kills N] [--seed S] [--power]
                           kill -9 (or power cuts on a loop-mounted ext4) under writers, compared by SQL
  ledger [--records N] [--seed S]
                           random records of all clients with faults: every record is accounted for
  prometheus [ARGUMENT…]   beside Debian's Prometheus: generated queries, real senders; arguments are those of differ.py
  promqltest [PATH…]       test scripts in Prometheus' format through a real store; all that there are without a path
  faults [--all] [calls] [lasting] [start] [short] [disks]
                           failing calls under strace, short writes, full and read-only disks; all N with --all
  corrupt [--cases N] [--seed S] [--only CASE]
                           damage to files of a data folder: no wrong answer, all named
  simulate [--seeds N] [--from SEED]
                           storage in the seeded world with crashes and faults
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    // Asked now and not when this was compiled: a target folder may be shared by clones.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("start this by `cargo xtask`, which says where the repository is")?;
    let root = Path::new(&folder).join("..").canonicalize()?;
    match arguments.first().map(String::as_str) {
        Some("tidy") => tidy(&root),
        Some("test") => suite::run(&root, &arguments[1..]),
        Some("conformance") => suite::write_page(&root),
        Some("sbom") => suite::sbom(&root, &arguments[1..]),
        Some("crash") => suite::crash(&root, &arguments[1..]),
        Some("ledger") => suite::ledger(&root, &arguments[1..]),
        Some("prometheus") => suite::beside_prometheus(&root, &arguments[1..]),
        Some("promqltest") => suite::promqltest(&root, &arguments[1..]),
        Some("faults") => suite::faults(&root, &arguments[1..]),
        Some("corrupt") => suite::corrupt(&root, &arguments[1..]),
        Some("simulate") => suite::simulate(&root, &arguments[1..]),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("no task {other}\n{USAGE}"),
        None => bail!("{USAGE}"),
    }
}

fn tidy(root: &Path) -> Result<()> {
    let findings = tidy::findings(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} places break a rule"),
    }
}
