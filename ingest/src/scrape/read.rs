//! Prometheus' settings for scraping: a file's text -> what is scraped and how.
//!
//! Source: Prometheus 3, "Configuration". A field that nobody knows is refused with its place; so is one that means
//! something that is not built, by its name.

mod http;
mod rules;

use super::{
    job::{Discovery, Format, Formats, Group, Job, Limits},
    labels::Labels,
    units,
    yaml::{self, Fields, Node, Wrong},
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Jobs of all files together.
const MAX_JOBS: usize = 10_000;

/// Prometheus' own defaults.
const USUAL_INTERVAL: Duration = Duration::from_secs(60);
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);
const USUAL_REFRESH: Duration = Duration::from_secs(5 * 60);

/// Shorter, and scraping is all that a target does.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Longer, and no clock of ours has a meaning.
const LONGEST_INTERVAL: Duration = Duration::from_secs(366 * 86_400);

/// Sections of Prometheus' file that are about something else than scraping.
const UNUSED: [&str; 9] = [
    "rule_files",
    "alerting",
    "remote_write",
    "remote_read",
    "storage",
    "tracing",
    "otlp",
    "runtime",
    "query",
];

/// Fields of `global` and of jobs that change nothing here: what they are about is never so, always so, or not asked.
const GLOBAL_UNUSED: [&str; 4] = [
    "evaluation_interval",
    "rule_query_offset",
    "query_log_file",
    "runtime",
];

/// Settings of a file without those that it names.
#[derive(Debug)]
pub(super) struct Main {
    pub(super) global: Global,
    pub(super) jobs: Vec<Arc<Job>>,
    /// Patterns of files with more `scrape_configs`.
    pub(super) more: Vec<PathBuf>,
    pub(super) unused: Vec<String>,
}

/// The section `global`.
#[derive(Debug, Clone)]
pub(super) struct Global {
    interval: Duration,
    timeout: Option<Duration>,
    protocols: Vec<Format>,
    native_histograms: bool,
    classic_histograms: bool,
    limits: Limits,
    pub(super) external_labels: Labels,
}

type Read<T> = Result<T, Wrong>;

impl Default for Global {
    fn default() -> Global {
        Global {
            interval: USUAL_INTERVAL,
            timeout: None,
            protocols: usual_protocols(false),
            native_histograms: false,
            classic_histograms: false,
            limits: Limits::default(),
            external_labels: Labels::default(),
        }
    }
}

/// Reads the main file, which lies in `folder`.
pub(super) fn main(text: &str, folder: &Path) -> Read<Main> {
    let mut fields = yaml::read(text)?.fields("the settings")?;
    let global = fields.read("global", read_global)?.unwrap_or_default();
    let jobs = jobs(&mut fields, &global, folder)?;
    let more = fields.read("scrape_config_files", Node::texts)?;
    let more = more.unwrap_or_default().into_iter();
    let more = more.map(|pattern| folder.join(pattern)).collect();
    let mut unused = Vec::new();
    for name in UNUSED {
        if fields.take(name).is_some() {
            unused.push(name.to_string());
        }
    }
    fields.end(|_| None)?;
    Ok(Main {
        global,
        jobs,
        more,
        unused,
    })
}

/// Reads a file that the main file names, which lies in `folder`.
pub(super) fn further(text: &str, folder: &Path, global: &Global) -> Read<Vec<Arc<Job>>> {
    let mut fields = yaml::read(text)?.fields("a file of scrape_config_files")?;
    let jobs = jobs(&mut fields, global, folder)?;
    fields.end(|_| None)?;
    Ok(jobs)
}

/// The first name that two jobs have, or that there are too many.
pub(super) fn fault(jobs: &[Arc<Job>]) -> Option<String> {
    if jobs.len() > MAX_JOBS {
        return Some(format!("there are more than {MAX_JOBS} scrape_configs"));
    }
    let mut known = HashSet::new();
    let twice = jobs.iter().find(|job| !known.insert(&job.name))?;
    Some(format!(
        "two scrape_configs have the job_name {:?}",
        twice.name
    ))
}

