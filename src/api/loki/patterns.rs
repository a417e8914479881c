//! `patterns`: the templates that the newest lines follow, with counts over time.

use super::{
    answer,
    failure::Failure,
    parameters::{HOUR_NS, Parameters},
};
use crate::api::asked::Asked;
use axum::response::Response;
use cairn_query::{
    logql::{Direction, LogqlAnswer, LogqlRequest},
    patterns::{Miner, Pattern},
};
use serde_json::{Value, json};

/// Lines that are looked at.
const MOST_LINES: usize = 20_000;

/// Patterns that are shown.
const MOST_PATTERNS: usize = 300;

/// Patterns of lines that `query` selects, most frequent first: `[[<second>, <count>], …]` by `step`.
pub(in crate::api) async fn patterns(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let interval = asked
        .parameters
        .interval(asked.api.world.clock.as_ref(), HOUR_NS)?;
    let step = asked.parameters.step_ns(interval)?;
    let request = LogqlRequest {
        tenant: asked.principal.tenant,
        query: asked.parameters.log_query().to_owned(),
        start_ns: interval.start_ns,
        end_ns: interval.end_ns,
        step_ns: 0,
        limit: MOST_LINES,
        direction: Direction::Backward,
        interval_ns: 0,
        sequences: None,
        deadline: None,
    };
    let (found, end) = asked.api.parts()?.engine.logql(request).await?;
    let LogqlAnswer::Lines(lines) = found else {
        return Err(Failure::invalid("only log queries have patterns"));
    };
    let bucket = |time_ns: i64| {
        let bucket = time_ns.saturating_sub(interval.start_ns) / step;
        usize::try_from(bucket).unwrap_or(0)
    };
    let mut miner = Miner::new(bucket(interval.end_ns) + 1);
    for line in lines.iter().filter(|line| !line.text.is_empty()) {
        miner.add(&line.text, bucket(line.time_ns));
    }
    let shown = |pattern: &Pattern| {
        let counts = pattern
            .trend
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        let samples: Vec<Value> = counts
            .map(|(bucket, count)| {
                let since = i64::try_from(bucket)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(step);
                let time = interval.start_ns.saturating_add(since);
                json!([time.div_euclid(1_000_000_000), count])
            })
            .collect();
        json!({ "pattern": pattern.template, "samples": samples })
    };
    let patterns = miner.finish();
    let shown: Vec<Value> = patterns.iter().take(MOST_PATTERNS).map(shown).collect();
    Ok(answer::success(
        Value::Array(shown),
        Some(&end),
        &asked.headers,
    ))
}
