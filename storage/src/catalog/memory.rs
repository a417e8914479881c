//! The catalog of the simulator: the same behaviour in memory, with calls that fail and replies that get lost.
//!
//! The harness keeps the value over simulated restarts, as a database server would stay up.

use super::{
    Catalog, CatalogState, Commit, Contents, Digest, Event, FlushMark, MAX_EVENTS,
    row::group_digests,
};
use crate::{
    deletion::Tombstone,
    error::{Error, Result},
    id::{OwnerId, SegmentId, TenantId, TombstoneId},
    schema::FIRST_PROMOTED_FIELD_ID,
    segment::SegmentMeta,
    signal::{Signal, Table},
    world::World,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A call takes up to this long, so that others come between.
const LONGEST_CALL_MICROS: u64 = 3_000;

/// How often calls that write fail, each a probability from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CatalogFaults {
    /// The call fails and nothing happens.
    pub refused: f64,
    /// All happens and the reply gets lost.
    pub reply_lost: f64,
}

/// A catalog in memory.
pub struct MemoryCatalog {
    world: World,
    faults: Mutex<CatalogFaults>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    owner: Option<OwnerId>,
    last_sequence: u64,
    live: BTreeMap<SegmentId, SegmentMeta>,
    retired: BTreeMap<SegmentId, SegmentMeta>,
    marks: BTreeMap<(u32, TenantId, Signal), u64>,
    /// In the order of their commits.
    digests: Vec<Digest>,
    events: BTreeMap<u64, Event>,
    tombstones: BTreeMap<TombstoneId, Tombstone>,
    last_event: u64,
    fields: BTreeMap<(Table, String), i32>,
    epoch: u64,
    commits: u64,
}

