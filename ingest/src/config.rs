//! The settings of ingest: what a request and a record may be. Plain data with defaults and a check.

use crate::{
    dialect::instant::Zone,
    error::{Error, Result},
};
use cairn_storage::id::TenantId;
use std::{net::SocketAddr, time::Duration};

/// The settings of ingest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes of a request after decompression; of JSON as protobuf, too. 64 MiB, because a batch refused for its
    /// size is a batch lost: SDKs and collectors do not split.
    pub max_request_bytes: u64,
    /// Time that a request may take to come in, in seconds.
    pub body_timeout_seconds: u64,
    /// A request whose body comes in more slowly than this, after ten seconds of grace, is given up.
    pub body_min_bytes_per_second: u64,
    /// Attributes of one record, of its resource or of its scope.
    pub max_attributes: u64,
    /// Bytes of an attribute key.
    pub max_key_bytes: u64,
    /// Bytes of one attribute value (as JSON), body or other text.
    pub max_value_bytes: u64,
    /// Bytes of all texts of one record together; a span with its events and links.
    pub max_record_bytes: u64,
    /// Records whose time is older than this are refused; 0 takes any age, because late data is data.
    pub max_age_seconds: u64,
    /// Records whose time is further ahead than this are refused; 0 takes any. A day leaves room for
    /// wrong time zones and keeps wrong units (milliseconds in a field of nanoseconds and so on) out.
    pub max_future_seconds: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_request_bytes: 64 << 20,
            body_timeout_seconds: 60,
            body_min_bytes_per_second: 1024,
            max_attributes: 1_000,
            max_key_bytes: 1 << 10,
            max_value_bytes: 1 << 20,
            max_record_bytes: 1 << 20,
            max_age_seconds: 0,
            max_future_seconds: 86_400,
        }
    }
}

impl Config {
    /// Refuses settings that cannot work, naming the setting and what to do.
    pub fn validate(&self) -> Result<()> {
        let positive = [
            ("max_request_bytes", self.max_request_bytes),
            ("body_timeout_seconds", self.body_timeout_seconds),
            ("max_attributes", self.max_attributes),
            ("max_key_bytes", self.max_key_bytes),
            ("max_value_bytes", self.max_value_bytes),
            ("max_record_bytes", self.max_record_bytes),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::Settings {
                detail: format!("{name} must be at least 1"),
            });
        }
        // A frame of the write-ahead log counts its bytes in 32 bits, as gRPC does.
        if self.max_request_bytes > 1 << 30 {
            let detail = "max_request_bytes must be at most 1073741824".to_string();
            return Err(Error::Settings { detail });
        }
        Ok(())
    }
}

/// The settings of the syslog listeners, which are off unless they have an address.
///
/// Syslog has no credentials: whoever reaches a port writes into its tenant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Syslog {
    /// Address and port of syslog over TCP, for example `127.0.0.1:1514`; empty is off. Anyone who reaches it can write.
    pub listen_tcp: String,
    /// Address and port of syslog over UDP; empty is off. Anyone who reaches it can write.
    pub listen_udp: String,
    /// The tenant that messages go to. On a server with keys one must be named; without keys it is `default`.
    pub tenant: String,
    /// The zone of times that name none (RFC 3164), as an offset: `Z`, `+02:00`.
    pub timezone: String,
    /// Bytes of a message. The start of a longer one is kept as a dead letter.
    pub max_message_bytes: u64,
    /// Connections over TCP at the same time; more are closed at once.
    pub max_connections: u64,
    /// A connection over TCP that is silent for this time is closed.
    pub idle_timeout_seconds: u64,
}

impl Default for Syslog {
    fn default() -> Syslog {
        Syslog {
            listen_tcp: String::new(),
            listen_udp: String::new(),
            tenant: String::new(),
            timezone: "Z".to_string(),
            max_message_bytes: 64 << 10,
            max_connections: 1_000,
            // Senders notice a closed connection only by the message that they lose to it.
            idle_timeout_seconds: 3_600,
        }
    }
}