/// The groups of a file of targets.
pub(super) fn groups(node: Node) -> Read<Vec<Group>> {
    node.list()?.into_iter().map(group).collect()
}

fn group(node: Node) -> Read<Group> {
    let mut fields = node.fields("a group of targets")?;
    let targets = fields.read("targets", |node| {
        node.list()?.into_iter().map(address).collect()
    })?;
    let labels = fields.read("labels", labels)?.unwrap_or_default();
    fields.end(|_| None)?;
    Ok(Group {
        targets: targets.unwrap_or_default(),
        labels,
    })
}

fn address(node: Node) -> Read<String> {
    let place = node.place;
    let address = node.text()?;
    match address.contains('/') {
        true => Err(place.wrong(format!(
            "{address:?} is no address of a target: write host and port; the path is metrics_path"
        ))),
        false => Ok(address),
    }
}

fn labels(node: Node) -> Read<Labels> {
    let mut labels = Labels::default();
    for (name, place, value) in node.entries()? {
        if name.is_empty() {
            return Err(place.wrong("a label has no name"));
        }
        labels.set(&name, value.text()?);
    }
    Ok(labels)
}

fn read_global(node: Node) -> Read<Global> {
    let mut fields = node.fields("global")?;
    let mut global = Global::default();
    if let Some(interval) = fields.read("scrape_interval", interval)? {
        global.interval = interval;
    }
    global.timeout = fields.read("scrape_timeout", interval)?;
    if global
        .timeout
        .is_some_and(|timeout| timeout > global.interval)
    {
        return Err(fields.wrong("scrape_timeout is longer than scrape_interval"));
    }
    let native = fields.read("scrape_native_histograms", Node::boolean)?;
    global.native_histograms = native.unwrap_or(false);
    let classic = fields.read("always_scrape_classic_histograms", Node::boolean)?;
    global.classic_histograms = classic.unwrap_or(false);
    let protocols = fields.read("scrape_protocols", protocols)?;
    global.protocols = protocols.unwrap_or_else(|| usual_protocols(global.native_histograms));
    global.limits = limits(&mut fields, Limits::default())?;
    if let Some(labels) = fields.read("external_labels", labels)? {
        global.external_labels = labels;
    }
    names_in_utf8(&mut fields)?;
    for name in GLOBAL_UNUSED {
        fields.take(name);
    }
    fields.end(not_built)?;
    Ok(global)
}

fn jobs(fields: &mut Fields, global: &Global, folder: &Path) -> Read<Vec<Arc<Job>>> {
    let jobs = fields.read("scrape_configs", Node::list)?;
    let jobs = jobs.unwrap_or_default().into_iter();
    jobs.map(|node| Ok(Arc::new(job(node, global, folder)?)))
        .collect()
}

fn job(node: Node, global: &Global, folder: &Path) -> Read<Job> {
    let mut fields = node.fields("a scrape configuration")?;
    let name = fields.read("job_name", Node::text)?.unwrap_or_default();
    if name.is_empty() {
        return Err(fields.wrong("a scrape configuration has no job_name"));
    }
    let (interval, timeout) = times(&mut fields, global)?;
    let formats = formats(&mut fields, global)?;
    let mut flag = |name: &str, usual: bool| {
        let read = fields.read(name, Node::boolean)?;
        Ok::<_, Wrong>(read.unwrap_or(usual))
    };
    let honor_labels = flag("honor_labels", false)?;
    let honor_timestamps = flag("honor_timestamps", true)?;
    let track_timestamps_staleness = flag("track_timestamps_staleness", false)?;
    let scheme = fields.read("scheme", scheme)?;
    let metrics_path = fields.read("metrics_path", Node::text)?;
    let params = fields.read("params", params)?.unwrap_or_default();
    let limits = limits(&mut fields, global.limits)?;
    let http = http::read(&mut fields, folder)?;
    let discovery = discovery(&mut fields, folder)?;
    let relabel = fields.read("relabel_configs", rules::read)?;
    let metric_relabel = fields.read("metric_relabel_configs", rules::read)?;
    names_in_utf8(&mut fields)?;
    fields.end(not_built)?;
    Ok(Job {
        name,
        interval,
        timeout,
        metrics_path: metrics_path.unwrap_or_else(|| "/metrics".to_string()),
        scheme: scheme.unwrap_or_else(|| "http".to_string()),
        params,
        honor_labels,
        honor_timestamps,
        track_timestamps_staleness,
        formats,
        limits,
        http,
        discovery,
        relabel: relabel.unwrap_or_default(),
        metric_relabel: metric_relabel.unwrap_or_default(),
    })
}

