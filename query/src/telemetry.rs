//! All metrics of this crate.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Labels of metrics that are counted by tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TenantLabel {
    pub tenant: String,
}

/// Labels of metrics that are counted by tenant and outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    pub tenant: String,
    /// `ok`, or the kind of the error.
    pub outcome: &'static str,
}

/// The metrics of queries. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    pub statements: Family<OutcomeLabels, Counter>,
    pub running: Gauge,
    /// Statements whose caller was told that the time is over and that still run.
    pub overdue: Gauge,
    /// Threads' lanes of stopped statements that have not ended.
    pub ending: Gauge,
    /// Memory that statements hold, as far as operators account for it.
    pub memory: Gauge,
    pub duration: Durations,
    pub segments_considered: Family<TenantLabel, Counter>,
    pub segments_pruned: Family<TenantLabel, Counter>,
    pub segments_read: Family<TenantLabel, Counter>,
    pub bytes_read: Family<TenantLabel, Counter>,
    pub answer_rows: Family<TenantLabel, Counter>,
}

/// Durations of statements, from 1 ms to about 65 s.
#[derive(Clone, Debug)]
pub struct Durations(pub Histogram);

impl Default for Durations {
    fn default() -> Durations {
        Durations(Histogram::new(exponential_buckets(0.001, 2.0, 17)))
    }
}

impl Telemetry {
    /// Registers the metrics of queries.
    pub fn register(registry: &mut Registry) -> Telemetry {
        let telemetry = Telemetry::default();
        let registry = registry.sub_registry_with_prefix("query");
        registry.register(
            "statements",
            "Statements answered",
            telemetry.statements.clone(),
        );
        registry.register(
            "running_statements",
            "Statements running now",
            telemetry.running.clone(),
        );
        registry.register(
            "overdue_statements",
            "Statements past their time that still use a thread",
            telemetry.overdue.clone(),
        );
        registry.register(
            "ending_lanes",
            "Lanes of stopped statements whose threads have not ended",
            telemetry.ending.clone(),
        );
        registry.register_with_unit(
            "memory",
            "Memory that running statements hold",
            Unit::Bytes,
            telemetry.memory.clone(),
        );
        registry.register_with_unit(
            "duration",
            "Time from statement to the end of its answer",
            Unit::Seconds,
            telemetry.duration.0.clone(),
        );
        registry.register(
            "segments_considered",
            "Segments of the tables asked for",
            telemetry.segments_considered.clone(),
        );
        registry.register(
            "segments_pruned",
            "Segments ruled out by statistics before opening a file",
            telemetry.segments_pruned.clone(),
        );
        registry.register(
            "segments_read",
            "Segments of which a file was opened",
            telemetry.segments_read.clone(),
        );
        registry.register_with_unit(
            "read",
            "Bytes read from segments",
            Unit::Bytes,
            telemetry.bytes_read.clone(),
        );
        registry.register(
            "answer_rows",
            "Rows answered",
            telemetry.answer_rows.clone(),
        );
        telemetry
    }
}
