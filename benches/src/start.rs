//! `start`: how long until `/readyz` says yes, of an empty folder and after a kill with a long log.
//!
//! The log is filled with settings that flush nothing (large buffers, large log files) and the process is killed
//! with SIGKILL. The folder is then started twice from the same state, copied before: with the default settings, which have
//! to write segments on the way because the rows do not fit into memory, and with those of before.

use crate::{
    data::{Generator, Plan},
    report,
    send::{self, Framed, Protocol, Way},
    server::{Binary, data_dir},
    usage,
};
use anyhow::{Context, Result, ensure};
use cairn_storage::{
    signal::Signal,
    world::{self, World},
};
use std::{path::Path, process::Command, time::Duration};

/// Settings under which nothing is flushed before the log is full.
const NO_FLUSH: [&str; 4] = [
    "storage.memory_bytes=12884901888",
    "storage.flush_bytes=6442450944",
    "storage.flush_age_seconds=86400",
    "storage.wal_file_bytes=268435456",
];

/// Requests made at a time, of 1,000 records.
const PIECE: usize = 100;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    binary: Binary,
    /// Starts of an empty folder; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long the log is when the process is killed.
    #[arg(long, default_value_t = 1 << 30)]
    log_bytes: u64,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let world = world::real::world();
    let head = ["start", "log MiB", "records", "ready after", "wanted"];
    report::line(&head)?;
    report::rule(head.len())?;
    let mut seconds = Vec::new();
    for _ in 0..arguments.rounds {
        let folder = tempfile::tempdir()?;
        seconds.push(ready(&arguments.binary, &world, folder.path()).await?.0);
    }
    let median = report::median(&seconds);
    report::line(&["empty", "0", "0", &format!("{median:.3} s"), "1 s"])?;
    after_kill(arguments, &world).await
}

async fn after_kill(arguments: &Arguments, world: &World) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut roomy = arguments.binary.clone();
    roomy
        .settings
        .extend(NO_FLUSH.iter().map(|of| of.to_string()));
    let filled = folder.path().join("filled");
    let records = fill(&roomy, world, &filled, arguments.log_bytes).await?;
    let log_bytes = usage::folder_bytes(world, &data_dir(&filled).join("wal"))?;
    for (name, binary) in [
        ("after kill -9, default settings", &arguments.binary),
        ("after kill -9, memory for all of it", &roomy),
    ] {
        let copy = folder.path().join("copy");
        let copied = Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .args([&filled, &copy])
            .status()?;
        ensure!(copied.success(), "copying the folder");
        let (seconds, stored) = ready(binary, world, &copy).await?;
        ensure!(
            stored == records,
            "{stored} records are back, {records} were acknowledged"
        );
        let removed = Command::new("rm").arg("-r").arg(&copy).status()?;
        ensure!(removed.success(), "removing the copy");
        report::line(&[
            name,
            &format!("{:.0}", log_bytes as f64 / f64::from(1 << 20)),
            &report::grouped(records as f64),
            &format!("{seconds:.2} s"),
            "5 s",
        ])?;
    }
    Ok(())
}

/// Seconds from the start of the process until it is ready, and the log records that it then has.
async fn ready(binary: &Binary, world: &World, folder: &Path) -> Result<(f64, u64)> {
    let begin = world.clock.monotonic();
    let mut server = binary.start(world, folder)?;
    server.ready().await?;
    let seconds = (world.clock.monotonic() - begin).as_secs_f64();
    let counted = server.numbers("SELECT count(*) FROM logs").await?;
    server.kill()?;
    Ok((seconds, *counted.first().context("a count")?))
}

/// Fills the log up to `log_bytes` and kills the server; returns the records that were acknowledged.
async fn fill(binary: &Binary, world: &World, folder: &Path, log_bytes: u64) -> Result<u64> {
    let mut server = binary.start(world, folder)?;
    server.ready().await?;
    let mut generator = Generator::new(&Plan {
        signal: Signal::Logs,
        records: 4_000_000,
        batch: 1_000,
        spread: Duration::from_secs(3_600),
        seed: 1,
    });
    let way = Way {
        protocol: Protocol::Grpc,
        address: server.grpc,
        signal: Signal::Logs,
        connections: 8,
        rate: None,
    };
    let log = data_dir(folder).join("wal");
    let mut records = 0;
    while usage::folder_bytes(world, &log)? < log_bytes {
        let made: Vec<_> = (0..PIECE).map(|_| generator.next()).collect();
        records += made.iter().map(|of| of.records).sum::<u64>();
        let requests = made.iter().map(|of| Framed::new(&of.bytes)).collect();
        send::send(&world.clock, way, requests).await?;
    }
    server.kill()?;
    Ok(records)
}
