//! The settings of queries: plain data with defaults and a check.

use crate::error::{Error, Result};

/// What code, catalog, footers, stacks, answers on their way and freed memory that the allocator keeps may take beside the
/// budgets of storage, of its cache and of queries, where `process_memory_bytes` says nothing else.
pub const SLACK_BYTES: u64 = 256 << 20;

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
    /// Memory that one query may take, in bytes; at most `memory_bytes`.
    pub statement_memory_bytes: u64,
    /// Memory of the whole process, in bytes, over which the query that made it grow is stopped. 0: what storage, its
    /// cache, merges and queries may take, and 256 MiB; at most four fifths of the memory there is.
    pub process_memory_bytes: u64,
    /// Disk that all running queries may spill to together, in bytes.
    pub spill_bytes: u64,
    /// A query is stopped after this many seconds, planning included, unless its request sets less or more.
    pub timeout_seconds: u64,
    /// The most seconds that a request may set.
    pub max_timeout_seconds: u64,
    /// Rows that one answer holds at most.
    pub answer_rows: u64,
    /// Bytes that one answer holds at most.
    pub answer_bytes: u64,
    /// Queries of one tenant that run at the same time.
    pub concurrent: usize,
    /// Queries of all tenants that run at the same time, each on threads of its own.
    pub lanes: usize,
    /// A query that finds no free lane waits for one this long, in milliseconds.
    pub queue_milliseconds: u64,
    /// Memory for the labels of series in segments, from one PromQL query to the next, beside `memory_bytes`, in bytes;
    /// 0 reads them anew for each query.
    pub series_memory_bytes: u64,
    /// Whether PromQL has the functions and modifiers that Prometheus calls experimental.
    pub promql_experimental_functions: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            partitions: 0,
            // DataFusion's own default; a page of our files has as many rows.
            batch_rows: 8_192,
            memory_bytes: 512 << 20,
            statement_memory_bytes: 256 << 20,
            process_memory_bytes: 0,
            spill_bytes: 4 << 30,
            timeout_seconds: 30,
            max_timeout_seconds: 600,
            answer_rows: 1_000_000,
            answer_bytes: 256 << 20,
            concurrent: 8,
            lanes: 16,
            // A dashboard asks twenty questions at once: they take turns rather than fail.
            queue_milliseconds: 5_000,
            // 200,000 series of a shop with ten labels in two segments each.
            series_memory_bytes: 128 << 20,
            promql_experimental_functions: false,
        }
    }
}

impl Config {
    /// Refuses settings that cannot work, naming the setting and what to do.
    pub fn validate(&self) -> Result<()> {
        // Name, value, the least that works.
        let least: [(&str, u64, u64); 10] = [
            ("batch_rows", self.batch_rows as u64, 128),
            ("memory_bytes", self.memory_bytes, 32 << 20),
            (
                "statement_memory_bytes",
                self.statement_memory_bytes,
                16 << 20,
            ),
            ("timeout_seconds", self.timeout_seconds, 1),
            (
                "max_timeout_seconds",
                self.max_timeout_seconds,
                self.timeout_seconds,
            ),
            ("answer_rows", self.answer_rows, 1),
            ("answer_bytes", self.answer_bytes, 1),
            ("concurrent", self.concurrent as u64, 1),
            ("lanes", self.lanes as u64, 1),
            (
                "memory_bytes",
                self.memory_bytes,
                self.statement_memory_bytes,
            ),
        ];
        for (name, value, least) in least {
            if value < least {
                return Err(Error::invalid(format!(
                    "the query setting {name} must be at least {least}"
                )));
            }
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
