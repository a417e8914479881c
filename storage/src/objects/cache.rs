//! A cache of blocks of objects of a remote bucket, in memory and on disk.
//!
//! Objects of segments are written once, so that nothing in it is ever wrong, only unused. A block that is nowhere is
//! fetched by one request, however many readers wait for it (`flight`), together with its neighbours that are missing too;
//! a request that takes longer than usual is sent again (`hedge`). Trouble with the disk is a miss, never an error.

mod disk;
mod extent;
mod flight;
mod hedge;
mod key;
mod tiers;

pub(crate) use disk::Capacity;
pub(crate) use extent::Extent;

use crate::{objects::counters::ReadCounters, telemetry::BucketTelemetry, world::World};
use bytes::{Bytes, BytesMut};
use flight::{Flight, Flights, Plan};
use futures::{
    StreamExt,
    future::{join_all, select},
    stream,
};
use hedge::Hedger;
use key::Key;
use object_store::{Error, ObjectStore, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tiers::{DISK_MEMORY_BYTES, Tiers};

/// How long a start waits for the disk.
const OPENING: Duration = Duration::from_secs(2);

/// Blocks that one reader looks for on disk at the same time.
const LOOKUPS: usize = 16;

/// Bytes that one query may have under way ahead of its readers.
const AHEAD_BYTES: u64 = 32 << 20;

/// Of the cache's memory: what all queries may have under way ahead of their readers.
const AHEAD_SHARE: u64 = 4;

/// Blocks of objects of a remote bucket.
pub(crate) struct BlockCache {
    tiers: Arc<Tiers>,
    flights: Flights,
    telemetry: BucketTelemetry,
    world: World,
    capacity: Capacity,
    /// Whether the attempt to open it is over.
    settled: Arc<AtomicBool>,
    ahead_bytes: AtomicU64,
}

/// The blocks of an object that a reader needs, by number.
type Blocks = BTreeMap<u64, Bytes>;

impl BlockCache {
    /// A cache of what `store` holds, with what an earlier life left on disk. It works on the current runtime.
    ///
    /// Where the disk takes long, it is opened in the background, and until then nothing is cached.
    pub(crate) async fn open(
        store: Arc<dyn ObjectStore>,
        world: &World,
        telemetry: BucketTelemetry,
        capacity: Capacity,
    ) -> BlockCache {
        let tiers = Arc::new(Tiers::new(telemetry.clone(), world.clock.clone()));
        let settled = Arc::new(AtomicBool::new(false));
        let opening = tokio::spawn({
            let (world, capacity, tiers) = (world.clone(), capacity.clone(), tiers.clone());
            let settled = settled.clone();
            async move {
                match disk::open(&world, &capacity).await {
                    Ok(hybrid) => tiers.open(hybrid),
                    Err(error) => tracing::error!(%error, "there is no cache"),
                }
                settled.store(true, Ordering::Release);
            }
        });
        select(opening, world.clock.sleep(OPENING)).await;
        let hedger = Hedger::new(store, world, telemetry.clone());
        BlockCache {
            flights: Flights::new(tiers.clone(), Arc::new(hedger)),
            tiers,
            telemetry,
            world: world.clone(),
            capacity,
            settled,
            ahead_bytes: AtomicU64::new(0),
        }
    }

    /// The bytes of each of `ranges`, which lie within the object, in their order.
    ///
    /// What a request had to be sent for is counted as such into `counters`, the rest as cached. An error is that of the
    /// bucket, also where the object is shorter than the catalog says; nothing of it is kept.
    pub(crate) async fn read(
        &self,
        extent: &Extent,
        ranges: &[Range<u64>],
        counters: &ReadCounters,
    ) -> Result<Vec<Bytes>> {
        let blocks = self.blocks(extent, ranges, counters).await?;
        Ok(ranges.iter().map(|r| cut(extent, r, &blocks)).collect())
    }

    /// Fetches what is missing of `ranges`, for readers to come; not when too much is under way for them already.
    pub(crate) async fn fetch_ahead(
        &self,
        extent: &Extent,
        ranges: &[Range<u64>],
        counters: &ReadCounters,
    ) {
        let mut missing = extent.needed(ranges);
        missing.retain(|number| self.lacks(extent, *number));
        self.widen(extent, &mut missing);
        let bytes = missing.iter().map(|n| length(&extent.block(*n))).sum();
        let most = (self.capacity.memory_bytes / AHEAD_SHARE).min(AHEAD_BYTES * 2);
        let query = Ahead::take(&counters.ahead_bytes, bytes, AHEAD_BYTES);
        let all = Ahead::take(&self.ahead_bytes, bytes, most);
        if query.is_none() || all.is_none() {
            return self.telemetry.count_prefetch("skipped");
        }
        // Requests of others bring what they bring.
        let own = self.flights.plan(extent, &missing).own;
        if own.is_empty() {
            return;
        }
        let landed = self.land(extent, own, "ahead", counters).await;
        let outcome = if landed.is_ok() { "fetched" } else { "failed" };
        self.telemetry.count_prefetch(outcome);
    }

    /// Forgets the blocks of an object that hold `ranges`.
    pub(crate) fn forget_ranges(&self, extent: &Extent, ranges: &[Range<u64>]) {
        for number in ranges.iter().flat_map(|range| extent.covering(range)) {
            self.tiers.remove(&Key::of(extent, number));
        }
    }

    /// Forgets an object that was deleted.
    pub(crate) fn forget(&self, extent: &Extent) {
        for number in extent.all() {
            self.tiers.remove(&Key::of(extent, number));
        }
    }

    /// Begins anew with nothing, in memory and on disk: no byte of what was deleted is left. `false`, and nothing happens,
    /// while it is being opened; an error where files cannot be removed.
    pub(crate) async fn renew(&self) -> crate::error::Result<bool> {
        if !self.settled.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.tiers.shut().await;
        disk::clear(&self.world, &self.capacity.folder).await?;
        match disk::open(&self.world, &self.capacity).await {
            Ok(hybrid) => self.tiers.open(hybrid),
            Err(error) => tracing::error!(%error, "there is no cache"),
        }
        Ok(true)
    }

    /// Bytes of blocks in memory now.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.tiers.memory_bytes()
    }

    /// The most memory that the cache takes, with what its disk needs.
    pub(crate) fn limit_bytes(&self) -> u64 {
        let disk = if self.capacity.disk_bytes > 0 {
            DISK_MEMORY_BYTES
        } else {
            0
        };
        self.capacity.memory_bytes + disk
    }

    /// Writes to disk what waits for it. What is read later is in memory only.
    pub(crate) async fn close(&self) {
        self.tiers.close().await;
    }

    async fn blocks(
        &self,
        extent: &Extent,
        ranges: &[Range<u64>],
        counters: &ReadCounters,
    ) -> Result<Blocks> {
        let (mut blocks, mut missing) = self.look_up(extent, ranges, counters).await;
        if missing.is_empty() {
            return Ok(blocks);
        }
        self.widen(extent, &mut missing);
        let Plan { found, joined, own } = self.flights.plan(extent, &missing);
        for (number, bytes) in found {
            self.count_cached("memory", &bytes, counters);
            blocks.insert(number, bytes);
        }
        let theirs = join_all(joined.iter().map(|(_, flight, _)| flight.clone()));
        let ours = self.land(extent, own, "bucket", counters);
        let (ours, theirs) = futures::join!(ours, theirs);
        blocks.append(&mut ours?);
        for ((number, _, at), landed) in joined.into_iter().zip(theirs) {
            let bytes = landed.blocks.map_err(own_error)?[at].clone();
            self.count_cached("shared", &bytes, counters);
            blocks.insert(number, bytes);
        }
        Ok(blocks)
    }

    /// Waits for requests of our own, and counts them.
    async fn land(
        &self,
        extent: &Extent,
        own: Vec<(Range<u64>, Flight)>,
        tier: &'static str,
        counters: &ReadCounters,
    ) -> Result<Blocks> {
        let (runs, flights): (Vec<Range<u64>>, Vec<Flight>) = own.into_iter().unzip();
        let bytes =
            |run: &Range<u64>| extent.block(run.end - 1).end - extent.block(run.start).start;
        for run in &runs {
            counters.count_requests(1, bytes(run));
        }
        let mut blocks = Blocks::new();
        for (run, landed) in runs.into_iter().zip(join_all(flights).await) {
            if landed.hedged {
                counters.count_requests(1, bytes(&run));
            }
            let fetched = landed.blocks.map_err(own_error)?;
            for (number, bytes) in run.zip(fetched.iter()) {
                self.telemetry.count_block(tier, bytes.len() as u64);
                blocks.insert(number, bytes.clone());
            }
        }
        Ok(blocks)
    }

    /// What memory and disk have of the blocks that `ranges` need, and what they have not.
    async fn look_up(
        &self,
        extent: &Extent,
        ranges: &[Range<u64>],
        counters: &ReadCounters,
    ) -> (Blocks, BTreeSet<u64>) {
        let needed = extent.needed(ranges);
        let looked = stream::iter(needed).map(|number| async move {
            let found = self.tiers.find(&Key::of(extent, number)).await;
            (number, found)
        });
        let mut looked = looked.buffer_unordered(LOOKUPS);
        let (mut blocks, mut missing) = (Blocks::new(), BTreeSet::new());
        while let Some((number, found)) = looked.next().await {
            if let Some((bytes, tier)) = found {
                self.count_cached(tier.as_str(), &bytes, counters);
                blocks.insert(number, bytes);
            } else {
                missing.insert(number);
            }
        }
        (blocks, missing)
    }

    /// Adds what else of a small object is not here: it comes in the same request.
    fn widen(&self, extent: &Extent, missing: &mut BTreeSet<u64>) {
        let together = extent.together();
        if missing.iter().any(|number| together.contains(number)) {
            missing.extend(together.filter(|number| self.lacks(extent, *number)));
        }
    }

    fn lacks(&self, extent: &Extent, number: u64) -> bool {
        !self.tiers.contains(&Key::of(extent, number))
    }

    fn count_cached(&self, tier: &'static str, bytes: &Bytes, counters: &ReadCounters) {
        self.telemetry.count_block(tier, bytes.len() as u64);
        counters.count_cached(bytes.len() as u64);
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// The bytes of `range`: of one block as they are, of several as a copy.
fn cut(extent: &Extent, range: &Range<u64>, blocks: &Blocks) -> Bytes {
    let mut parts = extent.covering(range).map(|number| {
        let block = extent.block(number);
        let from = range.start.max(block.start) - block.start;
        let to = range.end.min(block.end) - block.start;
        blocks[&number].slice(from as usize..to as usize)
    });
    let first = parts.next().unwrap_or_default();
    if first.len() as u64 == length(range) {
        return first;
    }
    let mut whole = BytesMut::with_capacity(length(range) as usize);
    whole.extend_from_slice(&first);
    parts.for_each(|part| whole.extend_from_slice(&part));
    whole.freeze()
}

/// An error of a request that others may have waited for.
fn own_error(shared: Arc<Error>) -> Error {
    match &*shared {
        Error::NotFound { path, .. } => Error::NotFound {
            path: path.clone(),
            source: shared.into(),
        },
        _ => Error::Generic {
            store: "bucket",
            source: shared.into(),
        },
    }
}

/// Bytes that are being fetched ahead, given back when dropped.
struct Ahead<'a> {
    count: &'a AtomicU64,
    bytes: u64,
}

impl<'a> Ahead<'a> {
    fn take(count: &'a AtomicU64, bytes: u64, most: u64) -> Option<Ahead<'a>> {
        let add = |under_way: u64| (under_way + bytes <= most).then_some(under_way + bytes);
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .ok()?;
        Some(Ahead { count, bytes })
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(crate) mod tests;
