//! What a discovery found -> a target with its labels and address, or none.
//!
//! Source: Prometheus 3, "Configuration", `relabel_config`: which labels a target begins with and which remain.

use super::{
    job::Job,
    labels::{
        ADDRESS, INSTANCE, INTERVAL, JOB, Labels, META, METRICS_PATH, PARAMETER, RESERVED, SCHEME,
        TIMEOUT,
    },
    relabel, units,
};
use std::{sync::Arc, time::Duration};
use xxhash_rust::xxh3::xxh3_128;

/// Shorter, and scraping is all that a target does.
const SHORTEST: Duration = Duration::from_millis(100);

/// A target of a job.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) job: Arc<Job>,
    /// Before relabeling.
    pub(super) discovered: Labels,
    /// Those that its series get.
    pub(super) labels: Labels,
    pub(super) url: String,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    /// Tells targets of all jobs apart.
    pub(super) id: u128,
}

/// What became of one that was discovered.
#[derive(Debug)]
pub(super) enum Made {
    Target(Box<Target>),
    /// Dropped by a rule; with the labels it was discovered with.
    Dropped(Labels),
}

/// Makes a target of the labels that a discovery gave; a text says why it cannot be one.
pub(super) fn make(job: &Arc<Job>, found: Labels) -> Result<Made, String> {
    let discovered = with_settings(job, found);
    let mut labels = discovered.clone();
    if !relabel::apply(&job.relabel, &mut labels) {
        return Ok(Made::Dropped(discovered));
    }
    let address = labels.get(ADDRESS).to_string();
    if address.is_empty() {
        return Err("a target has no address after relabel_configs".to_string());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is no address of a target"));
    }
    let interval = time(&labels, INTERVAL)?;
    let timeout = time(&labels, TIMEOUT)?;
    if timeout > interval {
        return Err(format!(
            "the timeout of {address} is longer than its interval"
        ));
    }
    labels.retain(|name| !name.starts_with(META));
    labels.set_missing(INSTANCE, &address);
    let url = url(job, &labels, &address);
    let (of_job, of_labels) = (xxh3_128(job.name.as_bytes()), labels.hash());
    let id = [of_job.to_le_bytes(), of_labels.to_le_bytes()].concat();
    let id = xxh3_128(&[&id, url.as_bytes()].concat());
    labels.retain(|name| !name.starts_with(RESERVED));
    Ok(Made::Target(Box::new(Target {
        job: job.clone(),
        discovered,
        labels,
        url,
        interval,
        timeout,
        id,
    })))
}

/// The labels with what the settings of the job say, where they do not say it themselves.
fn with_settings(job: &Job, mut labels: Labels) -> Labels {
    labels.set_missing(JOB, &job.name);
    labels.set_missing(INTERVAL, &units::shown(job.interval));
    labels.set_missing(TIMEOUT, &units::shown(job.timeout));
    labels.set_missing(METRICS_PATH, &job.metrics_path);
    labels.set_missing(SCHEME, &job.scheme);
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            labels.set_missing(&format!("{PARAMETER}{name}"), first);
        }
    }
    labels
}

fn time(labels: &Labels, name: &str) -> Result<Duration, String> {
    let text = labels.get(name);
    units::duration(text)
        .filter(|time| *time >= SHORTEST)
        .ok_or_else(|| format!("{name} is {text:?}, which is no duration of 100ms or more"))
}

/// The address that is asked. A label `__param_x` is the first value of the parameter `x`.
fn url(job: &Job, labels: &Labels, address: &str) -> String {
    let mut params = job.params.clone();
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix(PARAMETER) else {
            continue;
        };
        match params.iter_mut().find(|param| param.0 == name) {
            Some((_, values)) if !values.is_empty() => values[0] = value.to_string(),
            Some((_, values)) => values.push(value.to_string()),
            None => params.push((name.to_string(), vec![value.to_string()])),
        }
    }
    params.sort_by(|a, b| a.0.cmp(&b.0));
    let pairs: Vec<(&str, &str)> = params
        .iter()
        .flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| (name.as_str(), value.as_str()))
        })
        .collect();
    let query = serde_urlencoded::to_string(&pairs).unwrap_or_default();
    let (scheme, path) = (labels.get(SCHEME), labels.get(METRICS_PATH));
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{address}{slash}{path}{mark}{query}")
}

#[cfg(test)]
mod tests;
