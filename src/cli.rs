//! The command line: what can be said, and nothing of what it does.

use crate::config::Flags;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// An observability data platform: OTLP in, Parquet on object storage, SQL out.
#[derive(Debug, Parser)]
#[command(
    name = "cairn",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One thing that cairn does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server: OTLP/gRPC on 4317, OTLP/HTTP on 4318, the API on 4319
    Serve(Serve),
    /// Ask a running server in SQL
    Query(Query),
    /// Search, follow and count log records of a running server
    #[command(subcommand)]
    Logs(Logs),
    /// Have a running server write everything that is buffered to Parquet now
    Flush(Server),
    /// Look at what could not become rows, and offer it again
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Delete rows for ever by what they say, and look at what was deleted
    #[command(subcommand)]
    Deletions(Deletions),
    /// Read every object of the bucket and check it, with the server stopped
    Verify(Offline),
    /// Check any OTLP server against what the specification asks of it
    OtlpCheck(OtlpCheck),
    /// Run test scripts in Prometheus' format through a store of their own
    Promqltest(PromqlTest),
    /// Look after the catalog
    #[command(subcommand)]
    Catalog(Catalog),
    /// Practise a restore: make the catalog from the bucket alone, elsewhere, and count what is there again
    RestoreDrill(RestoreDrill),
    /// Say what is stored, and remove what nobody needs, with the server stopped
    #[command(subcommand)]
    Storage(Storage),
    /// Make API keys
    #[command(subcommand)]
    Key(Key),
    /// Look at the settings
    #[command(subcommand)]
    Config(Config),
    /// Print what the HTTP API is, as OpenAPI 3.1
    Openapi,
}

/// `cairn serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// Send the telemetry of a small shop to the own OTLP port, the last hour included
    #[arg(long)]
    pub(crate) demo: bool,
}

/// `cairn promqltest`.
#[derive(Debug, clap::Args)]
pub(crate) struct PromqlTest {
    /// Scripts, and folders with scripts (`*.test`)
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Where the store of the scripts lies; it can be removed afterwards
    #[arg(long, default_value = "./cairn-promqltest")]
    pub(crate) data_dir: PathBuf,
}

/// `cairn query`.
#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    /// The statement; `-` reads it from standard input
    pub(crate) sql: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// `cairn logs …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Logs {
    /// Print the newest records that match, oldest of them first
    Search(LogQuestion),
    /// Print matching records as they arrive
    Tail(LogQuestion),
    /// Count matching records over time, by severity
    Histogram(LogQuestion),
}

/// Which log records are meant.
#[derive(Debug, clap::Args)]
pub(crate) struct LogQuestion {
    /// Words, "phrases", beginnings (foo*), parts (*foo*), fields (key:word, key=value, level>=warn), OR, -word, (…)
    #[arg(allow_hyphen_values = true)]
    pub(crate) words: Option<String>,
    /// A condition in SQL, such as `service_name = 'shop' AND severity_number >= 17`
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// The first instant: RFC 3339, nanoseconds since 1970, or before now such as `-15m` (an hour before the end if missing)
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// The instant after the last one (now if missing)
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// The most records
    #[arg(long)]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Which server is asked, and as whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// The API of the server
    #[arg(long, default_value = "http://127.0.0.1:4319")]
    pub(crate) url: String,
    /// An API key with the scope that the command needs (`query`, `operate`, `admin`); better in the variable CAIRN_KEY,
    /// where other users do not see it
    #[arg(long)]
    pub(crate) key: Option<String>,
}

/// How `cairn query` writes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// RFC 4180, with a header
    Csv,
    /// The answer of the API as it is
    Json,
}

/// `cairn dead-letters …`.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Count the tenant's dead letters by signal and reason
    List(Server),
    /// Offer them again, after what was wrong is mended: what is sound now becomes rows, the rest stays
    Replay(ReplayLetters),
}

/// `cairn dead-letters replay`. Fails when letters stay.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayLetters {
    /// Only those of this signal: logs, metrics or spans
    #[arg(long)]
    pub(crate) signal: Option<String>,
    /// Only those with this reason, as `list` names it
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Only those received at or after this instant (RFC 3339)
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Only those received before this instant
    #[arg(long)]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// `cairn deletions …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Deletions {
    /// The tenant's deletions, the oldest first, those that are done included
    List(Server),
    /// Delete rows of the tenant that have arrived until now and meet every condition (a key with the scope `admin`)
    Add(NewDeletion),
}

