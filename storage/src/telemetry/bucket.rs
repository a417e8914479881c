//! Metrics of a remote bucket and of the cache before it.

use super::OutcomeLabels;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// What a remote bucket is asked for, and what the cache saves it. All zero for the local bucket.
#[derive(Clone, Default)]
pub struct BucketTelemetry {
    /// Requests by tenant and kind: `get`, `put`, `list`, `head`, `delete`.
    pub requests: Family<ObjectLabels, Counter>,
    /// Bytes of these requests, of objects read (`get`) and written (`put`).
    pub bytes: Family<ObjectLabels, Counter>,
    /// Blocks that readers asked the cache for, by where they were: `memory`, `disk`, `shared` (a request of another
    /// reader was under way), `bucket`; `ahead` are those that were fetched before anybody asked.
    pub cache_blocks: Family<TierLabels, Counter>,
    /// Their bytes.
    pub cache_block_bytes: Family<TierLabels, Counter>,
    /// Bytes of blocks in memory.
    pub cache_memory_bytes: Gauge,
    /// Blocks that were not written to disk, because it did not keep up.
    pub cache_unwritten: Counter,
    /// Requests sent a second time, by which answer came first: `first`, `second`; `failed` where none came.
    pub hedges: Family<OutcomeLabels, Counter>,
    /// Row groups fetched ahead by outcome: `fetched`, `skipped` (too much was under way), `failed`.
    pub prefetches: Family<OutcomeLabels, Counter>,
}

/// Labels of requests to a remote bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObjectLabels {
    /// Empty for objects that are no tenant's.
    pub(crate) tenant: String,
    pub(crate) kind: &'static str,
}

/// Labels of blocks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TierLabels {
    pub(crate) tier: &'static str,
}

impl BucketTelemetry {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "object_requests",
            "Requests to a remote bucket by tenant and kind (get, put, list, head, delete)",
            self.requests.clone(),
        );
        registry.register(
            "object_bytes",
            "Bytes of objects read from and written to a remote bucket",
            self.bytes.clone(),
        );
        registry.register(
            "cache_blocks",
            "Blocks that readers asked the cache for, by where they were (memory, disk, shared with another reader's \
             request, bucket), and those fetched ahead of them",
            self.cache_blocks.clone(),
        );
        registry.register(
            "cache_block_bytes",
            "Bytes of the blocks that readers asked the cache for, by where they were, and of those fetched ahead of them",
            self.cache_block_bytes.clone(),
        );
        registry.register(
            "cache_memory_bytes",
            "Bytes of cached blocks in memory",
            self.cache_memory_bytes.clone(),
        );
        registry.register(
            "cache_unwritten",
            "Blocks that were not written to the cache's disk, because it did not keep up",
            self.cache_unwritten.clone(),
        );
        registry.register(
            "hedges",
            "Slow reads of a remote bucket that were sent a second time, by the answer that came first",
            self.hedges.clone(),
        );
        registry.register(
            "prefetches",
            "Row groups fetched ahead by outcome (fetched, skipped, failed)",
            self.prefetches.clone(),
        );
    }

    pub(crate) fn count_block(&self, tier: &'static str, bytes: u64) {
        let labels = TierLabels { tier };
        self.cache_blocks.get_or_create(&labels).inc();
        self.cache_block_bytes.get_or_create(&labels).inc_by(bytes);
    }

    pub(crate) fn count_hedge(&self, outcome: &'static str) {
        self.hedges
            .get_or_create(&OutcomeLabels::new(outcome))
            .inc();
    }

    pub(crate) fn count_prefetch(&self, outcome: &'static str) {
        self.prefetches
            .get_or_create(&OutcomeLabels::new(outcome))
            .inc();
    }

    /// Requests and bytes counted with these labels so far.
    #[cfg(test)]
    pub(crate) fn counts(&self, labels: &ObjectLabels) -> (u64, u64) {
        let of = |family: &Family<ObjectLabels, Counter>| {
            family.get(labels).map_or(0, |counter| counter.get())
        };
        (of(&self.requests), of(&self.bytes))
    }

    /// Blocks counted for `tier` so far.
    #[cfg(test)]
    pub(crate) fn blocks(&self, tier: &'static str) -> u64 {
        let counter = self.cache_blocks.get(&TierLabels { tier });
        counter.map_or(0, |counter| counter.get())
    }
}
