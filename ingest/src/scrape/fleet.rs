//! All targets that are scraped: begun, handed on and ended as settings and discoveries say.

use super::{
    board::{Entry, Pool, Targets},
    client::{Client, Configs},
    discover::Found,
    job::Job,
    page::Place,
    seen::Seen,
    target::Target,
    watch::{Shared, Watch},
};
use crate::scrape::labels::Labels;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The targets that are scraped.
pub(super) struct Fleet {
    shared: Arc<Shared>,
    board: Arc<Targets>,
    running: HashMap<u128, Running>,
    max_targets: usize,
}

/// A target's task.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Watch>,
    entry: Arc<Entry>,
    /// The settings that it began with.
    job: Arc<Job>,
    over_limit: Option<u64>,
}

/// Clients by the name of their job, or what is wrong with its settings.
pub(super) type Clients = HashMap<String, Result<Client, String>>;

/// Makes the clients of `jobs`. Blocks.
pub(super) fn clients(jobs: &[Arc<Job>], world: &cairn_storage::world::World) -> Clients {
    let mut configs = Configs::default();
    let made = jobs.iter().map(|job| {
        let client = Client::new(job, &mut configs, world);
        if let Err(detail) = &client {
            tracing::error!(
                job = job.name,
                detail,
                "a job cannot be scraped: its settings of TLS do not work"
            );
        }
        (job.name.clone(), client)
    });
    made.collect()
}

impl Fleet {
    pub(super) fn new(shared: Arc<Shared>, board: Arc<Targets>, max_targets: usize) -> Fleet {
        Fleet {
            shared,
            board,
            running: HashMap::new(),
            max_targets,
        }
    }

    /// Scrapes what was `found` and nothing else.
    pub(super) async fn sync(&mut self, found: Vec<Found>, clients: &Clients, external: &Labels) {
        let count: usize = found.iter().map(|found| found.targets.len()).sum();
        let over = count.saturating_sub(self.max_targets);
        self.shared.telemetry.targets(count - over, over);
        let mut wanted = HashSet::new();
        let mut pools = Vec::new();
        for found in found {
            let mut active = Vec::new();
            for target in found.targets {
                let is_new = !wanted.contains(&target.id);
                if !is_new || wanted.len() == self.max_targets {
                    continue;
                }
                wanted.insert(target.id);
                let settings = (clients, external, found.over_limit);
                active.push(self.watch(target, settings).await);
            }
            pools.push(Pool {
                name: found.job.name.clone(),
                active,
                dropped: found.dropped,
                dropped_count: found.dropped_count,
            });
        }
        self.board.set(pools);
        let gone: Vec<u128> = self.running.keys().copied().collect();
        for id in gone.into_iter().filter(|id| !wanted.contains(id)) {
            if let Some(watch) = self.halt(id).await {
                watch.end().await;
            }
        }
    }

    /// Scrapes a target, with what is known of its series where it is scraped already.
    async fn watch(
        &mut self,
        target: Target,
        (clients, external, over_limit): (&Clients, &Labels, Option<u64>),
    ) -> Arc<Entry> {
        let job = target.job.clone();
        let mut before = None;
        if let Some(running) = self.running.get(&target.id) {
            let is_same = Arc::ptr_eq(&running.job, &job)
                && running.over_limit == over_limit
                && !running.task.is_finished();
            if is_same {
                return running.entry.clone();
            }
            before = self.halt(target.id).await;
        }
        let entry = Arc::new(Entry::new(target.clone()));
        let (seen, failed) = match before {
            Some(before) => {
                entry.inherit(&before.entry);
                (before.seen, before.failed)
            }
            None => (Seen::new(self.shared.pipeline.store.budget().empty()), None),
        };
        let no_client = || Err("the job has no client".to_string());
        let watch = Watch {
            place: Place {
                job: job.clone(),
                labels: target.labels.clone(),
                external: external.clone(),
            },
            client: clients.get(&job.name).cloned().unwrap_or_else(no_client),
            over_limit,
            seen,
            entry: entry.clone(),
            shared: self.shared.clone(),
            failed,
            target,
        };
        let id = watch.target.id;
        let stop = CancellationToken::new();
        let running = Running {
            task: tokio::spawn(watch.run(stop.clone())),
            stop,
            entry: entry.clone(),
            job,
            over_limit,
        };
        self.running.insert(id, running);
        entry
    }

    /// Stops scraping a target; none where its task is gone with all that it knew.
    async fn halt(&mut self, id: u128) -> Option<Watch> {
        let running = self.running.remove(&id)?;
        running.stop.cancel();
        match running.task.await {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::error!(%error, "the scrapes of a target ended before their time");
                None
            }
        }
    }

    /// Ends all scrapes. Series have no end then: they go on when the server does.
    pub(super) async fn stop(mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        let ids: Vec<u128> = self.running.keys().copied().collect();
        for id in ids {
            self.halt(id).await;
        }
    }
}
