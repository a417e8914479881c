//! `load`: fills a data folder through the real server, made and sent piece by piece, so that it fits into memory.

use crate::{
    data::{Generator, Plan},
    report::grouped,
    send::{self, Framed, Protocol, Way},
    server::{Binary, data_dir},
    usage,
};
use anyhow::{Result, ensure};
use cairn_storage::{signal::Signal, world};
use std::{io::Write, path::PathBuf, time::Duration};

/// Requests made at a time, of 1,000 records.
const PIECE: u64 = 500;

/// What to load.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    binary: Binary,
    /// Gets the folder `data` of the server, and its log.
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, default_value_t = 10_000_000)]
    records: u64,
    /// Hours of event time from the first record to the last.
    #[arg(long, default_value_t = 6)]
    spread_hours: u64,
    /// logs, spans or metrics.
    #[arg(long, default_value = "logs")]
    signal: Signal,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let world = world::real::world();
    let mut server = arguments.binary.start(&world, &arguments.folder)?;
    server.ready().await?;
    let way = Way {
        protocol: Protocol::Grpc,
        address: server.grpc,
        signal: arguments.signal,
        connections: 8,
        rate: None,
    };
    let mut generator = Generator::new(&Plan {
        signal: arguments.signal,
        records: arguments.records,
        batch: 1_000,
        spread: Duration::from_secs(arguments.spread_hours * 3_600),
        seed: arguments.seed,
    });
    let mut records = 0;
    while records < arguments.records {
        let mut requests = Vec::new();
        for _ in 0..PIECE {
            if records >= arguments.records {
                break;
            }
            let made = generator.next();
            records += made.records;
            requests.push(Framed::new(&made.bytes));
        }
        send::send(&world.clock, way, requests).await?;
    }
    server.stop().await?;
    let mut server = arguments.binary.start(&world, &arguments.folder)?;
    server.ready().await?;
    let table = arguments.signal.as_str();
    let stored = server
        .numbers(&format!("SELECT count(*) FROM {table}"))
        .await?;
    server.stop().await?;
    ensure!(
        stored == [records],
        "{stored:?} stored, {records} acknowledged"
    );
    let data = data_dir(&arguments.folder);
    let bytes = usage::folder_bytes(&world, &data.join("bucket"))?;
    writeln!(
        std::io::stdout(),
        "{} records in {}: {:.1} bytes on disk a record",
        grouped(records as f64),
        data.display(),
        bytes as f64 / records as f64
    )?;
    Ok(())
}