/// The interval and the timeout of a job: its own, or those of `global` as far as they fit.
fn times(fields: &mut Fields, global: &Global) -> Read<(Duration, Duration)> {
    let interval_here = fields.read("scrape_interval", interval)?;
    let every = interval_here.unwrap_or(global.interval);
    let timeout = match fields.read("scrape_timeout", interval)? {
        Some(timeout) if timeout > every => {
            return Err(fields.wrong("scrape_timeout is longer than scrape_interval"));
        }
        Some(timeout) => timeout,
        None => global.timeout.unwrap_or(USUAL_TIMEOUT).min(every),
    };
    Ok((every, timeout))
}

fn formats(fields: &mut Fields, global: &Global) -> Read<Formats> {
    let native = fields.read("scrape_native_histograms", Node::boolean)?;
    let classic = fields.read("always_scrape_classic_histograms", Node::boolean)?;
    let own = fields.read("scrape_protocols", protocols)?;
    let compression = fields.read("enable_compression", Node::boolean)?;
    let usual = match native {
        Some(native) if native != global.native_histograms => usual_protocols(native),
        _ => global.protocols.clone(),
    };
    Ok(Formats {
        protocols: own.unwrap_or(usual),
        fallback: fields.read("fallback_scrape_protocol", protocol)?,
        compression: compression.unwrap_or(true),
        native_histograms: native.unwrap_or(global.native_histograms),
        classic_histograms: classic.unwrap_or(global.classic_histograms),
    })
}

fn limits(fields: &mut Fields, above: Limits) -> Read<Limits> {
    let body_bytes = fields.read("body_size_limit", bytes)?;
    let mut number = |name: &str, above: u64| {
        let read = fields.read(name, Node::number)?;
        Ok::<_, Wrong>(read.unwrap_or(above))
    };
    Ok(Limits {
        body_bytes: body_bytes.unwrap_or(above.body_bytes),
        samples: number("sample_limit", above.samples)?,
        labels: number("label_limit", above.labels)?,
        label_name_bytes: number("label_name_length_limit", above.label_name_bytes)?,
        label_value_bytes: number("label_value_length_limit", above.label_value_bytes)?,
        targets: number("target_limit", above.targets)?,
        dropped_targets: number("keep_dropped_targets", above.dropped_targets)?,
    })
}

fn discovery(fields: &mut Fields, folder: &Path) -> Read<Vec<Discovery>> {
    let mut found = Vec::new();
    if let Some(groups) = fields.read("static_configs", groups)? {
        found.push(Discovery::Static(groups));
    }
    let files = fields.read("file_sd_configs", Node::list)?;
    for node in files.unwrap_or_default() {
        found.push(file_discovery(node, folder)?);
    }
    Ok(found)
}

fn file_discovery(node: Node, folder: &Path) -> Read<Discovery> {
    let mut fields = node.fields("file_sd_configs")?;
    let mut patterns = Vec::new();
    let files = fields.read("files", Node::list)?;
    for node in files.unwrap_or_default() {
        let place = node.place;
        let pattern = node.text()?;
        let stars = pattern.matches('*').count();
        let in_name = pattern.rsplit('/').next().unwrap_or_default();
        let is_known = [".json", ".yml", ".yaml"]
            .iter()
            .any(|end| pattern.ends_with(end));
        if !is_known || stars > 1 || in_name.matches('*').count() != stars {
            return Err(place.wrong(format!(
                "{pattern:?} must end in .json, .yml or .yaml, and may have one * in its last part"
            )));
        }
        patterns.push(folder.join(pattern));
    }
    if patterns.is_empty() {
        return Err(fields.wrong("file_sd_configs name no files"));
    }
    let refresh = fields.read("refresh_interval", interval)?;
    fields.end(|_| None)?;
    Ok(Discovery::Files {
        patterns,
        refresh: refresh.unwrap_or(USUAL_REFRESH),
    })
}

