//! `index/stats`, `index/volume` and `index/volume_range`: how much there is.

use super::{
    answer,
    failure::Failure,
    parameters::{HOUR_NS, Interval, MOST_LINES, Parameters, USUAL_LINES},
};
use crate::api::asked::Asked;
use axum::response::Response;
use cairn_logql::Labels;
use cairn_query::logql::questions::{Asking, Counting, Tally, Which};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a question that counts asks for.
fn asking(
    asked: &Asked<Parameters>,
    interval: Interval,
    counting: Counting,
) -> Result<Asking, Failure> {
    Ok(Asking {
        tenant: asked.principal.tenant.clone(),
        which: Which {
            selectors: asked.parameters.selectors(&["query"])?,
            from_ns: interval.start_ns,
            through_ns: interval.end_ns,
            counting,
        },
        deadline: None,
    })
}

fn interval(asked: &Asked<Parameters>) -> Result<Interval, Failure> {
    let clock = asked.api.world.clock.as_ref();
    asked.parameters.interval(clock, HOUR_NS)
}

/// `index/stats`: streams, entries, and the bytes of their lines. Chunks, which there are none of, are segments.
pub(in crate::api) async fn stats(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let interval = interval(&asked)?;
    let asking = asking(&asked, interval, Counting::All)?;
    let (tallies, end) = asked.api.parts()?.engine.log_streams(asking).await?;
    let stats = json!({
        "streams": tallies.len(),
        "chunks": end.completeness.segments_read,
        "entries": tallies.iter().map(|tally| tally.entries).sum::<u64>(),
        "bytes": tallies.iter().map(|tally| tally.bytes).sum::<u64>(),
    });
    Ok(answer::plain(&stats, Some(&end), &asked.headers))
}

/// `index/volume`: the bytes of the lines by labels, most first.
pub(in crate::api) async fn volume(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let interval = interval(&asked)?;
    let asking = asking(&asked, interval, Counting::All)?;
    let grouping = Grouping::new(&asked.parameters, &asking)?;
    let limit = asked.parameters.limit("limit", (USUAL_LINES, MOST_LINES))?;
    let (tallies, end) = asked.api.parts()?.engine.log_streams(asking).await?;
    let element = |(labels, pieces): (Labels, Pieces)| {
        let total: u64 = pieces.values().sum();
        json!({
            "metric": answer::labels(&labels),
            "value": answer::sample((interval.end_ns, total as f64)),
        })
    };
    let result: Vec<Value> = grouping.group(&tallies, limit).map(element).collect();
    let data = json!({ "resultType": "vector", "result": result, "stats": {} });
    Ok(answer::success(data, Some(&end), &asked.headers))
}

/// `index/volume_range`: the same for every `step`; a value stands at the beginning of its step.
pub(in crate::api) async fn volume_range(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let interval = interval(&asked)?;
    let step = asked.parameters.step_ns(interval)?;
    let asking = asking(&asked, interval, Counting::Every(step))?;
    let grouping = Grouping::new(&asked.parameters, &asking)?;
    let limit = asked.parameters.limit("limit", (USUAL_LINES, MOST_LINES))?;
    let (tallies, end) = asked.api.parts()?.engine.log_streams(asking).await?;
    let series = |(labels, pieces): (Labels, Pieces)| {
        let at = |piece: i64| interval.start_ns.saturating_add(piece.saturating_mul(step));
        let values: Vec<Value> = pieces
            .iter()
            .map(|(piece, bytes)| answer::sample((at(*piece), *bytes as f64)))
            .collect();
        json!({ "metric": answer::labels(&labels), "values": values })
    };
    let result: Vec<Value> = grouping.group(&tallies, limit).map(series).collect();
    let data = json!({ "resultType": "matrix", "result": result, "stats": {} });
    Ok(answer::success(data, Some(&end), &asked.headers))
}

/// Bytes by the piece of time.
type Pieces = BTreeMap<i64, u64>;

/// What volumes are added up by.
enum Grouping {
    /// Streams that have the same values of these labels; of all labels where there are none named.
    Series(BTreeSet<String>),
    /// Each label for itself, whatever its value.
    Labels(BTreeSet<String>),
}

impl Grouping {
    fn new(parameters: &Parameters, asking: &Asking) -> Result<Grouping, Failure> {
        let targets = parameters.get("targetLabels").unwrap_or_default();
        let targets = targets
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let targets: BTreeSet<String> = targets.map(str::to_owned).collect();
        match parameters.get("aggregateBy").unwrap_or("series") {
            "labels" => Ok(Grouping::Labels(targets)),
            "series" if !targets.is_empty() => Ok(Grouping::Series(targets)),
            "series" => {
                let matchers = asking.which.selectors.iter().flatten();
                Ok(Grouping::Series(
                    matchers.map(|matcher| matcher.name.clone()).collect(),
                ))
            }
            _ => Err(Failure::invalid(
                "invalid aggregation option: series or labels",
            )),
        }
    }

    /// The labels that a stream counts for.
    fn of(&self, labels: &Labels) -> Vec<Labels> {
        let is_wanted =
            |names: &BTreeSet<String>, name: &str| names.is_empty() || names.contains(name);
        match self {
            Grouping::Series(names) => vec![labels.filtered(|name| is_wanted(names, name))],
            Grouping::Labels(names) => labels
                .iter()
                .filter(|(name, _)| is_wanted(names, name))
                .map(|(name, _)| [(name, "")].into_iter().collect())
                .collect(),
        }
    }

    /// The groups with most bytes, at most `limit`.
    fn group(&self, tallies: &[Tally], limit: usize) -> impl Iterator<Item = (Labels, Pieces)> {
        let mut groups: BTreeMap<Labels, Pieces> = BTreeMap::new();
        for tally in tallies {
            for labels in self.of(&tally.labels) {
                let pieces = groups.entry(labels).or_default();
                *pieces.entry(tally.piece).or_default() += tally.bytes;
            }
        }
        let mut groups: Vec<(Labels, Pieces)> = groups.into_iter().collect();
        groups.sort_by_key(|(_, pieces)| std::cmp::Reverse(pieces.values().sum::<u64>()));
        groups.into_iter().take(limit)
    }
}
