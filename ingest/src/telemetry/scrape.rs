//! The metrics of the scraper. What targets expose is the user's.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The metrics of the scraper. Cheap to clone; all clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telemetry {
    scrapes: Family<OutcomeLabels, Counter>,
    skipped: Counter,
    retries: Counter,
    left_out: Family<ReasonLabels, Counter>,
    targets: Gauge,
    targets_over: Gauge,
    config_ok: Gauge,
    config_reads: Family<OutcomeLabels, Counter>,
    bad_files: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl Telemetry {
    /// Registers the metrics in `registry`.
    pub(crate) fn new(registry: &mut Registry) -> Telemetry {
        let telemetry = Telemetry::default();
        registry.register(
            "ingest_scrapes",
            "Scrapes that ended, ok or by why they failed",
            telemetry.scrapes.clone(),
        );
        registry.register(
            "ingest_scrape_left_out_samples",
            "Samples of scrapes that were not stored, by reason",
            telemetry.left_out.clone(),
        );
        registry.register(
            "ingest_scrape_config_reads",
            "Times that the settings of scrapes were read, by how that went",
            telemetry.config_reads.clone(),
        );
        let counters = [
            (
                "ingest_scrape_skipped",
                "Scrapes left out because the one before, or others, took too long",
                &telemetry.skipped,
            ),
            (
                "ingest_scrape_retries",
                "Times that the samples of a scrape were offered again",
                &telemetry.retries,
            ),
            (
                "ingest_scrape_bad_files",
                "Times that a file of targets could not be used",
                &telemetry.bad_files,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let gauges = [
            (
                "ingest_scrape_targets",
                "Targets that are scraped",
                &telemetry.targets,
            ),
            (
                "ingest_scrape_targets_over_limit",
                "Targets that are not scraped: there are more than scrape.max_targets",
                &telemetry.targets_over,
            ),
            (
                "ingest_scrape_config_ok",
                "Whether the settings of scrapes could be used when they were read last",
                &telemetry.config_ok,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        telemetry
    }

    /// A scrape ended, and failed for a `reason` if there is one.
    pub(crate) fn ended(&self, reason: Option<&'static str>) {
        let labels = OutcomeLabels {
            outcome: reason.unwrap_or("ok"),
        };
        self.scrapes.get_or_create(&labels).inc();
    }

    /// Samples were not stored.
    pub(crate) fn left_out(&self, reason: &'static str, samples: u64) {
        if samples > 0 {
            let labels = ReasonLabels { reason };
            self.left_out.get_or_create(&labels).inc_by(samples);
        }
    }

    pub(crate) fn skipped(&self, scrapes: u64) {
        self.skipped.inc_by(scrapes);
    }

    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    /// How many targets are scraped, and how many there are beyond the limit.
    pub(crate) fn targets(&self, scraped: usize, over: usize) {
        self.targets.set(scraped as i64);
        self.targets_over.set(over as i64);
    }

    pub(crate) fn settings_read(&self, is_good: bool) {
        let outcome = if is_good { "ok" } else { "refused" };
        self.config_reads
            .get_or_create(&OutcomeLabels { outcome })
            .inc();
        self.config_ok.set(i64::from(is_good));
    }

    pub(crate) fn bad_files(&self, count: u64) {
        self.bad_files.inc_by(count);
    }
}
