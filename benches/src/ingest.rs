//! `ingest`: the real binary under load, from an empty folder to everything in Parquet.
//!
//! Requests are made before the clock starts. Processor time is the server's alone, user and system, from the first
//! request to its end after a clean shutdown, so all flushing is in it. Then the server is started once more and
//! SQL counts what is stored: every record, and every request as one.

use crate::{
    data::{Generator, Plan},
    report::{self, grouped, percentile},
    send::{self, Framed, Protocol, Sent, Way},
    server::{Binary, Ended, data_dir},
    usage,
};
use anyhow::{Result, ensure};
use cairn_storage::{
    signal::Signal,
    world::{self, World},
};
use std::{path::PathBuf, time::Duration};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    binary: Binary,
    /// Records of one request: with it only this one run instead of the four of the benchmark.
    #[arg(long)]
    batch: Option<usize>,
    /// Requests a second; as fast as it goes if not given. Needs `--batch`.
    #[arg(long, requires = "batch")]
    rate: Option<f64>,
    /// Records in all.
    #[arg(long, default_value_t = 2_000_000, requires = "batch")]
    records: u64,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    #[arg(long, default_value = "grpc")]
    protocol: Protocol,
    /// logs, spans or metrics.
    #[arg(long, default_value = "logs")]
    signal: Signal,
    /// Seconds of event time from the first record to the last.
    #[arg(long, default_value_t = 600)]
    spread_seconds: u64,
    /// Where to put the data; a temporary folder if not given.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// One run.
#[derive(Debug, Clone, Copy)]
struct Run {
    batch: usize,
    records: u64,
    /// Requests a second.
    rate: Option<f64>,
}

/// The four runs that issue 2 asks about: full speed and half of what is wanted, in large requests and in small.
const RUNS: [Run; 4] = [
    Run {
        batch: 1_000,
        records: 3_000_000,
        rate: None,
    },
    Run {
        batch: 1_000,
        records: 1_500_000,
        rate: Some(75.0),
    },
    Run {
        batch: 25,
        records: 1_500_000,
        rate: None,
    },
    Run {
        batch: 25,
        records: 500_000,
        rate: Some(1_000.0),
    },
];

/// What one run came to.
struct Figures {
    records: u64,
    requests: u64,
    payload_bytes: u64,
    sent: Sent,
    ended: Ended,
    /// Of the server before the first request.
    idle_seconds: f64,
    bucket_bytes: u64,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let head = [
        "requests of",
        "rate",
        "bytes/record",
        "records/s",
        "requests/s",
        "CPU s per million",
        "p50 ms",
        "p99 ms",
        "max ms",
        "RSS MiB",
        "disk bytes/record",
        "told to come back",
    ];
    report::line(&head)?;
    report::rule(head.len())?;
    let one = arguments.batch.map(|batch| Run {
        batch,
        records: arguments.records,
        rate: arguments.rate,
    });
    let runs = one.map_or(RUNS.to_vec(), |run| vec![run]);
    for run in &runs {
        print(run, &measure(arguments, *run).await?)?;
    }
    Ok(())
}

async fn measure(arguments: &Arguments, run: Run) -> Result<Figures> {
    let world = world::real::world();
    let temporary = tempfile::Builder::new().prefix("cairn-ingest-").tempdir()?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    let (requests, records) = make(arguments, run);
    let payload_bytes = requests.iter().map(|of| of.message_bytes() as u64).sum();
    let count = requests.len() as u64;
    let mut server = arguments.binary.start(&world, folder)?;
    server.ready().await?;
    let idle_seconds = usage::processor_seconds(server.process())?;
    let way = Way {
        protocol: arguments.protocol,
        address: match arguments.protocol {
            Protocol::Grpc => server.grpc,
            Protocol::Http => server.http,
        },
        signal: arguments.signal,
        connections: arguments.connections,
        rate: run.rate,
    };
    let sent = send::send(&world.clock, way, requests).await?;
    let ended = server.stop().await?;
    let figures = Figures {
        records,
        requests: count,
        payload_bytes,
        sent,
        ended,
        idle_seconds,
        bucket_bytes: usage::folder_bytes(&world, &data_dir(folder).join("bucket"))?,
    };
    prove(arguments, &world, folder, &figures).await?;
    Ok(figures)
}

fn make(arguments: &Arguments, run: Run) -> (Vec<Framed>, u64) {
    let mut generator = Generator::new(&Plan {
        signal: arguments.signal,
        records: run.records,
        batch: run.batch,
        spread: Duration::from_secs(arguments.spread_seconds),
        seed: 1,
    });
    let (mut requests, mut records) = (Vec::new(), 0);
    while records < run.records {
        let made = generator.next();
        records += made.records;
        requests.push(Framed::new(&made.bytes));
    }
    (requests, records)
}

/// Nothing is missing, nothing is twice, and nothing is left to flush: SQL over what a new process finds.
async fn prove(
    arguments: &Arguments,
    world: &World,
    folder: &std::path::Path,
    figures: &Figures,
) -> Result<()> {
    let log_bytes = usage::folder_bytes(world, &data_dir(folder).join("wal"))?;
    let mut server = arguments.binary.start(world, folder)?;
    server.ready().await?;
    let table = arguments.signal.as_str();
    let counted = match arguments.signal {
        // A point's request is not among the columns of `metrics`.
        Signal::Metrics => server.numbers("SELECT count(*) FROM metrics").await?,
        _ => {
            let statement = format!("SELECT count(*), count(DISTINCT row_sequence) FROM {table}");
            server.numbers(&statement).await?
        }
    };
    server.stop().await?;
    let expected = [figures.records, figures.requests];
    ensure!(
        counted == expected[..counted.len()],
        "{table}: {counted:?} stored, {expected:?} acknowledged"
    );
    ensure!(
        log_bytes < figures.payload_bytes / 100,
        "{log_bytes} bytes are still in the log"
    );
    Ok(())
}

fn print(run: &Run, figures: &Figures) -> Result<()> {
    let Figures {
        records,
        requests,
        payload_bytes,
        sent,
        ended,
        ..
    } = figures;
    let seconds = sent.elapsed.as_secs_f64();
    let (records, requests) = (*records as f64, *requests as f64);
    let processor = ended.processor_seconds - figures.idle_seconds;
    report::line(&[
        &run.batch.to_string(),
        &run.rate
            .map_or("full".to_string(), |rate| format!("{rate} requests/s")),
        &format!("{:.0}", *payload_bytes as f64 / records),
        &grouped(records / seconds),
        &grouped(requests / seconds),
        &format!("{:.2}", processor / records * 1e6),
        &format!("{:.1}", percentile(&sent.waits, 0.5)),
        &format!("{:.1}", percentile(&sent.waits, 0.99)),
        &format!("{:.1}", percentile(&sent.waits, 1.0)),
        &format!("{:.0}", ended.peak_bytes as f64 / f64::from(1 << 20)),
        &format!("{:.1}", figures.bucket_bytes as f64 / records),
        &sent.refused.to_string(),
    ])
}
