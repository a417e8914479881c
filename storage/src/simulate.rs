//! Storage under a seeded world: lives of a store with clients, flushes, deletions, kills, power cuts, outages, lost catalogs
//! and steps of the clock.
//!
//! After each start, all the time while it runs and at the end: what was acknowledged is there, once, until it has been kept
//! long enough or was deleted; nothing is there twice; nothing is there that nobody sent; nothing comes back that was gone. The same seed gives the same run, call by call. Run it with
//! `cargo xtask simulate --seeds N`.

mod deleted;
mod forgetful;
mod life;
mod model;
mod read;
mod records;
mod request;

pub use read::{Row, rows};
pub use records::TextDecode;

use crate::{
    catalog::{
        Catalog,
        memory::{CatalogFaults, MemoryCatalog},
    },
    config::{Config, Retention},
    objects::{
        faulty::{FaultyStore, ObjectFaults},
        local::LocalStore,
    },
    world::simulated::{self, Ended, Faults, Simulation, Stop},
};
use forgetful::{Forgetful, ForgetfulCatalog};
use life::Surroundings;

use crate::store::{SEGMENT_COMMITTED, SEGMENT_EXPIRED};
use model::{Model, Wrong};
use object_store::{ObjectStore, memory::InMemory};
use parking_lot::Mutex;
use std::{fmt, ops::RangeFrom, path::PathBuf, sync::Arc, time::Duration};

/// A protection to take out, to see that the simulation notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// fsync of a file does nothing.
    FileSync,
    /// fsync of a directory does nothing.
    DirectorySync,
    /// Retries are not recognised.
    Digest,
    /// Digests do not outlive the log.
    CommittedDigest,
    /// The catalog forgets up to where the log was flushed.
    FlushMark,
    /// The catalog forgets what was retired.
    Retired,
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The same for the same seed and code.
    pub trace: u64,
    pub lives: u64,
    /// Lives that ended by a kill or a power cut.
    pub crashes: u64,
    pub requests: u64,
    /// Segments that expired, as far as the catalog knows.
    pub expired: u64,
    /// Calls to the disk.
    pub calls: u64,
    /// The last commit sequence.
    pub sequence: u64,
    /// Deletions that were acknowledged.
    pub deletions: u64,
    /// Segments that were made of others and committed, since the catalog was last lost.
    pub merges: u64,
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub life: u64,
    pub what: String,
    /// The last calls to the disk.
    pub calls: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, life {}: {}", self.seed, self.life, self.what)
    }
}

impl std::error::Error for Failure {}

/// A machine, the parts around it, and what the clients know.
struct Machine {
    simulation: Simulation,
    config: Config,
    catalog: Arc<MemoryCatalog>,
    /// Where the bucket is far away; else it is a folder on the machine.
    far_bucket: Option<FaultyStore>,
    model: Arc<Mutex<Model>>,
    forgets: Forgetful,
    /// Whether the wall clock is set all the time.
    steps: bool,
    /// The life in which the wall clock is a year ahead, where there is one.
    ahead_in: Option<u64>,
}

/// How far ahead the clock is in such a life: far more than rows are kept.
const AHEAD_NANOS: i64 = 366 * 24 * 3_600_000_000_000;

/// Lives with clients before the last one.
const LIVES: u64 = 4;

/// Runs one seed.
pub fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Report, Box<Failure>> {
    let machine = Machine::new(seed, sabotage);
    let mut report = Report {
        trace: 0,
        lives: 0,
        crashes: 0,
        requests: 0,
        expired: 0,
        calls: 0,
        sequence: 0,
        deletions: 0,
        merges: 0,
    };
    let failed = |life, what| {
        let calls = machine.simulation.recent();
        Box::new(Failure {
            seed,
            life,
            what,
            calls,
        })
    };
    for life in 0..LIVES {
        let crashed = machine.busy_life(life).map_err(|what| failed(life, what))?;
        report.crashes += u64::from(crashed);
        report.lives += 1;
    }
    report.sequence = machine.last_life().map_err(|what| failed(LIVES, what))?;
    report.lives += 1;
    report.merges = machine.events(SEGMENT_COMMITTED, 1..);
    report.requests = machine.model.lock().requests.len() as u64;
    report.deletions = machine.model.lock().deletions.acknowledged().len() as u64;
    report.expired = machine.events(SEGMENT_EXPIRED, 0..);
    report.calls = machine.simulation.calls();
    report.trace = machine.simulation.trace();
    Ok(report)
}

