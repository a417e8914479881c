//! The signals, the tables that each is stored in, and the encodings that requests arrive in.

use crate::error::{Error, Result};
use std::{fmt, str::FromStr};

/// A kind of telemetry with its own buffer, flush mark and segments.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    Logs,
    Metrics,
    Spans,
    /// Records that were refused or could not be kept as rows, of every signal.
    DeadLetters,
}

/// A table as it lies on disk: one Parquet object of a segment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    Logs,
    Spans,
    SpanEvents,
    SpanLinks,
    Series,
    Samples,
    Histograms,
    Exemplars,
    DeadLetters,
}

/// How the payload of a request is encoded, as kept in the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Encoding {
    OtlpProtobuf = 1,
    OtlpJson = 2,
    /// Dead letters that are offered again: which they are, then a request in OTLP protobuf. Nobody sends this.
    Replay = 3,
    /// A Prometheus remote write request, version 1.0 (`prometheus.WriteRequest`).
    PrometheusV1 = 4,
    /// A Prometheus remote write request, version 2.0 (`io.prometheus.write.v2.Request`).
    PrometheusV2 = 5,
    /// Samples of line protocols: remote write 2.0 with fields of ours (docs/formats/wal.md). Nobody sends this.
    Samples = 6,
}

impl Signal {
    /// Every signal, in the order of its code.
    pub const ALL: [Signal; 4] = [
        Signal::Logs,
        Signal::Metrics,
        Signal::Spans,
        Signal::DeadLetters,
    ];

    /// The name in paths, metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
            Signal::Spans => "spans",
            Signal::DeadLetters => "dead_letters",
        }
    }

    /// The code on disk.
    pub fn code(self) -> u8 {
        match self {
            Signal::Logs => 1,
            Signal::Metrics => 2,
            Signal::Spans => 3,
            Signal::DeadLetters => 4,
        }
    }

    /// The signal of a code on disk.
    pub fn from_code(code: u8) -> Option<Signal> {
        Signal::ALL.into_iter().find(|s| s.code() == code)
    }

    /// The tables of this signal, the one that holds its records first.
    pub fn tables(self) -> &'static [Table] {
        match self {
            Signal::Logs => &[Table::Logs],
            Signal::Metrics => &[
                Table::Samples,
                Table::Series,
                Table::Histograms,
                Table::Exemplars,
            ],
            Signal::Spans => &[Table::Spans, Table::SpanEvents, Table::SpanLinks],
            Signal::DeadLetters => &[Table::DeadLetters],
        }
    }
}

impl Table {
    /// The name in object paths and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Table::Logs => "logs",
            Table::Spans => "spans",
            Table::SpanEvents => "span_events",
            Table::SpanLinks => "span_links",
            Table::Series => "series",
            Table::Samples => "samples",
            Table::Histograms => "histograms",
            Table::Exemplars => "exemplars",
            Table::DeadLetters => "dead_letters",
        }
    }

    /// The signal this table belongs to.
    pub fn signal(self) -> Signal {
        match self {
            Table::Logs => Signal::Logs,
            Table::Spans | Table::SpanEvents | Table::SpanLinks => Signal::Spans,
            Table::Series | Table::Samples | Table::Histograms | Table::Exemplars => {
                Signal::Metrics
            }
            Table::DeadLetters => Signal::DeadLetters,
        }
    }
}

impl Encoding {
    /// The stable name, in `dead_letters` and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::OtlpProtobuf => "otlp_protobuf",
            Encoding::OtlpJson => "otlp_json",
            Encoding::Replay => "replay",
            Encoding::PrometheusV1 => "prometheus_v1",
            Encoding::PrometheusV2 => "prometheus_v2",
            Encoding::Samples => "samples",
        }
    }

    /// The encoding of a code on disk.
    pub fn from_code(code: u8) -> Option<Encoding> {
        match code {
            1 => Some(Encoding::OtlpProtobuf),
            2 => Some(Encoding::OtlpJson),
            3 => Some(Encoding::Replay),
            4 => Some(Encoding::PrometheusV1),
            5 => Some(Encoding::PrometheusV2),
            6 => Some(Encoding::Samples),
            _ => None,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Signal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Signal> {
        Signal::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| Error::Invalid {
                what: "signal",
                detail: format!("{text} is none of logs, metrics, spans, dead_letters"),
            })
    }
}
