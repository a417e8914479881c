//! `cairn-bench`: the questions about speed that `docs/benchmarks.md` answers, one command each.
//!
//! `data` makes telemetry, `decode` measures the decoder in this process; `ingest`, `load` and `start` run the real
//! binary (`server`, `usage`) and send to it (`send`). Questions about queries are in `benches/query.py`, because the peer they are
//! compared with is a Python package.

mod data;
mod decode;
mod ingest;
mod load;
mod report;
mod send;
mod server;
mod start;
mod usage;

use anyhow::Result;
use clap::Parser;

// The server's own allocator, so that decoders are measured with what they run on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Cairn.
#[derive(Debug, Parser)]
enum Question {
    /// Bytes to batches: our decoder beside prost with Arrow's builders and prost alone.
    Decode(decode::Arguments),
    /// What a record costs the server, durability on, everything flushed to Parquet.
    Ingest(ingest::Arguments),
    /// Fills a data folder, for `query.py`.
    Load(load::Arguments),
    /// How long a start takes: of an empty folder, and after a kill with 1 GiB of log.
    Start(start::Arguments),
}

fn main() -> Result<()> {
    let question = Question::parse();
    // One thread: the sender must leave the processors to the server.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match question {
        Question::Decode(arguments) => decode::run(&arguments),
        Question::Ingest(arguments) => runtime.block_on(ingest::run(&arguments)),
        Question::Load(arguments) => runtime.block_on(load::run(&arguments)),
        Question::Start(arguments) => runtime.block_on(start::run(&arguments)),
    }
}
