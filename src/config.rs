//! The settings of the whole server: the crates' `Config`s joined, and where each value came from.
//!
//! File < environment < flags. This file and `config/` are the only ones that read the environment. `reference`
//! makes `config.example.toml` and `docs/configuration.md` from the same types and their doc comments.

mod machine;
pub(crate) mod reference;
mod sources;

pub(crate) use sources::{Flags, Loaded, client_key, load};

use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// The settings of the server as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Listen elsewhere than on loopback although no keys are configured: everybody who reaches the ports reads
    /// and writes everything.
    pub(crate) allow_unauthenticated: bool,
    pub(crate) listen: Listen,
    pub(crate) log: Log,
    pub(crate) storage: cairn_storage::config::Config,
    pub(crate) ingest: cairn_ingest::config::Config,
    pub(crate) syslog: cairn_ingest::config::Syslog,
    pub(crate) scrape: cairn_ingest::config::Scrape,
    pub(crate) tenancy: cairn_tenancy::config::Config,
    pub(crate) query: cairn_query::config::Config,
}

/// The sockets and their limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    /// Address and port of OTLP/gRPC. Port 0 takes a free one, printed at start.
    pub(crate) grpc: SocketAddr,
    /// Address and port of OTLP/HTTP.
    pub(crate) http: SocketAddr,
    /// Address and port of the API: SQL, schema, metrics and health.
    pub(crate) api: SocketAddr,
    /// Connections on all ports together; more are closed at once.
    pub(crate) max_connections: usize,
    /// Connections of one peer address; more are closed at once. Behind a proxy, raise it to `max_connections`.
    pub(crate) max_connections_per_address: usize,
    /// Time in which the headers of a request have to arrive.
    pub(crate) header_timeout_seconds: u64,
    /// A connection without a request is closed after this time.
    pub(crate) idle_timeout_seconds: u64,
    /// Time in which a peer has to take some bytes of an answer.
    pub(crate) write_timeout_seconds: u64,
    /// Streams of one HTTP/2 connection that are open at the same time.
    pub(crate) max_streams: u32,
    /// Time that requests under way get at a shutdown.
    pub(crate) drain_seconds: u64,
}

/// Our own logs, on standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,cairn_storage=debug`.
    pub(crate) level: String,
    /// `text` for people, `json` for machines.
    pub(crate) format: LogFormat,
}

/// How our own logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for Listen {
    fn default() -> Listen {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Listen {
            // The ports that OTLP has at IANA, and the next one.
            grpc: loopback(4317),
            http: loopback(4318),
            api: loopback(4319),
            max_connections: 10_000,
            max_connections_per_address: 200,
            header_timeout_seconds: 10,
            idle_timeout_seconds: 75,
            write_timeout_seconds: 30,
            max_streams: 256,
            drain_seconds: 20,
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log {
            level: "info".to_string(),
            format: LogFormat::Text,
        }
    }
}

/// Why settings were refused. Every message names the setting and where it came from.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("reading the settings file {path}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the settings file {path}: {detail}")]
    Toml { path: PathBuf, detail: String },
    #[error("the setting {setting} from {origin}: {detail}")]
    Setting {
        setting: String,
        origin: String,
        detail: String,
    },
    #[error("the settings do not fit together: {detail}{origins}")]
    Together { detail: String, origins: String },
}

impl Config {
    /// The section at fault and what is wrong, if the settings cannot work.
    fn fault(&self) -> Option<(&'static str, String)> {
        let crates = [
            (
                "storage",
                self.storage.validate().err().map(|error| error.to_string()),
            ),
            (
                "ingest",
                self.ingest.validate().err().map(|error| error.to_string()),
            ),
            (
                "syslog",
                self.syslog.validate().err().map(|error| error.to_string()),
            ),
            (
                "scrape",
                self.scrape.validate().err().map(|error| error.to_string()),
            ),
            (
                "tenancy",
                self.tenancy.validate().err().map(|error| error.to_string()),
            ),
            (
                "query",
                self.query.validate().err().map(|error| error.to_string()),
            ),
            ("listen", self.listen.fault()),
            ("log", self.log.fault()),
            ("listen", self.exposure_fault()),
        ];
        crates
            .into_iter()
            .find_map(|(section, fault)| Some((section, fault?)))
    }

    /// Without credentials only loopback is safe.
    fn exposure_fault(&self) -> Option<String> {
        if self.allow_unauthenticated || !self.tenancy.keys.is_empty() {
            return None;
        }
        let Listen {
            grpc, http, api, ..
        } = self.listen;
        let sockets = [("grpc", grpc), ("http", http), ("api", api)];
        let (name, address) = sockets
            .into_iter()
            .find(|(_, address)| !address.ip().to_canonical().is_loopback())?;
        Some(format!(
            "listen.{name} is {address}, which others can reach, and no keys are configured: add keys to \
             tenancy.keys (`cairn key new`), or say --allow-unauthenticated"
        ))
    }
}

impl Listen {
    fn fault(&self) -> Option<String> {
        let positive = [
            ("max_connections", self.max_connections as u64),
            (
                "max_connections_per_address",
                self.max_connections_per_address as u64,
            ),
            ("header_timeout_seconds", self.header_timeout_seconds),
            ("idle_timeout_seconds", self.idle_timeout_seconds),
            ("write_timeout_seconds", self.write_timeout_seconds),
            ("max_streams", u64::from(self.max_streams)),
        ];
        let (name, _) = positive.into_iter().find(|(_, value)| *value == 0)?;
        Some(format!("listen.{name} must be at least 1"))
    }
}

impl Log {
    fn fault(&self) -> Option<String> {
        let parsed = self.level.parse::<tracing_subscriber::EnvFilter>();
        parsed
            .err()
            .map(|error| format!("log.level is {:?}: {error}", self.level))
    }
}

#[cfg(test)]
mod tests;
