//! The metrics of compaction.

use super::{OutcomeLabels, SECONDS};
use crate::signal::Signal;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

/// Labels of merges.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MergeLabels {
    signal: &'static str,
    outcome: &'static str,
}

/// What compaction did.
#[derive(Clone)]
pub struct Compaction {
    merges: Family<MergeLabels, Counter>,
    /// Bytes of segments: `before` a merge, and `after` it.
    bytes: Family<OutcomeLabels, Counter>,
    /// Segments: `before` a merge, and `after` it.
    segments: Family<OutcomeLabels, Counter>,
    /// From the choice of the inputs to the commit.
    pub seconds: Histogram,
}

impl Compaction {
    pub(super) fn unregistered() -> Compaction {
        Compaction {
            merges: Family::default(),
            bytes: Family::default(),
            segments: Family::default(),
            seconds: Histogram::new(SECONDS),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("compaction");
        registry.register("merges", "Merges by outcome", self.merges.clone());
        registry.register(
            "bytes",
            "Bytes of segments before and after their merge",
            self.bytes.clone(),
        );
        registry.register(
            "segments",
            "Segments before and after their merge",
            self.segments.clone(),
        );
        registry.register(
            "seconds",
            "From the choice of segments to the commit of their merge",
            self.seconds.clone(),
        );
    }

    /// Counts a merge of segments of these `sizes` into one of `merged_bytes`.
    pub(crate) fn done(&self, signal: Signal, sizes: &[u64], merged_bytes: u64) {
        self.count(signal, "committed");
        let (before, after) = (OutcomeLabels::new("before"), OutcomeLabels::new("after"));
        self.bytes.get_or_create(&before).inc_by(sizes.iter().sum());
        self.bytes.get_or_create(&after).inc_by(merged_bytes);
        // No guard of a family is kept while another is asked for.
        self.segments
            .get_or_create(&before)
            .inc_by(sizes.len() as u64);
        self.segments.get_or_create(&after).inc();
    }

    pub(crate) fn failed(&self, signal: Signal) {
        self.count(signal, "failed");
    }

    fn count(&self, signal: Signal, outcome: &'static str) {
        let signal = signal.as_str();
        let labels = MergeLabels { signal, outcome };
        self.merges.get_or_create(&labels).inc();
    }
}
