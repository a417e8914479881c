//! What is told of targets: shared between the scrapes, which write it, and the API, which shows it.

use super::{labels::Labels, target::Target, units};
use crate::prometheus::Families;
use cairn_storage::{id::TenantId, time::Nanos};
use parking_lot::RwLock;
use std::{sync::Arc, time::Duration};

/// What the scraper has to tell. Empty where nothing is scraped.
#[derive(Debug, Default)]
pub struct Targets {
    /// Whose targets these are.
    tenant: Option<TenantId>,
    pools: RwLock<Vec<Pool>>,
}

/// The targets of one job.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) active: Vec<Arc<Entry>>,
    pub(super) dropped: Vec<Labels>,
    pub(super) dropped_count: usize,
}

/// A target that is scraped.
#[derive(Debug)]
pub(super) struct Entry {
    target: Target,
    last: RwLock<Last>,
}

#[derive(Debug, Default, Clone)]
struct Last {
    /// When the last scrape began, if there was one.
    began: Option<Nanos>,
    took: Duration,
    fault: Option<String>,
    families: Arc<Families>,
}

/// Whether a target could be scraped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Not scraped yet.
    Unknown,
    Up,
    Down,
}

impl Health {
    /// As Prometheus names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

/// Names and values.
pub type Pairs = Vec<(String, String)>;

/// A target that is scraped, as Prometheus' API tells of it.
#[derive(Debug, Clone)]
pub struct Active {
    /// Before relabeling.
    pub discovered: Pairs,
    pub labels: Pairs,
    /// The name of its job's settings.
    pub pool: String,
    pub url: String,
    /// Empty where the last scrape succeeded.
    pub last_error: String,
    pub last_scrape: Option<Nanos>,
    pub last_took: Duration,
    pub health: Health,
    pub interval: String,
    pub timeout: String,
    families: Arc<Families>,
}

/// What a target said of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub metric: String,
    /// Its type.
    pub of: &'static str,
    pub help: String,
    pub unit: String,
}

/// Targets of a job that its rules dropped.
#[derive(Debug, Clone)]
pub struct Dropped {
    pub pool: String,
    /// The labels of those that are shown, before relabeling.
    pub discovered: Vec<Pairs>,
    /// How many there are.
    pub count: usize,
}

impl Targets {
    pub(super) fn new(tenant: TenantId) -> Targets {
        Targets {
            tenant: Some(tenant),
            pools: RwLock::default(),
        }
    }

    /// Whether these are targets of `tenant`.
    pub fn are_of(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref() == Some(tenant)
    }

    /// The names of all pools, in the order of the settings.
    pub fn pools(&self) -> Vec<String> {
        let pools = self.pools.read();
        pools.iter().map(|pool| pool.name.clone()).collect()
    }

    /// The targets that are scraped, of one pool where one is named.
    pub fn active(&self, pool: Option<&str>) -> Vec<Active> {
        let pools = self.pools.read();
        let wanted = pools.iter().filter(|one| is_wanted(&one.name, pool));
        wanted
            .flat_map(|pool| &pool.active)
            .map(|entry| entry.shown())
            .collect()
    }

    /// The targets that rules dropped, by pool, of one pool where one is named.
    pub fn dropped(&self, pool: Option<&str>) -> Vec<Dropped> {
        let pools = self.pools.read();
        let wanted = pools.iter().filter(|one| is_wanted(&one.name, pool));
        wanted
            .map(|pool| Dropped {
                pool: pool.name.clone(),
                discovered: pool.dropped.iter().map(pairs).collect(),
                count: pool.dropped_count,
            })
            .collect()
    }

    pub(super) fn set(&self, pools: Vec<Pool>) {
        *self.pools.write() = pools;
    }
}

fn is_wanted(name: &str, pool: Option<&str>) -> bool {
    pool.is_none_or(|wanted| wanted == name)
}

fn pairs(labels: &Labels) -> Pairs {
    let own = |(name, value): (&str, &str)| (name.to_string(), value.to_string());
    labels.iter().map(own).collect()
}

impl Entry {
    pub(super) fn new(target: Target) -> Entry {
        Entry {
            target,
            last: RwLock::default(),
        }
    }

    /// Notes the end of a scrape.
    pub(super) fn note(
        &self,
        (began, took): (Nanos, Duration),
        fault: Option<String>,
        families: Option<Arc<Families>>,
    ) {
        let mut last = self.last.write();
        last.began = Some(began);
        last.took = took;
        last.fault = fault;
        if let Some(families) = families {
            last.families = families;
        }
    }

    /// Takes over what another entry for the same target knew.
    pub(super) fn inherit(&self, from: &Entry) {
        let last = from.last.read().clone();
        *self.last.write() = last;
    }

    fn shown(&self) -> Active {
        let (target, last) = (&self.target, self.last.read().clone());
        Active {
            discovered: pairs(&target.discovered),
            labels: pairs(&target.labels),
            pool: target.job.name.clone(),
            url: target.url.clone(),
            health: match (&last.began, &last.fault) {
                (None, _) => Health::Unknown,
                (Some(_), None) => Health::Up,
                (Some(_), Some(_)) => Health::Down,
            },
            last_error: last.fault.unwrap_or_default(),
            last_scrape: last.began,
            last_took: last.took,
            interval: units::shown(target.interval),
            timeout: units::shown(target.timeout),
            families: last.families,
        }
    }
}

impl Active {
    /// What the target said of its metrics, by name; of `metric` alone where one is named.
    pub fn metadata(&self, metric: Option<&str>) -> Vec<Metadata> {
        let known = self.families.iter();
        let wanted = known.filter(|(name, _)| metric.is_none_or(|one| one.as_bytes() == *name));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut all: Vec<Metadata> = wanted
            .map(|(name, family)| Metadata {
                metric: text(name),
                of: family.of.as_str(),
                help: text(&family.help),
                unit: text(&family.unit),
            })
            .collect();
        all.sort_by(|a, b| a.metric.cmp(&b.metric));
        all
    }
}