impl Syslog {
    /// Refuses settings that cannot work, naming the setting and what to do.
    pub fn validate(&self) -> Result<()> {
        self.addresses()?;
        self.named_tenant()?;
        self.zone()?;
        let positive = [
            ("max_message_bytes", self.max_message_bytes),
            ("max_connections", self.max_connections),
            ("idle_timeout_seconds", self.idle_timeout_seconds),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::Settings {
                detail: format!("syslog.{name} must be at least 1"),
            });
        }
        if self.max_message_bytes > 1 << 20 {
            let detail = "syslog.max_message_bytes must be at most 1048576".to_string();
            return Err(Error::Settings { detail });
        }
        Ok(())
    }

    /// The addresses of TCP and UDP, where they are on.
    pub fn addresses(&self) -> Result<[Option<SocketAddr>; 2]> {
        let address = |name: &str, text: &str| {
            if text.is_empty() {
                return Ok(None);
            }
            text.parse().map(Some).map_err(|_| Error::Settings {
                detail: format!(
                    "syslog.{name} is {text:?}: write address and port, as 127.0.0.1:1514"
                ),
            })
        };
        Ok([
            address("listen_tcp", &self.listen_tcp)?,
            address("listen_udp", &self.listen_udp)?,
        ])
    }

    /// The tenant that is named, if one is.
    pub(crate) fn named_tenant(&self) -> Result<Option<TenantId>> {
        if self.tenant.is_empty() {
            return Ok(None);
        }
        self.tenant.parse().map(Some).map_err(|_| Error::Settings {
            detail: format!("syslog.tenant is {:?}, which is no tenant id", self.tenant),
        })
    }

    pub(crate) fn zone(&self) -> Result<Zone> {
        Zone::parse(&self.timezone).ok_or_else(|| Error::Settings {
            detail: format!(
                "syslog.timezone is {:?}: write Z or an offset, as +02:00",
                self.timezone
            ),
        })
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }
}

/// The settings of the scraper, which is off unless it has a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scrape {
    /// A file in the form of Prometheus' settings whose `scrape_configs` say what is scraped, for example `prometheus.yml`;
    /// empty is off. It is read again when it changes; one that is wrong leaves the settings before it in force.
    pub config_file: String,
    /// The tenant that metrics go to. On a server with keys one must be named; without keys it is `default`.
    pub tenant: String,
    /// Targets of all jobs together; more are not scraped, and counted.
    pub max_targets: u64,
    /// Scrapes that may be under way at the same time.
    pub max_concurrent: u64,
}

impl Default for Scrape {
    fn default() -> Scrape {
        Scrape {
            config_file: String::new(),
            tenant: String::new(),
            // A small shop has a tenth of it; each target has a task and a connection.
            max_targets: 2_000,
            // Each may hold a page and its rows in memory.
            max_concurrent: 32,
        }
    }
}

impl Scrape {
    /// Refuses settings that cannot work, naming the setting and what to do.
    pub fn validate(&self) -> Result<()> {
        self.named_tenant()?;
        let positive = [
            ("max_targets", self.max_targets),
            ("max_concurrent", self.max_concurrent),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            None => Ok(()),
            Some((name, _)) => Err(Error::Settings {
                detail: format!("scrape.{name} must be at least 1"),
            }),
        }
    }

    /// The tenant that is named, if one is.
    fn named_tenant(&self) -> Result<Option<TenantId>> {
        if self.tenant.is_empty() {
            return Ok(None);
        }
        self.tenant.parse().map(Some).map_err(|_| Error::Settings {
            detail: format!("scrape.tenant is {:?}, which is no tenant id", self.tenant),
        })
    }

    /// The tenant that metrics go to, on a server without keys where `is_open`.
    pub(crate) fn tenant(&self, is_open: bool) -> Result<TenantId> {
        match self.named_tenant()? {
            Some(tenant) => Ok(tenant),
            None if is_open => Ok(TenantId::default_tenant()),
            None => Err(Error::Settings {
                detail: "scrape.tenant must be named on a server with keys".to_string(),
            }),
        }
    }
}
