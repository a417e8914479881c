//! A query in LogQL and who asks it.

use cairn_storage::id::TenantId;
use std::time::Duration;

/// A query and who asks it. Times in nanoseconds since 1970.
#[derive(Debug, Clone)]
pub struct LogqlRequest {
    pub tenant: TenantId,
    pub query: String,
    pub start_ns: i64,
    /// Of a log query the first instant that is not looked at, of a metric query the last that a step may have.
    pub end_ns: i64,
    /// Between two steps; 0 asks for the one instant `end_ns`.
    pub step_ns: i64,
    /// The most lines of a log query.
    pub limit: usize,
    pub direction: Direction,
    /// Lines that are nearer than this to the one before are left out; 0 for none.
    pub interval_ns: i64,
    /// Only requests above the first commit sequence, up to the second.
    pub sequences: Option<(u64, u64)>,
    /// From now to the answer; the configured limit where `None` or longer than that.
    pub deadline: Option<Duration>,
}

/// Which lines come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    Forward,
    #[default]
    Backward,
}
