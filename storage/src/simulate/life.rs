//! One life of a store on a simulated machine: start, clients, flushes, and an end.

use super::{
    model::{Model, Wrong},
    read,
    records::{TextDecode, admit},
};
use crate::{
    append::{Append, Decode, Outcome},
    budget::Reservation,
    catalog::Catalog,
    config::Config,
    error::{Error, Result},
    signal::Encoding,
    store::{Parts, Store},
    telemetry::Telemetry,
    time::Nanos,
    world::{World, simulated::WallClock},
};
use object_store::ObjectStore;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// What a process finds when it starts.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) world: World,
    pub(super) config: Config,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) bucket: Arc<dyn ObjectStore>,
    pub(super) model: Arc<Mutex<Model>>,
    /// Whether the machine may fail: then errors are no news.
    pub(super) faulty: bool,
    /// How far ahead the wall clock is all this life.
    pub(super) ahead_nanos: i64,
    /// The wall clock, where it is set all the time.
    pub(super) steps: Option<WallClock>,
}

const HOUR_SECONDS: i64 = 3_600;
const YEAR_SECONDS: i64 = 366 * 24 * HOUR_SECONDS;

/// How far from the true time the wall clock is put: what daylight saving, a bad time server and a dead battery do.
const CLOCK_ERRORS_SECONDS: [i64; 9] = [
    0,
    1,
    -1,
    2 * HOUR_SECONDS,
    -2 * HOUR_SECONDS,
    YEAR_SECONDS,
    -YEAR_SECONDS,
    30 * YEAR_SECONDS,
    // 1971: a machine without a battery thinks that it is about then.
    -55 * YEAR_SECONDS,
];

/// Between two steps of the clock at most: a client is there for a few seconds.
const STEP_MILLISECONDS: u64 = 1_500;

/// Longer than objects of retired segments stay.
const GRACE: Duration = Duration::from_secs(700);

/// Clients that send at the same time.
const CLIENTS: u64 = 4;

/// What each client does before it goes.
const STEPS: u64 = 12;

impl Surroundings {
    pub(super) async fn open(&self) -> Result<Arc<Store>> {
        Store::open(Parts {
            world: self.world.clone(),
            config: self.config.clone(),
            catalog: self.catalog.clone(),
            bucket: self.bucket.clone(),
            decode: Arc::new(TextDecode),
            telemetry: Telemetry::unregistered(),
        })
        .await
    }