impl MemoryCatalog {
    /// An empty catalog whose calls take a little of the world's time.
    pub fn new(world: World) -> MemoryCatalog {
        MemoryCatalog {
            world,
            faults: Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// How often calls that write fail from now on.
    pub fn set_faults(&self, faults: CatalogFaults) {
        *self.faults.lock() = faults;
    }

    /// Forgets everything, as a catalog whose file is gone.
    pub fn lose(&self) {
        *self.state.lock() = State::default();
    }

    /// Runs `work` on the state, or fails before, or fails after.
    async fn write<T>(&self, work: impl FnOnce(&mut State) -> Result<T> + Send) -> Result<T> {
        let micros = self.world.random.next() % LONGEST_CALL_MICROS;
        self.world.clock.sleep(Duration::from_micros(micros)).await;
        let faults = *self.faults.lock();
        // One draw in either case, so that other draws stay where they are.
        let luck = (self.world.random.next() >> 11) as f64 / (1u64 << 53) as f64;
        if luck < faults.refused {
            return Err(unavailable("the call failed"));
        }
        let done = work(&mut self.state.lock());
        if luck < faults.refused + faults.reply_lost {
            return Err(unavailable("the reply was lost"));
        }
        done
    }
}

fn unavailable(detail: &str) -> Error {
    Error::Unavailable {
        what: "the catalog",
        detail: detail.to_string(),
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn load(&self) -> Result<CatalogState> {
        Ok(self.state.lock().loaded())
    }

    async fn begin_epoch(&self) -> Result<u64> {
        self.write(|state| {
            state.epoch += 1;
            Ok(state.epoch)
        })
        .await
    }

    async fn set_owner(&self, owner: OwnerId) -> Result<()> {
        self.write(|state| {
            state.owner = Some(owner);
            Ok(())
        })
        .await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        self.write(|state| state.commit(commit)).await
    }

    async fn field_ids(&self, table: Table, columns: &[String]) -> Result<Vec<i32>> {
        self.write(|state| {
            Ok(columns
                .iter()
                .map(|column| state.field_id(table, column))
                .collect())
        })
        .await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<(u64, Event)>> {
        let state = self.state.lock();
        let events = state
            .events
            .range(after.saturating_add(1)..)
            .take(limit as usize);
        Ok(events
            .map(|(number, event)| (*number, event.clone()))
            .collect())
    }

    async fn scrub(&self) -> Result<()> {
        self.write(|_| Ok(())).await
    }

    async fn commits(&self) -> Result<u64> {
        Ok(self.state.lock().commits)
    }

    async fn contents(&self) -> Result<Contents> {
        let state = self.state.lock();
        let fields = state.fields.iter();
        let first = state.last_event.saturating_sub(u64::from(MAX_EVENTS)) + 1;
        let events = state.events.range(first..);
        Ok(Contents {
            state: state.loaded(),
            field_ids: fields
                .map(|((table, column), id)| (*table, column.clone(), *id))
                .collect(),
            events: events
                .map(|(number, event)| (*number, event.clone()))
                .collect(),
            last_event: state.last_event,
            epoch: state.epoch,
            commits: state.commits,
        })
    }

    async fn replace_all(&self, contents: Contents) -> Result<()> {
        self.write(|state| {
            let new = contents.state;
            let fields = contents
                .field_ids
                .into_iter()
                .map(|(table, column, id)| ((table, column), id));
            let retired = new.retired.into_iter().map(|meta| (meta.id, meta));
            let mut replaced = State {
                owner: new.owner,
                last_sequence: new.last_sequence,
                retired: retired.collect(),
                fields: fields.collect(),
                events: contents.events.into_iter().collect(),
                epoch: state.epoch.max(contents.epoch),
                last_event: state.last_event.max(contents.last_event),
                commits: state.commits.max(contents.commits),
                ..State::default()
            };
            replaced.commit(Commit {
                add: new.segments,
                flushed_through: new.flushed_through,
                digests: new.digests,
                tombstones: new.tombstones,
                ..Commit::default()
            })?;
            *state = replaced;
            Ok(())
        })
        .await
    }
}

impl State {
    fn loaded(&self) -> CatalogState {
        let mark =
            |((shard, tenant, signal), sequence): (&(u32, TenantId, Signal), &u64)| FlushMark {
                shard: *shard,
                tenant: tenant.clone(),
                signal: *signal,
                sequence: *sequence,
            };
        CatalogState {
            owner: self.owner,
            last_sequence: self.last_sequence,
            segments: self.live.values().cloned().collect(),
            retired: self.retired.values().cloned().collect(),
            flushed_through: self.marks.iter().map(mark).collect(),
            digests: self.digests.clone(),
            tombstones: self.tombstones.values().cloned().collect(),
            damaged: Vec::new(),
        }
    }

    fn commit(&mut self, commit: Commit) -> Result<()> {
        self.check(&commit)?;
        self.commits += 1;
        for id in commit.replace {
            self.retired
                .extend(self.live.remove(&id).map(|meta| (id, meta)));
        }
        for id in commit.forget {
            self.retired.remove(&id);
        }
        self.retired
            .extend(commit.announce.into_iter().map(|meta| (meta.id, meta)));
        self.live
            .extend(commit.add.into_iter().map(|meta| (meta.id, meta)));
        for mark in commit.flushed_through {
            let reached = self
                .marks
                .entry((mark.shard, mark.tenant, mark.signal))
                .or_default();
            *reached = mark.sequence.max(*reached);
        }
        let from = commit.forget_digests_before;
        self.digests
            .retain(|digest| from.is_none_or(|from| digest.received >= from));
        self.digests.extend(group_digests(commit.digests));
        for event in commit.events {
            self.last_event += 1;
            self.events.insert(self.last_event, event);
        }
        let tombstones = commit.tombstones.into_iter();
        self.tombstones
            .extend(tombstones.map(|tombstone| (tombstone.id, tombstone)));
        Ok(())
    }

    /// Refuses a commit that does not fit, before anything of it is done.
    fn check(&self, commit: &Commit) -> Result<()> {
        let mut added = BTreeSet::new();
        for meta in commit.add.iter().chain(&commit.announce) {
            let is_retired =
                self.retired.contains_key(&meta.id) && !commit.forget.contains(&meta.id);
            let known = self.live.contains_key(&meta.id) || is_retired;
            if known || !added.insert(meta.id) {
                return Err(conflict(format!("segment {} exists already", meta.id)));
            }
        }
        let mut replaced = BTreeSet::new();
        for id in &commit.replace {
            if !self.live.contains_key(id) || !replaced.insert(*id) {
                return Err(conflict(format!("segment {id} is not live")));
            }
        }
        Ok(())
    }

    fn field_id(&mut self, table: Table, column: &str) -> i32 {
        if let Some(id) = self.fields.get(&(table, column.to_string())) {
            return *id;
        }
        let of_table = self.fields.iter().filter(|((of, _), _)| *of == table);
        let highest = of_table
            .map(|(_, id)| *id)
            .max()
            .unwrap_or(FIRST_PROMOTED_FIELD_ID - 1);
        self.fields.insert((table, column.to_string()), highest + 1);
        highest + 1
    }
}

fn conflict(detail: String) -> Error {
    Error::Conflict {
        what: "the catalog",
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::conformance, world::simulated::Simulation};

    #[test]
    fn conforms() {
        let simulation = Simulation::new(1);
        simulation.run(conformance::suite(async || {
            Box::new(MemoryCatalog::new(simulation.world())) as Box<dyn Catalog>
        }));
    }

    #[test]
    fn a_refused_call_does_nothing_and_a_lost_reply_does_all() {
        let simulation = Simulation::new(1);
        simulation.run(async {
            let catalog = MemoryCatalog::new(simulation.world());
            catalog.set_faults(CatalogFaults {
                refused: 1.0,
                reply_lost: 0.0,
            });
            catalog.begin_epoch().await.expect_err("refused");
            catalog.set_faults(CatalogFaults {
                refused: 0.0,
                reply_lost: 1.0,
            });
            catalog.begin_epoch().await.expect_err("lost");
            catalog.set_faults(CatalogFaults::default());
            assert_eq!(catalog.begin_epoch().await.expect("works"), 2);
        });
    }
}
