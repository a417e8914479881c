//! The settings of ingest: what a request and a record may be. Plain data with defaults and a check.

use crate::error::{Error, Result};

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