fn params(node: Node) -> Read<Vec<(String, Vec<String>)>> {
    let entries = node.entries()?.into_iter();
    entries
        .map(|(name, _, values)| Ok((name, values.texts()?)))
        .collect()
}

fn scheme(node: Node) -> Read<String> {
    let place = node.place;
    let scheme = node.text()?.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" => Ok(scheme),
        _ => Err(place.wrong(format!("the scheme {scheme:?} is neither http nor https"))),
    }
}

fn interval(node: Node) -> Read<Duration> {
    let place = node.place;
    let text = node.text()?;
    let read =
        units::duration(&text).filter(|read| (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(read));
    read.ok_or_else(|| {
        place.wrong(format!(
            "{text:?} is no duration of 100ms to 1y: write a number with a unit, as 15s or 1m30s"
        ))
    })
}

fn bytes(node: Node) -> Read<u64> {
    let place = node.place;
    let text = node.text()?;
    units::bytes(&text)
        .ok_or_else(|| place.wrong(format!("{text:?} is no size: write 10MB and the like")))
}

fn protocols(node: Node) -> Read<Vec<Format>> {
    let place = node.place;
    let mut read: Vec<Format> = Vec::new();
    for node in node.list()? {
        let (place, format) = (node.place, protocol(node)?);
        if read.contains(&format) {
            return Err(place.wrong("a protocol stands twice in scrape_protocols"));
        }
        read.push(format);
    }
    match read.is_empty() {
        true => Err(place.wrong("scrape_protocols must name at least one")),
        false => Ok(read),
    }
}

fn protocol(node: Node) -> Read<Format> {
    let place = node.place;
    let name = node.text()?;
    Format::parse(&name).ok_or_else(|| {
        place.wrong(format!(
            "{name:?} is no protocol that is known: {}",
            Format::names()
        ))
    })
}

/// What Prometheus asks for where nobody says; protobuf first where native histograms are wanted.
fn usual_protocols(native: bool) -> Vec<Format> {
    let text = [
        Format::OpenMetrics1,
        Format::OpenMetrics0,
        Format::Text1,
        Format::Text0,
    ];
    let protobuf = native.then_some(Format::Protobuf);
    protobuf.into_iter().chain(text).collect()
}

/// Names are taken in all of UTF-8 and as they are: other wishes are refused.
fn names_in_utf8(fields: &mut Fields) -> Read<()> {
    let known = [
        ("metric_name_validation_scheme", "utf8"),
        ("metric_name_escaping_scheme", "allow-utf-8"),
    ];
    for (name, only) in known {
        let Some(node) = fields.take(name) else {
            continue;
        };
        let place = node.place;
        if node.text()? != only {
            return Err(place.wrong(format!("{name} is always {only} here")));
        }
    }
    Ok(())
}

/// What is said of fields that Prometheus has and the scraper does not.
fn not_built(name: &str) -> Option<String> {
    if let Some(kind) = name.strip_suffix("_sd_configs") {
        return Some(format!(
            "{name}: service discovery by {kind} is not built in; write its targets to a file and name that in \
             file_sd_configs"
        ));
    }
    let why = match name {
        "oauth2" | "sigv4" | "azuread" | "google_iam" => "these credentials are not built in",
        "proxy_url" | "no_proxy" | "proxy_from_environment" | "proxy_connect_header" => {
            "proxies are not built in"
        }
        "convert_classic_histograms_to_nhcb"
        | "native_histogram_bucket_limit"
        | "native_histogram_min_bucket_factor" => "histograms are kept as they come",
        "scrape_failure_log_file" => "failed scrapes are told by the log and by /targets",
        _ => return None,
    };
    Some(format!("{name}: {why}"))
}

#[cfg(test)]
mod tests;