/// `cairn deletions add`.
#[derive(Debug, clap::Args)]
pub(crate) struct NewDeletion {
    /// Rows of which signal: logs, metrics, spans or dead_letters
    #[arg(long)]
    pub(crate) signal: String,
    /// A column has this value; given again for the same column: or that one
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) column: Vec<String>,
    /// An attribute has this value, as text
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) attribute: Vec<String>,
    /// An attribute of the resource has this value, as text
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) resource: Vec<String>,
    /// Only rows from this instant on, nanoseconds since 1970
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) from: Option<i64>,
    /// Only rows before this instant
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) before: Option<i64>,
    /// Yes, for ever
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// `cairn otlp-check`. It stores a few thousand records of the service `otlp-check`.
#[derive(Debug, clap::Args)]
pub(crate) struct OtlpCheck {
    /// Where OTLP/HTTP is served, without a path
    #[arg(default_value = "http://127.0.0.1:4318")]
    pub(crate) url: String,
    /// Where OTLP/gRPC is served; without it gRPC is not checked
    #[arg(long)]
    pub(crate) grpc: Option<String>,
    /// A header that goes with every request, for credentials; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) header: Vec<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub(crate) format: CheckFormat,
}

/// How `cairn otlp-check` writes its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Table,
    /// For machines
    Json,
}

/// A command on the data of a server that does not run.
#[derive(Debug, clap::Args)]
pub(crate) struct Offline {
    #[command(flatten)]
    pub(crate) flags: Flags,
}

/// `cairn catalog …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Catalog {
    /// Make the catalog anew from its newest backup and the footers of the segments, both in the bucket, with the server stopped
    Rebuild(Rebuild),
    /// Bring the tables of an older build up to this one's, with the server stopped; a start does it, too
    Migrate(Migrate),
}

/// `cairn catalog migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// Only say what would be done; the server may run
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `cairn catalog rebuild`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// Make a bucket of another data folder, which is lost, this one's; no server may write it any more
    #[arg(long)]
    pub(crate) take_over: bool,
}

/// `cairn restore-drill`. The server may run. Fails when counts differ or something is damaged.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreDrill {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// An empty folder for the restored catalog, which stays there; otherwise it goes into `restore-drill` in the data
    /// folder and is removed
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: Option<PathBuf>,
    /// Compare with what the newest backup says, also where the data folder has a catalog
    #[arg(long)]
    pub(crate) from_backup: bool,
    /// Read and check every object, not only its footer
    #[arg(long)]
    pub(crate) read_all: bool,
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
}

/// `cairn storage …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Storage {
    /// What is stored of each tenant and signal, how long it is kept, and what waits for its deletion
    Report(StorageReport),
    /// Find objects in the bucket that nobody needs, and objects that are missing
    Orphans(Orphans),
}

/// `cairn storage report`.
#[derive(Debug, clap::Args)]
pub(crate) struct StorageReport {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// For machines: as `GET /api/v1/storage` answers
    #[arg(long)]
    pub(crate) json: bool,
}

/// `cairn storage orphans`. Fails when objects are missing.
#[derive(Debug, clap::Args)]
pub(crate) struct Orphans {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// Delete the objects that nobody needs
    #[arg(long)]
    pub(crate) delete: bool,
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
}

/// `cairn key …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Print a new key once, and the settings that let it in
    New(NewKey),
}

/// `cairn key new`.
#[derive(Debug, clap::Args)]
pub(crate) struct NewKey {
    /// Whose telemetry the key writes and reads
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// What the key is called in logs and error texts
    #[arg(long, default_value = "my key")]
    pub(crate) name: String,
    /// What the key allows
    #[arg(long, value_delimiter = ',', default_value = "ingest,query")]
    pub(crate) scopes: Vec<String>,
}

/// `cairn config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Read file, environment and flags, and say what is wrong or what is in force
    Check(Offline),
    /// Print a settings file with every setting and its default
    Example,
    /// Print the page about all settings (docs/configuration.md)
    Reference,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
