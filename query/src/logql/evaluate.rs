//! One LogQL query from its text to its answer, on a lane.

use super::{
    lines::{self, Line},
    samples,
};
use crate::{error::Result, workplace::Workplace};
use cairn_logql::{Answer, Expr, Times, parse};
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

/// What a query answers.
#[derive(Debug, Clone, PartialEq)]
pub enum LogqlAnswer {
    /// Of a log query, in its direction.
    Lines(Vec<Line>),
    Metric(Answer),
}

/// Evaluates `request` at `place`; templates take `now` for the present instant.
pub(crate) fn evaluate(request: &LogqlRequest, now: i64, place: &Workplace) -> Result<LogqlAnswer> {
    let expr = parse(&request.query)?;
    match &expr {
        Expr::Log(log) => Ok(LogqlAnswer::Lines(lines::read(log, (request, now), place)?)),
        Expr::Metric(metric) => {
            let times = match request.step_ns {
                0 => Times::at(request.end_ns),
                step => Times::range(request.start_ns, request.end_ns, step)?,
            };
            let answer = samples::evaluate((&expr, metric), (times, now), place)?;
            Ok(LogqlAnswer::Metric(answer))
        }
    }
}
