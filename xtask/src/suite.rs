//! `cargo xtask test`: everything that must hold, step by step, with counts.
//!
//! A step is one line in `STEPS` and one function. It prints what it does as it goes, and returns how many checks
//! passed and failed; an error is one failed check. All steps run even when one fails, so that one run tells all.

mod cargo;
mod conformance;
mod harness;
mod python;
mod sbom;
mod shell;

use anyhow::{Result, bail};
use shell::Place;
use std::{path::Path, time::Instant};

/// How many checks of a step held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// One part of the suite.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Place) -> Result<Counts>,
}

/// The whole suite in the order of cost: what fails soonest comes first.
///
/// To add a step: a file below `suite/` with a function from `&Place` to `Result<Counts>`, and a line here.
const STEPS: &[Step] = &[
    Step {
        name: "tidy",
        about: "the rules of the tree",
        run: cargo::tidy,
    },
    Step {
        name: "features",
        about: "tests and binaries build the same dependencies",
        run: cargo::features,
    },
    Step {
        name: "format",
        about: "cargo fmt --check",
        run: cargo::format,
    },
    Step {
        name: "clippy",
        about: "cargo clippy, warnings are errors",
        run: cargo::clippy,
    },
    Step {
        name: "deny",
        about: "licences, bans, sources and advisories",
        run: cargo::deny,
    },
    Step {
        name: "sbom",
        about: "what the binary is made of, complete and reproducible",
        run: sbom::check,
    },
    Step {
        name: "packaging",
        about: "Dockerfile, compose file and the collector's settings, never started here",
        run: harness::packaging,
    },
    Step {
        name: "rust",
        about: "cargo test of the whole workspace",
        run: cargo::tests,
    },
    Step {
        name: "build",
        about: "the binaries that the next steps run",
        run: harness::build,
    },
    Step {
        name: "otlp",
        about: "the OTLP checklist over the wire, and a restart under load",
        run: harness::otlp,
    },
    Step {
        name: "contracts",
        about: "the server keeps to its OpenAPI document, the outbox to its protobuf messages",
        run: harness::contracts,
    },
    Step {
        name: "sdks",
        about: "Python, Node, Rust SDKs and rotel; DuckDB reads the files",
        run: harness::sdks,
    },
    Step {
        name: "golden",
        about: "data folders of released formats open; newer formats are refused by name",
        run: harness::golden,
    },
    Step {
        name: "shippers",
        about: "rsyslog, Elasticsearch's client, Loki clients and curl, every record counted back",
        run: harness::shippers,
    },
    Step {
        name: "grafana",
        about: "requests of Grafana's data sources for Loki and Prometheus, answered in their shape",
        run: harness::grafana,
    },
    Step {
        name: "logs",
        about: "the language of the log search against an oracle, exports, saved searches",
        run: harness::logs,
    },
    Step {
        name: "s3",
        about: "segments on a real S3 server: the suite of buckets, and the binary over it, in outages as well",
        run: harness::s3,
    },
    Step {
        name: "azure",
        about: "the same with Azurite",
        run: harness::azure,
    },
    Step {
        name: "promqltest",
        about: "test scripts of PromQL through a real store, from the buffer and from segments",
        run: harness::promqltest,
    },
    Step {
        name: "prometheus",
        about: "generated PromQL beside Debian's Prometheus; its remote write, vmagent, promtool and SDKs",
        run: harness::prometheus,
    },
    Step {
        name: "sql",
        about: "escapes, bombs and random statements of two tenants",
        run: harness::sql,
    },
    Step {
        name: "limits",
        about: "requests and sockets made to hurt, with a client beside",
        run: harness::limits,
    },
    Step {
        name: "ledger",
        about: "random records of all clients with faults, each accounted for; dead letters replayed",
        run: harness::ledger,
    },
    Step {
        name: "crash",
        about: "30 kills under writers, compared by SQL",
        run: harness::crash,
    },
    Step {
        name: "power",
        about: "8 power cuts of a loop-mounted ext4",
        run: harness::power,
    },
    Step {
        name: "syncs",
        about: "the order of syncs under strace",
        run: harness::sync_order,
    },
    Step {
        name: "faults",
        about: "failing calls under strace, short writes, full and read-only disks, no descriptors",
        run: harness::faults,
    },
    Step {
        name: "conformance",
        about: "docs/conformance.md tells what the steps before found",
        run: conformance::check,
    },
];

