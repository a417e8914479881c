//! The metrics of backups of the catalog.

use super::{OutcomeLabels, SECONDS};
use crate::time::Nanos;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::time::Duration;

/// What became of backups of the catalog.
#[derive(Clone)]
pub struct Backup {
    /// Backups by outcome: `written`, `failed`.
    backups: Family<OutcomeLabels, Counter>,
    /// Bytes of the newest one that this process wrote.
    bytes: Gauge,
    /// When that was, in seconds since 1970.
    time_seconds: Gauge,
    /// From its beginning to its end.
    seconds: Histogram,
}

impl Backup {
    pub(super) fn unregistered() -> Backup {
        Backup {
            backups: Family::default(),
            bytes: Gauge::default(),
            time_seconds: Gauge::default(),
            seconds: Histogram::new(SECONDS),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("catalog_backup");
        registry.register(
            "attempts",
            "Backups of the catalog by outcome",
            self.backups.clone(),
        );
        registry.register(
            "bytes",
            "Bytes of the newest backup of the catalog that this process wrote",
            self.bytes.clone(),
        );
        registry.register(
            "time_seconds",
            "When this process wrote a backup of the catalog last, in seconds since 1970; 0 before the first",
            self.time_seconds.clone(),
        );
        registry.register(
            "seconds",
            "How long a backup of the catalog took",
            self.seconds.clone(),
        );
    }

    /// Counts one of `bytes` that was written at `now`.
    pub(crate) fn written(&self, bytes: u64, took: Duration, now: Nanos) {
        let labels = OutcomeLabels::new("written");
        self.backups.get_or_create(&labels).inc();
        self.bytes.set(bytes as i64);
        self.time_seconds.set(now.0 / 1_000_000_000);
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn failed(&self) {
        let labels = OutcomeLabels::new("failed");
        self.backups.get_or_create(&labels).inc();
    }

    /// How many were written, and how many failed.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (u64, u64) {
        let count = |outcome| {
            let labels = OutcomeLabels::new(outcome);
            self.backups.get_or_create(&labels).get()
        };
        (count("written"), count("failed"))
    }
}
