//! `targets`, `targets/metadata`, `scrape_pools`: what the scraper does for the caller's tenant.

use super::{answer, failure::Failure, parameters::Parameters};
use crate::api::{asked::Read, state::Api};
use axum::{
    Extension,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use cairn_ingest::scrape::{Active, Metadata, Pairs, Targets};
use cairn_promql::matcher::Matcher;
use cairn_storage::time::Nanos;
use cairn_tenancy::principal::Principal;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// When a target was scraped that never was: Go's first instant, as Prometheus writes it.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// `targets`: those that are scraped and those that rules dropped.
pub(in crate::api) async fn targets(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let parameters = Parameters::read(query.as_deref(), b"")?;
    let state = parameters.get("state").unwrap_or("any").to_lowercase();
    let pool = parameters.get("scrapePool");
    let targets = own(&api, &principal)?;
    let mut active = Vec::new();
    if matches!(state.as_str(), "any" | "active") {
        active = targets.active(pool).iter().map(shown).collect();
    }
    let (mut dropped, mut counts) = (Vec::new(), Map::new());
    if matches!(state.as_str(), "any" | "dropped") {
        for pool in targets.dropped(pool) {
            counts.insert(pool.pool.clone(), pool.count.into());
            let of_pool = pool.discovered.iter().map(|discovered| {
                json!({ "discoveredLabels": labels(discovered), "scrapePool": pool.pool })
            });
            dropped.extend(of_pool);
        }
    }
    let data = json!({
        "activeTargets": active,
        "droppedTargets": dropped,
        "droppedTargetCounts": counts,
    });
    Ok(answer::data(&data, None, &headers))
}

/// `targets/metadata`: type, help and unit of metrics, as each target says them.
pub(in crate::api) async fn metadata(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let parameters = Parameters::read(query.as_deref(), b"")?;
    let matchers = parameters.selector("match_target")?.unwrap_or_default();
    let metric = parameters.get("metric");
    let most = parameters.limit("limit")?.unwrap_or(usize::MAX);
    let active = own(&api, &principal)?.active(None);
    let wanted = active.iter().filter(|target| accepts(&matchers, target));
    let all = wanted.flat_map(|target| {
        let said = target.metadata(metric).into_iter();
        said.map(|said| described(target, &said, metric.is_none()))
    });
    let data: Vec<Value> = all.take(most).collect();
    if data.is_empty() {
        return Err(Failure::not_found("specified metadata not found"));
    }
    Ok(answer::data(&Value::Array(data), None, &headers))
}

/// `scrape_pools`: the names of the jobs.
pub(in crate::api) async fn scrape_pools(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut pools = own(&api, &principal)?.pools();
    pools.sort();
    Ok(answer::data(
        &json!({ "scrapePools": pools }),
        None,
        &headers,
    ))
}

/// The targets of the caller's tenant; none where it is not the one that is scraped for.
fn own(api: &Api, principal: &Principal) -> Result<Arc<Targets>, Failure> {
    let targets = api.parts()?.targets;
    match targets.are_of(&principal.tenant) {
        true => Ok(targets),
        false => Ok(Arc::default()),
    }
}

fn shown(target: &Active) -> Value {
    json!({
        "discoveredLabels": labels(&target.discovered),
        "labels": labels(&target.labels),
        "scrapePool": target.pool,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": target.last_error,
        "lastScrape": target.last_scrape.map_or_else(|| NEVER.to_string(), Nanos::to_text),
        "lastScrapeDuration": target.last_took.as_secs_f64(),
        "health": target.health.as_str(),
        "scrapeInterval": target.interval,
        "scrapeTimeout": target.timeout,
    })
}

fn described(target: &Active, said: &Metadata, with_name: bool) -> Value {
    let mut described = json!({
        "target": labels(&target.labels),
        "type": said.of,
        "help": said.help,
        "unit": said.unit,
    });
    if with_name {
        described["metric"] = said.metric.as_str().into();
    }
    described
}

fn accepts(matchers: &[Matcher], target: &Active) -> bool {
    matchers.iter().all(|matcher| {
        let label = target.labels.iter().find(|(name, _)| *name == matcher.name);
        matcher.accepts(label.map_or("", |(_, value)| value))
    })
}

fn labels(pairs: &Pairs) -> Value {
    let pairs = pairs.iter();
    let pair = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
    Value::Object(pairs.map(pair).collect())
}
