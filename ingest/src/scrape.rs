//! The scraper: asks targets for their metrics at every interval, as Prometheus does, and stores what they say.
//!
//! The flow: `load` reads the files of settings (`yaml`, `units`, `read`) into a plan (`job`, `relabel`) - `discover` makes
//! targets of it (`files`, `target`, `labels`) - `fleet` has a task for each - `watch` scrapes one: `client` asks, `page`
//! makes a request of the answer (`text`, `protobuf`, `point`, `seen`), the pipeline stores it - `board` is what the API
//! shows.
//!
//! Held everywhere:
//! - A target is scraped by one scrape at a time; a page is stored whole or not at all, with the report of its scrape.
//! - A series that ends gets a marker in the request that shows its end.
//! - Bodies, targets, scrapes at the same time and files have limits; what is kept of series is paid from the store's budget.
//! - Bad settings never replace good ones.
//!
//! Source: Prometheus 3, "Configuration", "Jobs and instances", "Exposition formats".

mod board;
mod client;
mod discover;
mod fault;
mod files;
mod fleet;
mod job;
mod labels;
mod load;
mod page;
mod point;
mod protobuf;
mod read;
mod relabel;
mod seen;
mod target;
mod text;
mod units;
mod watch;
mod yaml;

pub use board::{Active, Dropped, Health, Metadata, Pairs, Targets};

use crate::{
    config::{Config, Scrape},
    error::Result,
    pipeline::Pipeline,
    telemetry::scrape::Telemetry,
};
use cairn_storage::{id::TenantId, world::World};
use discover::{Discoverer, Told};
use files::{Files, Print};
use fleet::{Clients, Fleet};
use job::Plan;
use load::{Loaded, load};
use prometheus_client::registry::Registry;
use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use watch::Shared;

/// How often files are looked at. A look asks the system for their times, and reads those that changed.
const LOOK: Duration = Duration::from_secs(2);

/// Asks targets for metrics until the shutdown.
pub struct Scraper {
    path: PathBuf,
    max_targets: usize,
    shared: Arc<Shared>,
    board: Arc<Targets>,
    world: World,
}

/// What is known of the settings.
struct Settings {
    files: Files,
    path: PathBuf,
    plan: Option<Arc<Plan>>,
    clients: Arc<Clients>,
    discoverer: Discoverer,
    /// The files that the settings depend on, and how they were when they were read.
    depends_on: Vec<PathBuf>,
    print: Print,
    /// Faults that were told.
    told: HashSet<String>,
}

/// What a look at the files found.
struct Look {
    found: Option<Vec<discover::Found>>,
    /// Of settings that were read: how that went.
    read: Option<bool>,
    bad_files: u64,
}

impl Scraper {
    /// A scraper into `pipeline` as `config` says; none where it names no file. `is_open` is a server without keys.
    ///
    /// Fails when `config` cannot work. The file is read by [`Scraper::run`], again and again: one that is wrong is told
    /// in the log and by `ingest_scrape_config_ok`.
    pub fn new(
        pipeline: Arc<Pipeline>,
        (config, limits, is_open): (&Scrape, &Config, bool),
        registry: &mut Registry,
    ) -> Result<Option<Scraper>> {
        config.validate()?;
        if config.config_file.is_empty() {
            return Ok(None);
        }
        let tenant: TenantId = config.tenant(is_open)?;
        let permits = usize::try_from(config.max_concurrent).unwrap_or(usize::MAX);
        let world = pipeline.store.world().clone();
        let shared = Arc::new(Shared {
            pipeline,
            tenant: tenant.clone(),
            telemetry: Telemetry::new(registry),
            permits: Semaphore::new(permits.min(Semaphore::MAX_PERMITS)),
            limit_bytes: limits.max_request_bytes,
        });
        Ok(Some(Scraper {
            path: PathBuf::from(&config.config_file),
            max_targets: usize::try_from(config.max_targets).unwrap_or(usize::MAX),
            shared,
            board: Arc::new(Targets::new(tenant)),
            world,
        }))
    }

    /// What is told of the targets.
    pub fn targets(&self) -> Arc<Targets> {
        self.board.clone()
    }

    /// Scrapes until `shutdown`, and returns when what was scraped is stored.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut settings = Settings {
            files: Files::new(self.world.disk.clone()),
            path: self.path.clone(),
            plan: None,
            clients: Arc::default(),
            discoverer: Discoverer::default(),
            depends_on: Vec::new(),
            print: Print::new(),
            told: HashSet::new(),
        };
        let mut fleet = Fleet::new(self.shared.clone(), self.board.clone(), self.max_targets);
        while !shutdown.is_cancelled() {
            let world = self.world.clone();
            let work = move || {
                let look = settings.look(&world);
                (settings, look)
            };
            // A panic in there is a bug of ours, which this task does not outlive: the server says so and stops.
            let (kept, look) = match self.world.blocking(work).await {
                Ok(looked) => looked,
                Err(error) => {
                    tracing::error!(%error, "looking at the settings of scrapes");
                    break;
                }
            };
            settings = kept;
            self.note(&look);
            if let (Some(plan), Some(found)) = (&settings.plan, look.found) {
                let clients = settings.clients.clone();
                fleet.sync(found, &clients, &plan.external_labels).await;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.world.clock.sleep(LOOK) => {}
            }
        }
        fleet.stop().await;
    }

    fn note(&self, look: &Look) {
        if let Some(is_good) = look.read {
            self.shared.telemetry.settings_read(is_good);
        }
        self.shared.telemetry.bad_files(look.bad_files);
    }
}

impl Settings {
    /// Reads settings that changed, and finds the targets of those that are in force. Blocks.
    fn look(&mut self, world: &World) -> Look {
        let print = self.files.print(&self.depends_on);
        let has_changed = self.depends_on.is_empty() || print != self.print;
        let read = has_changed.then(|| self.read(print, world));
        let mut told = Told::default();
        let now = world.clock.monotonic();
        let found = self.plan.clone().map(|plan| {
            let files = &self.files;
            self.discoverer.look(&plan, files, now, &mut told)
        });
        for fault in &told.faults {
            if !self.told.contains(fault) {
                tracing::warn!(fault, "targets of scrapes");
            }
        }
        self.told = told.faults.into_iter().collect();
        Look {
            found,
            read,
            bad_files: told.bad_files,
        }
    }

    /// Reads the settings, whose files were as in `before`; whether they are good.
    fn read(&mut self, before: Print, world: &World) -> bool {
        let Loaded { plan, depends_on } = load(&self.files, &self.path);
        // A file that changes while it is read is read again: its time from before counts.
        let mut print = self.files.print(&depends_on);
        for (path, status) in &mut print {
            if let Some((_, earlier)) = before.iter().find(|(known, _)| known == path) {
                *status = *earlier;
            }
        }
        (self.depends_on, self.print) = (depends_on, print);
        match plan {
            Ok(plan) => {
                let (jobs, unused) = (plan.jobs.len(), &plan.unused);
                tracing::info!(jobs, "scraping as the settings say");
                if !unused.is_empty() {
                    tracing::warn!(sections = ?unused, "sections of the settings that mean nothing to a scraper");
                }
                self.clients = Arc::new(fleet::clients(&plan.jobs, world));
                self.plan = Some(Arc::new(plan));
                true
            }
            Err(fault) => {
                let kept = self.plan.is_some();
                tracing::error!(
                    fault,
                    kept,
                    "the settings of scrapes cannot be used; those from before stay in force"
                );
                false
            }
        }
    }
}
