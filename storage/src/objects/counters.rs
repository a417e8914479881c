//! What the readers of one query took from the object store and from the cache.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a query's readers fetched.
#[derive(Debug, Default)]
pub struct ReadCounters {
    /// Bytes asked of the object store.
    pub bytes: AtomicU64,
    /// Requests to the object store.
    pub requests: AtomicU64,
    /// Bytes of blocks that the cache had, or that a request of another reader brought.
    pub cached_bytes: AtomicU64,
    /// These blocks.
    pub cached_blocks: AtomicU64,
    /// Bytes that are being fetched ahead of the readers right now.
    pub(crate) ahead_bytes: AtomicU64,
}

impl ReadCounters {
    /// Counts requests to the object store for `bytes` together.
    pub(crate) fn count_requests(&self, requests: u64, bytes: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a block that no request of this query was needed for.
    pub(crate) fn count_cached(&self, bytes: u64) {
        self.cached_blocks.fetch_add(1, Ordering::Relaxed);
        self.cached_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
