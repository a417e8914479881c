//! The two places of blocks: memory, and the disk.
//!
//! A block goes to memory at once and to disk by a task that writes as fast as the disk takes it, so that nobody waits for
//! the disk and a burst is not lost in foyer's buffer. Errors of the disk are misses.

use super::{
    disk::{Hybrid, WRITE_BUFFER_BYTES},
    key::Key,
};
use crate::telemetry::BucketTelemetry;
use bytes::Bytes;
use foyer::{Age, HybridCacheEntry, HybridCacheProperties, Location, Source};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{mpsc, oneshot};

/// Blocks that wait to be written. Beyond it they are in memory only.
const MOST_WAITING_BYTES: u64 = 32 << 20;

/// The most that a disk needs besides the blocks in memory: foyer's two buffers, and what waits.
pub(super) const DISK_MEMORY_BYTES: u64 = 2 * WRITE_BUFFER_BYTES as u64 + MOST_WAITING_BYTES;

/// Written before the disk is waited for: with its header and padding it fits into the buffer.
const BATCH_BYTES: u64 = WRITE_BUFFER_BYTES as u64 / 2;

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
    opened: OnceLock<Opened>,
    waiting_bytes: Arc<AtomicU64>,
    telemetry: BucketTelemetry,
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
    pub(super) fn new(telemetry: BucketTelemetry) -> Tiers {
        Tiers {
            opened: OnceLock::new(),
            waiting_bytes: Arc::default(),
            telemetry,
        }
    }

    /// Keeps blocks in `hybrid` from now on. Spawns the writer on the current runtime; it ends with the value.
    pub(super) fn open(&self, hybrid: Hybrid) {
        let writer = hybrid.is_hybrid().then(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(write(hybrid.clone(), receiver, self.waiting_bytes.clone()));
            sender
        });
        self.opened.get_or_init(|| Opened { hybrid, writer });
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        self.opened.get().is_some()
    }

    /// The block, if it is in memory.
    pub(super) fn in_memory(&self, key: &Key) -> Option<Bytes> {
        Some(self.opened.get()?.hybrid.memory().get(key)?.value().clone())
    }

    /// The block, wherever it is.
    pub(super) async fn find(&self, key: &Key) -> Option<(Bytes, Tier)> {
        if let Some(bytes) = self.in_memory(key) {
            return Some((bytes, Tier::Memory));
        }
        let opened = self.opened.get().filter(|opened| opened.writer.is_some())?;
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
            self.write(opened, entry.clone());
        }
        match entry.source() {
            Source::Memory => Some((bytes, Tier::Memory)),
            _ => Some((bytes, Tier::Disk)),
        }
    }

    /// Whether the block is here, as far as can be said without reading it.
    pub(super) fn contains(&self, key: &Key) -> bool {
        let opened = self.opened.get();
        opened.is_some_and(|opened| opened.hybrid.contains(key))
    }

    /// Keeps a block that was fetched.
    pub(super) fn insert(&self, key: Key, bytes: Bytes) {
        let Some(opened) = self.opened.get() else {
            return;
        };
        // The writer brings it to disk.
        let properties = HybridCacheProperties::default().with_location(Location::InMem);
        let entry = opened.hybrid.insert_with_properties(key, bytes, properties);
        self.write(opened, entry);
    }

    /// Forgets a block. On disk its bytes stay until others are written over them; nobody finds them any more.
    pub(super) fn remove(&self, key: &Key) {
        if let Some(opened) = self.opened.get() {
            opened.hybrid.remove(key);
        }
    }

    /// Bytes in memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        let opened = self.opened.get();
        opened.map_or(0, |opened| opened.hybrid.memory().usage() as u64)
    }

    /// Returns when what was inserted is on disk, as far as there was room in the queue.
    pub(super) async fn written(&self) {
        let (sender, receiver) = oneshot::channel();
        let opened = self.opened.get();
        if let Some(writer) = opened.and_then(|opened| opened.writer.as_ref())
            && writer.send(Write::Wait(sender)).is_ok()
        {
            // The writer is gone only when the runtime ends.
            let _ = receiver.await;
        }
    }

    /// Writes what waits, and nothing more from then on.
    pub(super) async fn close(&self) {
        self.written().await;
        let Some(opened) = self.opened.get() else {
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

async fn write(
    hybrid: Hybrid,
    mut blocks: mpsc::UnboundedReceiver<Write>,
    waiting_bytes: Arc<AtomicU64>,
) {
    let mut batch = 0;
    while let Some(next) = blocks.recv().await {
        let told = match next {
            Write::Block(entry) => {
                batch += entry.value().len() as u64;
                hybrid.storage().enqueue(entry.piece(), true);
                None
            }
            Write::Wait(told) => Some(told),
        };
        if batch >= BATCH_BYTES || told.is_some() || blocks.is_empty() {
            hybrid.storage().wait().await;
            waiting_bytes.fetch_sub(std::mem::take(&mut batch), Ordering::Relaxed);
        }
        if let Some(told) = told {
            // Whoever asked may have gone.
            let _ = told.send(());
        }
    }
}
