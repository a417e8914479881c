//! From a parsed command line to what it does; one file a command.

mod catalog;
mod client;
mod columns;
mod dead_letters;
mod deletions;
mod flush;
mod key;
mod logs;
mod otlp_check;
mod promqltest;
mod query;
mod restore_drill;
mod settings;
mod storage;
mod verify;

use crate::{
    api,
    cli::{Catalog, Command, Config, Key, Storage},
    config, serve,
};
use anyhow::Result;
use std::{io::Write, process::ExitCode};

/// Runs one command; the code says whether what it looked at is well.
pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve(options) => {
            serve::run(config::load(&options.flags)?, options.demo).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Query(options) => query::run(options).await,
        Command::Logs(command) => logs::run(command).await,
        Command::Flush(server) => flush::run(&server).await,
        Command::DeadLetters(command) => dead_letters::run(command).await,
        Command::Deletions(command) => deletions::run(command).await,
        Command::OtlpCheck(options) => otlp_check::run(&options).await,
        Command::Promqltest(options) => promqltest::run(&options).await,
        Command::Verify(options) => verify::run(config::load(&options.flags)?.config).await,
        Command::Catalog(Catalog::Rebuild(options)) => {
            let config = config::load(&options.flags)?.config;
            catalog::rebuild(config, options.take_over).await
        }
        Command::Catalog(Catalog::Migrate(options)) => catalog::migrate(options).await,
        Command::RestoreDrill(options) => restore_drill::run(options).await,
        Command::Storage(Storage::Report(options)) => storage::report(options).await,
        Command::Storage(Storage::Orphans(options)) => storage::orphans(options).await,
        Command::Key(Key::New(options)) => key::new(&options),
        Command::Openapi => print(&api::document()),
        Command::Config(Config::Check(options)) => settings::check(&options.flags),
        Command::Config(Config::Example) => print(&config::reference::example()),
        Command::Config(Config::Reference) => print(&config::reference::page()),
    }
}

/// Writes `text` to standard output; a reader that went away (`| head`) is no error.
fn print(text: &str) -> Result<ExitCode> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