/// Runs the steps that `arguments` name, or all, and fails if any check failed.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--list") {
        for step in STEPS {
            println!("{:<12} {}", step.name, step.about);
        }
        return Ok(());
    }
    let unknown = arguments
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != name.as_str()));
    if let Some(name) = unknown {
        bail!("no step {name}; `cargo xtask test --list` names them");
    }
    let place = Place::new(root)?;
    let chosen = STEPS
        .iter()
        .filter(|step| arguments.is_empty() || arguments.iter().any(|name| name == step.name));
    let results: Vec<(&Step, Counts)> = chosen.map(|step| (step, run_step(step, &place))).collect();
    println!("\n== summary");
    for (step, counts) in &results {
        let note = match *counts {
            Counts {
                passed: 0,
                failed: 0,
            } => " (NOTHING WAS CHECKED: see above)",
            _ => "",
        };
        println!(
            "{:<12} {} passed, {} failed{note}",
            step.name, counts.passed, counts.failed
        );
    }
    let passed: u64 = results.iter().map(|(_, counts)| counts.passed).sum();
    let failed: u64 = results.iter().map(|(_, counts)| counts.failed).sum();
    println!("{passed} passed, {failed} failed");
    match failed {
        0 => Ok(()),
        _ => bail!("{failed} checks failed"),
    }
}

/// Builds what a harness needs and runs it with arguments of its own.
fn alone(
    root: &Path,
    arguments: &[String],
    run: fn(&Place, &[String]) -> Result<()>,
) -> Result<()> {
    let place = Place::new(root)?;
    harness::build(&place)?;
    run(&place, arguments)
}

/// Runs the crash harness alone, with arguments of its own.
pub(crate) fn crash(root: &Path, arguments: &[String]) -> Result<()> {
    alone(root, arguments, harness::crash_with)
}

/// Runs the ledger harness alone, with arguments of its own.
pub(crate) fn ledger(root: &Path, arguments: &[String]) -> Result<()> {
    alone(root, arguments, harness::ledger_with)
}

/// Runs the server beside the real Prometheus, with arguments for the generated queries.
pub(crate) fn beside_prometheus(root: &Path, arguments: &[String]) -> Result<()> {
    alone(root, arguments, harness::beside_prometheus)
}

/// Runs test scripts of PromQL alone: the files and folders named, or all that there are.
pub(crate) fn promqltest(root: &Path, arguments: &[String]) -> Result<()> {
    alone(root, arguments, harness::promqltest_with)
}

/// Runs the harness of failing disks alone, with arguments of its own.
pub(crate) fn faults(root: &Path, arguments: &[String]) -> Result<()> {
    alone(root, arguments, harness::faults_with)
}

/// Settings of the corruption harness: each is a number, passed on in the environment.
const CORRUPT: [(&str, &str); 3] = [
    ("--cases", "CAIRN_CORRUPT_CASES"),
    ("--seed", "CAIRN_CORRUPT_SEED"),
    ("--only", "CAIRN_CORRUPT_ONLY"),
];

/// Runs the corruption harness, which is a test of `query`, with a number of cases of one's own.
pub(crate) fn corrupt(root: &Path, arguments: &[String]) -> Result<()> {
    let place = Place::new(root)?;
    let mut command = place.cargo();
    // The features of the whole workspace, as all else has them.
    command.args([
        "test",
        "--release",
        "--workspace",
        "--locked",
        "--test",
        "it",
    ]);
    command.args(["corrupt::", "--", "--nocapture"]);
    for pair in arguments.chunks(2) {
        let named = CORRUPT.iter().find(|(name, _)| *name == pair[0]);
        match (named, pair.get(1)) {
            (Some((_, variable)), Some(value)) => drop(command.env(variable, value)),
            _ => bail!("corrupt takes --cases N, --seed S, --only CASE"),
        }
    }
    shell::succeed(&mut command)
}

/// Runs seeds of the storage simulation.
pub(crate) fn simulate(root: &Path, arguments: &[String]) -> Result<()> {
    let place = Place::new(root)?;
    let example = [
        "--release",
        "--package",
        "cairn-storage",
        "--example",
        "simulate",
    ];
    let mut command = place.cargo();
    shell::succeed(command.arg("run").args(example).arg("--").args(arguments))
}

/// Writes the SBOM, to a path of one's own if there is one.
pub(crate) fn sbom(root: &Path, arguments: &[String]) -> Result<()> {
    let path = match arguments {
        [] => None,
        [path] if !path.starts_with('-') => Some(path.as_str()),
        _ => bail!("sbom takes the path of the file to write, and nothing else"),
    };
    sbom::make(&Place::new(root)?, path)
}

/// Writes `docs/conformance.md` from what the steps found when each last ran.
pub(crate) fn write_page(root: &Path) -> Result<()> {
    conformance::write(&Place::new(root)?)
}

fn run_step(step: &Step, place: &Place) -> Counts {
    println!("\n== {}: {}", step.name, step.about);
    let start = Instant::now();
    let found = place
        .of_step(step.name)
        .and_then(|place| (step.run)(&place));
    let counts = found.unwrap_or_else(|error| {
        println!("failed: {error:#}");
        Counts {
            passed: 0,
            failed: 1,
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "-- {}: {} passed, {} failed, {seconds:.1} s",
        step.name, counts.passed, counts.failed
    );
    counts
}

impl Counts {
    /// One check that held.
    const ONE: Counts = Counts {
        passed: 1,
        failed: 0,
    };
}
