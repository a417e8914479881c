//! Reads of a bucket, sent a second time where the first takes longer than reads of that size do.

use crate::{
    telemetry::BucketTelemetry,
    world::{Clock, World},
};
use bytes::Bytes;
use futures::future::{Either, select};
use object_store::{ObjectStore, ObjectStoreExt, Result, path::Path};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Reads of up to so many bytes are compared with each other; larger ones are a class of their own.
const CLASSES: [u64; 3] = [256 << 10, 1 << 20, 4 << 20];

/// Reads of a class that are remembered.
const REMEMBERED: usize = 128;

/// Before so many reads nobody knows what is slow.
const FEWEST: usize = 20;

/// What is slow, before it is known.
const FIRST_BOUND: Duration = Duration::from_secs(1);

/// Nothing faster than this is slow: a second request costs money.
const LOWEST_BOUND: Duration = Duration::from_millis(50);

/// Of so many reads one may be sent again: a bucket that is slow as a whole gets no faster by more work.
const READS_A_HEDGE: u64 = 10;

/// Reads ranges of objects, and knows how long that takes.
pub(super) struct Hedger {
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    telemetry: BucketTelemetry,
    recent: [Mutex<VecDeque<Duration>>; CLASSES.len() + 1],
    reads: AtomicU64,
    hedges: AtomicU64,
}

/// What came of a read.
pub(super) struct Answer {
    pub(super) bytes: Result<Bytes>,
    /// Whether it was sent twice.
    pub(super) hedged: bool,
}

impl Hedger {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        world: &World,
        telemetry: BucketTelemetry,
    ) -> Hedger {
        Hedger {
            store,
            clock: world.clock.clone(),
            telemetry,
            recent: Default::default(),
            reads: AtomicU64::new(0),
            hedges: AtomicU64::new(0),
        }
    }

    /// The bytes of `range`, fewer where the object ends before: in one request, or two when the first is slow.
    pub(super) async fn get(&self, path: &Path, range: Range<u64>) -> Answer {
        let began = self.clock.monotonic();
        self.reads.fetch_add(1, Ordering::Relaxed);
        let class = CLASSES.partition_point(|most| *most < range.end - range.start);
        let bound = self.bound(class);
        let first = Box::pin(self.store.get_range(path, range.clone()));
        let sleep = self.clock.sleep(bound);
        let (bytes, hedged) = match select(first, sleep).await {
            Either::Left((bytes, _)) => (bytes, false),
            Either::Right(((), first)) if self.may_hedge() => {
                let second = Box::pin(self.store.get_range(path, range));
                (self.race(first, second).await, true)
            }
            Either::Right(((), first)) => (first.await, false),
        };
        if bytes.is_ok() {
            let took = self.clock.monotonic().saturating_sub(began);
            let mut recent = self.recent[class].lock();
            if recent.len() == REMEMBERED {
                recent.pop_front();
            }
            recent.push_back(took);
        }
        Answer { bytes, hedged }
    }

    /// The first answer that is none of failure.
    async fn race<F>(&self, first: F, second: F) -> Result<Bytes>
    where
        F: Future<Output = Result<Bytes>> + Unpin,
    {
        let (bytes, winner) = match select(first, second).await {
            Either::Left((Ok(bytes), _)) => (Ok(bytes), "first"),
            Either::Right((Ok(bytes), _)) => (Ok(bytes), "second"),
            Either::Left((Err(_), second)) => (second.await, "second"),
            Either::Right((Err(_), first)) => (first.await, "first"),
        };
        let outcome = if bytes.is_ok() { winner } else { "failed" };
        self.telemetry.count_hedge(outcome);
        bytes
    }

    /// How long a read of this class may take: what 95 of 100 recent ones did not.
    fn bound(&self, class: usize) -> Duration {
        let mut recent: Vec<Duration> = self.recent[class].lock().iter().copied().collect();
        if recent.len() < FEWEST {
            return FIRST_BOUND;
        }
        let at = recent.len() * 95 / 100;
        let (_, bound, _) = recent.select_nth_unstable(at);
        (*bound).max(LOWEST_BOUND)
    }

    /// Takes one of the second requests that there may be.
    fn may_hedge(&self) -> bool {
        let reads = self.reads.load(Ordering::Relaxed);
        let one_more = |hedges: u64| (hedges * READS_A_HEDGE < reads).then_some(hedges + 1);
        let taken = self
            .hedges
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests;
