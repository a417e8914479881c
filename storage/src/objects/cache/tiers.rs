//! The two places of blocks: memory, and the disk.
//!
//! A block goes to memory at once and to disk by a task that writes as fast as the disk takes it, so that nobody waits for
//! the disk and a burst is not lost in foyer's buffer. Errors of the disk are misses.

use super::{
    disk::{Hybrid, WRITE_BUFFER_BYTES},
    key::Key,
};
use crate::{telemetry::BucketTelemetry, world::Clock};
use bytes::Bytes;
use foyer::{Age, HybridCacheEntry, HybridCacheProperties, Location, Source};
use parking_lot::RwLock;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Blocks that wait to be written. Beyond it they are in memory only.
const MOST_WAITING_BYTES: u64 = 32 << 20;

/// The most that a disk needs besides the blocks in memory: foyer's two buffers, and what waits.
pub(super) const DISK_MEMORY_BYTES: u64 = 2 * WRITE_BUFFER_BYTES as u64 + MOST_WAITING_BYTES;

/// Written before the disk is waited for: with its header and padding it fits into the buffer.
const BATCH_BYTES: u64 = WRITE_BUFFER_BYTES as u64 / 2;

/// So many batches in a row that are not on disk after they were written mean that it is full or broken.
const MOST_FAILED: u32 = 4;

/// How long such a disk is left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// Where a block was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Memory,
    Disk,
}

impl Tier {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Tier::Memory => "memory",
            Tier::Disk => "disk",
        }
    }
}

/// Blocks in memory and on disk; none until they are opened.
pub(super) struct Tiers {
    opened: RwLock<Option<Arc<Opened>>>,
    waiting_bytes: Arc<AtomicU64>,
    telemetry: BucketTelemetry,
    clock: Arc<dyn Clock>,
}

struct Opened {
    hybrid: Hybrid,
    /// `None` without a disk.
    writer: Option<mpsc::UnboundedSender<Write>>,
}

enum Write {
    Block(HybridCacheEntry<Key, Bytes>),
    /// Told when everything before is written.
    Wait(oneshot::Sender<()>),
}

impl Tiers {
    pub(super) fn new(telemetry: BucketTelemetry, clock: Arc<dyn Clock>) -> Tiers {
        Tiers {
            opened: RwLock::default(),
            waiting_bytes: Arc::default(),
            telemetry,
            clock,
        }
    }

