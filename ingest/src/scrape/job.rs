//! What is scraped and how: the settings of a file, read and checked.

use super::{labels::Labels, relabel::Rule};
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// The settings of a file and of those that it names.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Arc<Job>>,
    /// Added to every series that does not have them, as where Prometheus sends on what it scrapes.
    pub(super) external_labels: Labels,
    /// Sections of the file that mean nothing to a scraper.
    pub(super) unused: Vec<String>,
}

/// One entry of `scrape_configs`, with what it has from `global`.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) metrics_path: String,
    pub(super) scheme: String,
    pub(super) params: Vec<(String, Vec<String>)>,
    pub(super) honor_labels: bool,
    pub(super) honor_timestamps: bool,
    pub(super) track_timestamps_staleness: bool,
    pub(super) formats: Formats,
    pub(super) limits: Limits,
    pub(super) http: Http,
    pub(super) discovery: Vec<Discovery>,
    pub(super) relabel: Vec<Rule>,
    pub(super) metric_relabel: Vec<Rule>,
}

/// What is asked for, and what is read.
#[derive(Debug, Clone)]
pub(super) struct Formats {
    /// In the order of preference.
    pub(super) protocols: Vec<Format>,
    /// For an answer that does not say what it is.
    pub(super) fallback: Option<Format>,
    pub(super) compression: bool,
    /// Native histograms are read where a target sends protobuf.
    pub(super) native_histograms: bool,
    /// The classic form of a histogram that also has the native one is read, too.
    pub(super) classic_histograms: bool,
}

/// A format of metrics, as `scrape_protocols` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Protobuf,
    Text0,
    Text1,
    OpenMetrics0,
    OpenMetrics1,
}

impl Format {
    const ALL: [(&'static str, Format); 5] = [
        ("PrometheusProto", Format::Protobuf),
        ("PrometheusText0.0.4", Format::Text0),
        ("PrometheusText1.0.0", Format::Text1),
        ("OpenMetricsText0.0.1", Format::OpenMetrics0),
        ("OpenMetricsText1.0.0", Format::OpenMetrics1),
    ];

    pub(super) fn parse(name: &str) -> Option<Format> {
        let known = Format::ALL.iter().find(|known| known.0 == name);
        known.map(|known| known.1)
    }

    /// The names of all.
    pub(super) fn names() -> String {
        Format::ALL.map(|known| known.0).join(", ")
    }

    /// As `Accept` names it. Names in all of UTF-8 are taken.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::Protobuf => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Format::Text0 => "text/plain;version=0.0.4",
            Format::Text1 => "text/plain;version=1.0.0;escaping=allow-utf-8",
            Format::OpenMetrics0 => "application/openmetrics-text;version=0.0.1",
            Format::OpenMetrics1 => {
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
            }
        }
    }
}

/// What an answer and a job may have; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) body_bytes: u64,
    pub(super) samples: u64,
    pub(super) labels: u64,
    pub(super) label_name_bytes: u64,
    pub(super) label_value_bytes: u64,
    pub(super) targets: u64,
    /// Targets that relabeling dropped and that are shown all the same.
    pub(super) dropped_targets: u64,
}

/// How a target is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Http {
    pub(super) credentials: Credentials,
    pub(super) headers: Vec<(String, Vec<Secret>)>,
    pub(super) follow_redirects: bool,
    pub(super) tls: Tls,
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub(super) enum Credentials {
    #[default]
    None,
    Basic {
        username: Secret,
        password: Secret,
    },
    Authorization {
        scheme: String,
        credentials: Secret,
    },
}

/// A text that is in no log: written in the settings, or in a file that is read again for each scrape.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    Text(String),
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Text(_) => f.write_str("<secret>"),
            Secret::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Default for Secret {
    fn default() -> Secret {
        Secret::Text(String::new())
    }
}

/// How a target shows who it is, and how we do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) ca: Option<Secret>,
    pub(super) certificate: Option<Secret>,
    pub(super) key: Option<Secret>,
    pub(super) server_name: Option<String>,
    pub(super) insecure_skip_verify: bool,
    pub(super) oldest: Option<TlsVersion>,
    pub(super) newest: Option<TlsVersion>,
}

/// A version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TlsVersion {
    Tls12,
    Tls13,
}

/// Where targets come from.
#[derive(Debug, Clone)]
pub(super) enum Discovery {
    Static(Vec<Group>),
    Files {
        patterns: Vec<PathBuf>,
        refresh: Duration,
    },
}

/// Targets with the same labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) targets: Vec<String>,
    pub(super) labels: Labels,
}