impl Machine {
    fn new(seed: u64, sabotage: Option<Sabotage>) -> Machine {
        let simulation = Simulation::new(seed);
        simulation.set_sabotage(simulated::Sabotage {
            skip_file_sync: sabotage == Some(Sabotage::FileSync),
            skip_directory_sync: sabotage == Some(Sabotage::DirectorySync),
        });
        let forgets = Forgetful {
            marks: sabotage == Some(Sabotage::FlushMark),
            digests: sabotage == Some(Sabotage::CommittedDigest),
            retired: sabotage == Some(Sabotage::Retired),
        };
        let far = simulation.below(2) == 0;
        let far_bucket =
            far.then(|| FaultyStore::new(Arc::new(InMemory::new()), simulation.world()));
        // Of every two machines one has a clock that nobody can trust: nothing expires there, because the rows have the
        // times of that clock. On the others hours pass between lives, and rows are kept for a day.
        let steps = simulation.below(2) == 0;
        let days = u32::from(!steps);
        let config = Config {
            data_dir: PathBuf::from("/data"),
            bucket: if far {
                "memory://far".to_string()
            } else {
                "local".to_string()
            },
            // Small, so that every run has flushes by size and by age, and files of the log that come and go.
            memory_bytes: 8 << 20,
            flush_bytes: 256 << 10,
            flush_age_seconds: 1,
            small_segment_bytes: 1,
            small_flush_age_seconds: 2,
            wal_file_bytes: 64 << 10,
            disk_bytes: 16 << 20,
            // Merges within a life, and merges of merges.
            compaction_target_bytes: 64 << 10,
            compaction_segments: 3,
            // Longer than a run.
            retry_window_seconds: if sabotage == Some(Sabotage::Digest) {
                0
            } else {
                100 * 86_400
            },
            retention: Retention {
                logs_days: days,
                spans_days: days,
                dead_letters_days: 0,
                ..Retention::default()
            },
            ..Config::default()
        };
        let catalog = Arc::new(MemoryCatalog::new(simulation.world()));
        let kept = (days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400));
        let ahead_in = match simulation.below(2 * LIVES) {
            life if life < LIVES && !steps => Some(life),
            _ => None,
        };
        Machine {
            steps,
            ahead_in,
            simulation,
            config,
            catalog,
            far_bucket,
            model: Arc::new(Mutex::new(Model::new(kept))),
            forgets,
        }
    }

    /// Integration events of a kind about segments of a level.
    fn events(&self, kind: &str, levels: RangeFrom<u64>) -> u64 {
        let events = futures::executor::block_on(self.catalog.events(0, u32::MAX));
        let level = |body: &str| {
            let body: serde_json::Value = serde_json::from_str(body).ok()?;
            body["level"].as_u64()
        };
        let events = events.unwrap_or_default().into_iter();
        let wanted = events.filter(|(_, event)| {
            event.kind == kind && level(&event.body).is_some_and(|level| levels.contains(&level))
        });
        wanted.count() as u64
    }

    fn surroundings(&self, faulty: bool, ahead_nanos: i64) -> Surroundings {
        let world = self.simulation.world();
        let bucket: Arc<dyn ObjectStore> = match &self.far_bucket {
            Some(bucket) => Arc::new(bucket.clone()),
            None => {
                let root = self.config.data_dir.join("bucket");
                Arc::new(LocalStore::new(world.clone(), root))
            }
        };
        let catalog: Arc<dyn Catalog> =
            Arc::new(ForgetfulCatalog::new(self.catalog.clone(), self.forgets));
        let (config, model) = (self.config.clone(), self.model.clone());
        let steps = self.steps.then(|| self.simulation.wall_clock());
        Surroundings {
            steps,
            world,
            config,
            catalog,
            bucket,
            model,
            faulty,
            ahead_nanos,
        }
    }

    /// A life with clients; whether it was cut short.
    fn busy_life(&self, life: u64) -> Result<bool, Wrong> {
        let below = |limit| self.simulation.below(limit);
        let faulty = below(2) == 0;
        self.set_faults(faulty);
        if below(3) > 0 {
            let stop = if below(2) == 0 {
                Stop::Kill
            } else {
                Stop::PowerCut
            };
            self.simulation.stop_after(1 + below(600), stop);
        }
        let ahead_nanos = match self.ahead_in == Some(life) {
            true => AHEAD_NANOS,
            false => 0,
        };
        self.simulation.step_wall_clock(ahead_nanos);
        let surroundings = self.surroundings(faulty, ahead_nanos);
        let ended = self.simulation.run(surroundings.busy());
        self.simulation.step_wall_clock(-ahead_nanos);
        self.simulation.cancel_stop();
        self.set_faults(false);
        self.model.lock().passed(self.simulation.now());
        if below(3) == 0 {
            let hours = below(6) as i64 - 3;
            self.simulation.step_wall_clock(hours * 3_600_000_000_000);
        }
        if below(8) == 0 {
            self.catalog.lose();
            self.model.lock().forget_digests();
        }
        self.simulation.pass(Duration::from_secs(below(30)));
        if !self.steps {
            // With the step of above less than a day: what is more is no step but a clock to be doubted.
            self.simulation
                .pass(Duration::from_secs(3_600 * (8 + below(12))));
        }
        match ended {
            Ended::Finished(outcome) => {
                // The machine may lose its power after the process has gone, too.
                if below(2) == 0 {
                    self.simulation.cut_power();
                }
                outcome.map(|()| false)
            }
            Ended::Stopped(_) => Ok(true),
        }
    }

    fn last_life(&self) -> Result<u64, Wrong> {
        match self.simulation.run(self.surroundings(false, 0).last()) {
            Ended::Finished(outcome) => outcome,
            Ended::Stopped(stop) => Err(format!("the last life ended by {stop:?}")),
        }
    }

    fn set_faults(&self, faulty: bool) {
        let chance = |probability: f64| if faulty { probability } else { 0.0 };
        self.simulation.set_faults(Faults {
            read: 0.0,
            write: chance(0.01),
            full: chance(0.01),
            sync: chance(0.02),
            names: chance(0.01),
        });
        self.catalog.set_faults(CatalogFaults {
            refused: chance(0.1),
            reply_lost: chance(0.1),
        });
        if let Some(bucket) = &self.far_bucket {
            bucket.set_faults(ObjectFaults {
                // Now and then it is out of reach for a whole life.
                outage: faulty && self.simulation.below(4) == 0,
                refused: chance(0.2),
                reply_lost: chance(0.1),
                repeated: chance(0.1),
            });
        }
    }
}

#[cfg(test)]
mod tests;
