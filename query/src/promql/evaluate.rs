//! One PromQL query from its text to its value, on a lane.

use super::{remembered::Site, source::StoredSeries};
use crate::{
    config::Config,
    error::{Error, Result},
};
use cairn_promql::query::{Answer, Options, Query};
use cairn_storage::id::TenantId;
use parking_lot::Mutex;
use std::time::Duration;

/// A query and who asks it. Times in milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct PromqlRequest {
    pub tenant: TenantId,
    pub query: String,
    pub start_ms: i64,
    pub end_ms: i64,
    /// Between two steps; 0 asks for the one instant `start_ms`.
    pub step_ms: i64,
    /// How far back a value counts; the usual five minutes where `None`.
    pub lookback: Option<Duration>,
    /// From now to the answer; the configured limit where `None` or longer than that.
    pub deadline: Option<Duration>,
    /// Wait until requests up to this commit sequence can be seen.
    pub min_sequence: Option<u64>,
}

impl StoredSeries {
    /// The series that a question at `site` sees.
    pub(super) fn at(site: Site) -> StoredSeries {
        let Site { place, memory } = site;
        StoredSeries {
            most_series: most_series(&place.config),
            // The other half is for what reads the points, and for the answer.
            budget_bytes: usize::try_from(place.config.statement_memory_bytes / 2)
                .unwrap_or(usize::MAX),
            session: place.session,
            memory,
            handle: place.handle,
            stop: place.stop,
            timeout: place.timeout,
            known: Mutex::default(),
        }
    }
}

/// A series takes about half a kilobyte before any point of it is read; a quarter of a statement's memory is for that.
fn most_series(config: &Config) -> usize {
    usize::try_from(config.statement_memory_bytes / 4 / 512).unwrap_or(usize::MAX)
}

/// Evaluates `request` at `site`.
pub(crate) fn evaluate(request: &PromqlRequest, site: Site) -> Result<Answer> {
    let mut options = Options::range(request.start_ms, request.end_ms, request.step_ms);
    options.experimental = site.place.config.promql_experimental_functions;
    if let Some(lookback) = request.lookback {
        options.lookback_ms = i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX);
    }
    let query = Query::new(&request.query, options).map_err(inward)?;
    let source = StoredSeries::at(site);
    let interrupt = || match source.stop.is_cancelled() {
        true => Err(cairn_promql::error::Error::Source(Box::new(
            Error::TimedOut(source.timeout),
        ))),
        false => Ok(()),
    };
    query.evaluate(&source, &interrupt).map_err(inward)
}

/// An error of an evaluation as one of ours.
pub(super) fn inward(error: cairn_promql::error::Error) -> Error {
    match error {
        cairn_promql::error::Error::Source(source) => match source.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => Error::Internal(format!("evaluating PromQL: {other}")),
        },
        other => Error::Promql(other),
    }
}