    /// Keeps blocks in `hybrid` from now on. Spawns the writer on the current runtime; it ends with the value.
    pub(super) fn open(&self, hybrid: Hybrid) {
        let writer = hybrid.is_hybrid().then(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let writer = Writer {
                hybrid: hybrid.clone(),
                waiting_bytes: self.waiting_bytes.clone(),
                telemetry: self.telemetry.clone(),
                clock: self.clock.clone(),
                health: Health::default(),
            };
            tokio::spawn(writer.run(receiver));
            sender
        });
        *self.opened.write() = Some(Arc::new(Opened { hybrid, writer }));
    }

    fn opened(&self) -> Option<Arc<Opened>> {
        self.opened.read().clone()
    }

    /// Forgets everything and lets go of the files: nothing is kept until [`Tiers::open`].
    pub(super) async fn shut(&self) {
        let taken = self.opened.write().take();
        if let Some(opened) = taken
            && let Err(error) = opened.hybrid.close().await
        {
            tracing::debug!(%error, "the cache on disk was not closed");
        }
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        self.opened().is_some()
    }

    /// The block, if it is in memory.
    pub(super) fn in_memory(&self, key: &Key) -> Option<Bytes> {
        let opened = self.opened()?;
        Some(opened.hybrid.memory().get(key)?.value().clone())
    }

    /// The block, wherever it is.
    pub(super) async fn find(&self, key: &Key) -> Option<(Bytes, Tier)> {
        if let Some(bytes) = self.in_memory(key) {
            return Some((bytes, Tier::Memory));
        }
        let opened = self.opened().filter(|opened| opened.writer.is_some())?;
        if !opened.hybrid.contains(key) {
            return None;
        }
        let entry = match opened.hybrid.get(key).await {
            Ok(entry) => entry?,
            Err(error) => {
                tracing::debug!(%error, "a block cannot be read from the cache's disk");
                return None;
            }
        };
        let bytes = entry.value().clone();
        if bytes.len() != key.length() {
            return None;
        }
        if entry.properties().age() == Age::Old {
            // The piece of the disk that it is on goes next: what is still in use is written again.
            self.write(&opened, entry.clone());
        }
        match entry.source() {
            Source::Memory => Some((bytes, Tier::Memory)),
            _ => Some((bytes, Tier::Disk)),
        }
    }

    /// Whether the block is here, as far as can be said without reading it.
    pub(super) fn contains(&self, key: &Key) -> bool {
        let opened = self.opened();
        opened.is_some_and(|opened| opened.hybrid.contains(key))
    }

    /// Keeps a block that was fetched.
    pub(super) fn insert(&self, key: Key, bytes: Bytes) {
        let Some(opened) = self.opened() else {
            return;
        };
        // The writer brings it to disk.
        let properties = HybridCacheProperties::default().with_location(Location::InMem);
        let entry = opened.hybrid.insert_with_properties(key, bytes, properties);
        self.write(&opened, entry);
    }

    /// Forgets a block. On disk its bytes stay until others are written over them, or the cache is made anew; nobody finds
    /// them any more.
    pub(super) fn remove(&self, key: &Key) {
        if let Some(opened) = self.opened() {
            opened.hybrid.remove(key);
        }
    }

    /// Bytes in memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        let opened = self.opened();
        opened.map_or(0, |opened| opened.hybrid.memory().usage() as u64)
    }

    /// Returns when what was inserted is on disk, as far as there was room in the queue.
    pub(super) async fn written(&self) {
        let (sender, receiver) = oneshot::channel();
        let opened = self.opened();
        if let Some(writer) = opened.as_ref().and_then(|opened| opened.writer.as_ref())
            && writer.send(Write::Wait(sender)).is_ok()
        {
            // The writer is gone only when the runtime ends.
            let _ = receiver.await;
        }
    }

    /// Writes what waits, and nothing more from then on.
    pub(super) async fn close(&self) {
        self.written().await;
        let Some(opened) = self.opened() else {
            return;
        };
        if let Err(error) = opened.hybrid.close().await {
            tracing::debug!(%error, "the cache on disk was not closed");
        }
    }

    fn write(&self, opened: &Opened, entry: HybridCacheEntry<Key, Bytes>) {
        let Some(writer) = &opened.writer else {
            return;
        };
        let bytes = entry.value().len() as u64;
        if self.waiting_bytes.load(Ordering::Relaxed) + bytes > MOST_WAITING_BYTES {
            self.telemetry.cache_unwritten.inc();
            return;
        }
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if writer.send(Write::Block(entry)).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// Brings blocks to disk, as fast as it takes them.
struct Writer {
    hybrid: Hybrid,
    waiting_bytes: Arc<AtomicU64>,
    telemetry: BucketTelemetry,
    clock: Arc<dyn Clock>,
    health: Health,
}

impl Writer {
    async fn run(mut self, mut blocks: mpsc::UnboundedReceiver<Write>) {
        let mut batch = 0;
        // Of the batch, where it has one that was given to the disk.
        let mut last = None;
        while let Some(next) = blocks.recv().await {
            let told = match next {
                Write::Block(entry) => {
                    batch += entry.value().len() as u64;
                    if self.health.is_quiet(self.clock.monotonic()) {
                        self.telemetry.cache_unwritten.inc();
                    } else {
                        self.hybrid.storage().enqueue(entry.piece(), true);
                        last = Some(entry.key().clone());
                    }
                    None
                }
                Write::Wait(told) => Some(told),
            };
            if batch >= BATCH_BYTES || told.is_some() || blocks.is_empty() {
                if let Some(key) = last.take() {
                    self.written(&key).await;
                }
                let written = std::mem::take(&mut batch);
                self.waiting_bytes.fetch_sub(written, Ordering::Relaxed);
            }
            if let Some(told) = told {
                // Whoever asked may have gone.
                let _ = told.send(());
            }
        }
    }

    /// Waits until a batch is written, and looks whether its last block is there: foyer only logs what fails.
    async fn written(&mut self, last: &Key) {
        self.hybrid.storage().wait().await;
        let is_there = self.hybrid.storage().may_contains(last);
        if self.health.note(is_there, self.clock.monotonic()) {
            let seconds = PAUSE.as_secs();
            tracing::warn!(
                seconds,
                "the cache's disk is full or broken: blocks are kept in memory only for a while"
            );
        }
    }
}

/// Whether the disk keeps what it is given.
#[derive(Default)]
struct Health {
    failed: u32,
    quiet_until: Duration,
}

impl Health {
    fn is_quiet(&self, now: Duration) -> bool {
        now < self.quiet_until
    }

    /// Notes whether a batch is on disk; `true` when the disk is left alone from now on.
    fn note(&mut self, is_there: bool, now: Duration) -> bool {
        self.failed = if is_there { 0 } else { self.failed + 1 };
        let is_over = self.failed >= MOST_FAILED;
        if is_over {
            self.quiet_until = now + PAUSE;
            // Afterwards one more is enough.
            self.failed = MOST_FAILED - 1;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_keeps_nothing_is_left_alone_for_a_while() {
        let mut health = Health::default();
        let at = Duration::from_secs;
        for is_there in [false, false, false, true, false, false, false] {
            assert!(!health.note(is_there, at(1)));
            assert!(!health.is_quiet(at(1)));
        }
        assert!(health.note(false, at(1)));
        assert!(health.is_quiet(at(60)) && !health.is_quiet(at(61)));
        assert!(health.note(false, at(61)), "it is still broken");
        assert!(!health.note(true, at(121)));
        assert!(!health.note(false, at(121)));
    }
}
