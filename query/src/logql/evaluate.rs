//! One LogQL query from its text to its answer, on a lane.

use super::{
    lines::{self, Line},
    request::LogqlRequest,
    samples,
};
use crate::{error::Result, workplace::Workplace};
use cairn_logql::{Answer, Expr, Times, parse};

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
