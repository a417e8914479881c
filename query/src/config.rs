//! The settings of queries: plain data with defaults and a check.

use crate::error::{Error, Result};

/// The settings of queries.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Parts of a query that run at the same time; 0 stands for the number of processors.
    pub partitions: usize,
    /// Rows of a batch between operators.
    pub batch_rows: usize,
    /// Memory that all running queries may take together, in bytes.
    pub memory_bytes: u64,
    /// Disk that one query may spill to, in bytes.
    pub spill_bytes: u64,
    /// A query is stopped after this many seconds, planning included.
    pub timeout_seconds: u64,
    /// Rows that one answer holds at most.
    pub answer_rows: u64,
    /// Bytes that one answer holds at most.
    pub answer_bytes: u64,
    /// Queries of one tenant that run at the same time.
    pub concurrent: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            partitions: 0,
            // DataFusion's own default; a page of our files has as many rows.
            batch_rows: 8_192,
            memory_bytes: 512 << 20,
            spill_bytes: 4 << 30,
            timeout_seconds: 60,
            answer_rows: 1_000_000,
            answer_bytes: 256 << 20,
            concurrent: 16,
        }
    }
}

impl Config {
    /// Refuses settings that cannot work, naming the setting and what to do.
    pub fn validate(&self) -> Result<()> {
        let refuse = |name: &str, least: u64| {
            Err(Error::invalid(format!(
                "the query setting {name} must be at least {least}"
            )))
        };
        if self.batch_rows < 128 {
            return refuse("batch_rows", 128);
        }
        if self.memory_bytes < 32 << 20 {
            return refuse("memory_bytes", 32 << 20);
        }
        if self.timeout_seconds == 0 {
            return refuse("timeout_seconds", 1);
        }
        if self.answer_rows == 0 {
            return refuse("answer_rows", 1);
        }
        if self.answer_bytes == 0 {
            return refuse("answer_bytes", 1);
        }
        if self.concurrent == 0 {
            return refuse("concurrent", 1);
        }
        Ok(())
    }

    /// The number of parts of a query that run at the same time.
    pub fn partitions(&self) -> usize {
        match self.partitions {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
            n => n,
        }
    }
}