    /// A life with clients; ends with a clean shutdown, or without one.
    pub(super) async fn busy(self) -> Result<(), Wrong> {
        let store = match self.open().await {
            Ok(store) => store,
            Err(error) => return self.allow("the store did not start", error),
        };
        self.verify(&store).await?;
        let shutdown = CancellationToken::new();
        let background = {
            let (store, shutdown) = (store.clone(), shutdown.clone());
            tokio::spawn(async move { store.run(shutdown).await })
        };
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(self.clone().client(store.clone())))
            .collect();
        let watcher = tokio::spawn(self.clone().watch(store.clone(), shutdown.clone()));
        let stepper = tokio::spawn(self.clone().step_clock(shutdown.clone()));
        for client in clients {
            client
                .await
                .map_err(|e| format!("a client ended with {e}"))??;
        }
        shutdown.cancel();
        stepper
            .await
            .map_err(|e| format!("the clock's setter ended with {e}"))?;
        watcher
            .await
            .map_err(|e| format!("the watcher ended with {e}"))??;
        if self.below(2) == 0 {
            return Ok(());
        }
        background
            .await
            .map_err(|e| format!("the background ended with {e}"))?;
        if let Err(error) = store.close().await {
            return self.allow("the store did not close", error);
        }
        self.verify(&store).await
    }

    /// The last life: everything is acknowledged and flushed in the end, and shows exactly once.
    pub(super) async fn last(self) -> Result<u64, Wrong> {
        let store = self
            .open()
            .await
            .map_err(|e| format!("the store did not start: {e}"))?;
        self.verify(&store).await?;
        let open: Vec<usize> = {
            let model = self.model.lock();
            (0..model.requests.len())
                .filter(|number| model.requests[*number].acknowledged.is_none())
                .collect()
        };
        for number in open {
            self.send(&store, number).await?;
        }
        self.verify(&store).await?;
        store
            .flush_all()
            .await
            .map_err(|e| format!("the last flush failed: {e}"))?;
        let snapshots = Model::tables().map(|(tenant, signal)| store.snapshot(&tenant, signal));
        let buffered: usize = snapshots.map(|snapshot| snapshot.buffered.len()).sum();
        if buffered > 0 {
            return Err(format!(
                "{buffered} requests are buffered after everything was flushed"
            ));
        }
        self.verify(&store).await?;
        self.finish_deletions(&store).await?;
        self.verify(&store).await?;
        store
            .close()
            .await
            .map_err(|e| format!("the store did not close: {e}"))?;
        Ok(store.sequence())
    }

    /// Every deletion gets done when the machine works.
    async fn finish_deletions(&self, store: &Store) -> Result<(), Wrong> {
        for _ in 0..4 {
            let erased = store.erase().await;
            let left = erased.map_err(|e| format!("deletions come no further: {e}"))?;
            if left == 0 {
                return Ok(());
            }
            self.world.clock.sleep(GRACE).await;
        }
        let tenants = Model::tables().map(|(tenant, _)| tenant);
        let all = tenants.flat_map(|tenant| store.tombstones(&tenant));
        let left: Vec<_> = all.filter(|t| t.completed.is_none()).collect();
        Err(format!("deletions are not done: {left:?}"))
    }

    /// Compares everything that the store shows with what the clients know.
    pub(super) async fn verify(&self, store: &Store) -> Result<(), Wrong> {
        // Before the snapshots: what is acknowledged meanwhile may be in them or not.
        let acknowledged = self.model.lock().acknowledged();
        for (tenant, signal) in Model::tables() {
            let read = read::rows(store, &tenant, signal).await;
            let (rows, _) = match read {
                Ok(read) => read,
                Err(error) => {
                    self.allow(&format!("{tenant}/{signal} cannot be read"), error)?;
                    continue;
                }
            };
            let mut model = self.model.lock();
            model.passed(self.true_time());
            model.check((&tenant, signal), &rows, &acknowledged)?;
        }
        Ok(())
    }

    async fn watch(self, store: Arc<Store>, shutdown: CancellationToken) -> Result<(), Wrong> {
        while !shutdown.is_cancelled() {
            self.verify(&store).await?;
            self.world
                .clock
                .sleep(Duration::from_millis(1 + self.below(300)))
                .await;
        }
        Ok(())
    }

    /// Sets the wall clock now and then, by hours and by years.
    async fn step_clock(self, shutdown: CancellationToken) {
        let Some(wall) = &self.steps else {
            return;
        };
        while !shutdown.is_cancelled() {
            let wait = Duration::from_millis(1 + self.below(STEP_MILLISECONDS));
            self.world.clock.sleep(wait).await;
            let choice = self.below(CLOCK_ERRORS_SECONDS.len() as u64) as usize;
            wall.set_error(CLOCK_ERRORS_SECONDS[choice] * 1_000_000_000);
        }
    }

    async fn client(self, store: Arc<Store>) -> Result<(), Wrong> {
        for _ in 0..STEPS {
            self.world
                .clock
                .sleep(Duration::from_micros(self.below(400_000)))
                .await;
            match self.below(20) {
                0 => {
                    // Failures show in the next verification, if they lost anything.
                    let _ = store.flush_all().await;
                }
                5 => self.delete(&store).await?,
                1..=4 => {
                    if let Some(number) = self.known() {
                        self.send(&store, number).await?;
                    }
                }
                _ => {
                    let now = self.world.clock.now();
                    let number = self.model.lock().offer(&*self.world.random, now);
                    self.send(&store, number).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes some records of what was sent.
    async fn delete(&self, store: &Store) -> Result<(), Wrong> {
        let offered = {
            let mut model = self.model.lock();
            let Model {
                requests,
                deletions,
                ..
            } = &mut *model;
            deletions.offer(requests, &*self.world.random)
        };
        let Some((number, tenant, signal, predicate)) = offered else {
            return Ok(());
        };
        match store.delete(&tenant, signal, predicate, "a client").await {
            Ok(tombstone) => {
                let mut model = self.model.lock();
                model.deletions.acknowledge(number, tombstone.sequence);
                Ok(())
            }
            Err(error) => self.allow("a deletion was refused", error),
        }
    }

    /// A request that may be sent again: one in doubt, or one that was acknowledged and has times.
    fn known(&self) -> Option<usize> {
        let model = self.model.lock();
        let requests = model.requests.iter().enumerate();
        let again: Vec<usize> = requests
            .filter(|(_, request)| request.deduped() || request.acknowledged.is_none())
            .map(|(number, _)| number)
            .collect();
        let position = self.below(again.len().max(1) as u64) as usize;
        again.get(position).copied()
    }

    /// Sends a request as a client with retries does: a few times, byte by byte the same.
    async fn send(&self, store: &Store, number: usize) -> Result<(), Wrong> {
        for _ in 0..4 {
            let (before, deduped) = {
                let model = self.model.lock();
                let request = &model.requests[number];
                (request.acknowledged, request.deduped())
            };
            if before.is_some() && !deduped {
                // Another client with the same request got its answer meanwhile, and a repetition that is not deduped
                // counts as a new request: nobody sends it again.
                return Ok(());
            }
            let sent = self.append(store, number).await;
            let outcome = match sent {
                Ok(outcome) => outcome,
                Err(error) => {
                    self.allow(&format!("request {number} was refused"), error)?;
                    self.world
                        .clock
                        .sleep(Duration::from_millis(1 + self.below(200)))
                        .await;
                    continue;
                }
            };
            return self.acknowledged(store, number, before, &outcome);
        }
        Ok(())
    }

    fn acknowledged(
        &self,
        store: &Store,
        number: usize,
        before: Option<u64>,
        outcome: &Outcome,
    ) -> Result<(), Wrong> {
        if store.sequence() < outcome.sequence {
            return Err(format!(
                "request {number} was acknowledged before it was visible"
            ));
        }
        let mut model = self.model.lock();
        let request = &mut model.requests[number];
        if before.is_some_and(|before| before != outcome.sequence || !outcome.deduplicated) {
            return Err(format!(
                "request {number} was acknowledged twice: {before:?}, {outcome:?}"
            ));
        }
        request.acknowledged = Some(outcome.sequence);
        Ok(())
    }

    async fn append(&self, store: &Store, number: usize) -> Result<Outcome> {
        let request = self.model.lock().requests[number].clone();
        let received = self.world.clock.now();
        let (signal, encoding) = (request.signal, Encoding::OtlpProtobuf);
        let mut decoded = TextDecode
            .decode(signal, encoding, 1, &request.payload, received)
            .map_err(Error::Internal)?;
        let refusals = admit(&mut decoded, &request.payload);
        let reservation: Reservation = store.budget().reserve(request.payload.len() as u64)?;
        let append = Append {
            tenant: request.tenant,
            signal,
            encoding,
            decoder_version: 1,
            received,
            payload: request.payload,
            decoded,
            refusals,
        };
        store.append(append, reservation).await
    }

    /// An error is no news on a faulty machine, and is wrong on one that works.
    fn allow(&self, what: &str, error: Error) -> Result<(), Wrong> {
        if self.faulty {
            Ok(())
        } else {
            Err(format!("{what}: {error}"))
        }
    }

    /// What the wall clock would say if it were not ahead.
    fn true_time(&self) -> Nanos {
        Nanos(self.world.clock.now().0 - self.ahead_nanos)
    }

    fn below(&self, limit: u64) -> u64 {
        self.world.random.next() % limit.max(1)
    }
}
