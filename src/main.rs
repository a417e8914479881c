//! The binary: reads the command line, runs one command, and says how it ended.
//!
//! The flow: `cli` (what can be said), `config` (file, environment, flags), `commands` (one file a command), and
//! for `serve`: `serve` (the whole server on one screen), `open` (bucket, catalog, store), `listen` (sockets), `api` (SQL, schema, metrics, health),
//! `tasks` (what runs in the background), `telemetry` (our own logs and metrics), `demo` (a shop that sends
//! telemetry). `check` asks any OTLP server what the specification asks of it.
//!
//! Invariants: nothing here decides about rows; only `config` reads the environment; only `tasks` and `listen`
//! start tasks; every error of the API is a problem document.

mod api;
mod check;
mod cli;
mod commands;
mod config;
mod demo;
mod listen;
mod open;
mod prompb;
mod serve;
mod status;
mod tasks;
mod telemetry;

use clap::Parser;
use std::{process::ExitCode, time::Duration};

// Ingest makes and frees many small and large blocks on several threads, which mimalloc is built for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long threads that block on disk may hold up the end of the process, after everything durable is done.
const LAST_WAIT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: starting threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(commands::run(command));
    runtime.shutdown_timeout(LAST_WAIT);
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
