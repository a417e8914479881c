//! Which Prometheus series a stored series becomes.

use crate::translate::{self, Nature};
use cairn_promql::matcher::Matcher;
use cairn_storage::attributes::decode;

/// A metric as its series describe it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Metric {
    pub(super) name: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) description: String,
    pub(super) delta: bool,
    pub(super) monotonic: bool,
    /// `Metric.metadata`, canonical JSON.
    pub(super) metadata: String,
}

/// What of a stored series a Prometheus series is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    /// Its number points.
    Value,
    /// The native histograms of its points.
    Native,
    /// The counts of explicit buckets: one series a bound.
    Bucket,
    Sum,
    Count,
    /// The values of a summary: one series a quantile.
    Quantile,
}

impl Part {
    /// Whether the points lie in the table `samples`; else in `histograms`.
    pub(super) fn is_number(self) -> bool {
        self == Part::Value
    }

    /// The label that tells its series apart and is not known before the points are read.
    pub(super) fn own_label(self) -> Option<&'static str> {
        match self {
            Part::Bucket => Some("le"),
            Part::Quantile => Some("quantile"),
            _ => None,
        }
    }
}

/// Names in the characters of Prometheus, or as they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Spelling {
    Translated,
    AsSent,
}

impl Spelling {
    /// A selector that says a name which plain PromQL cannot say means names as they were sent.
    pub(super) fn of(matchers: &[Matcher]) -> Spelling {
        let says_more = |matcher: &Matcher| {
            let names_metric = matcher.name == "__name__"
                && matcher.op == cairn_promql::matcher::MatchOp::Equal
                && !matcher.value.is_empty();
            !translate::is_plain(&matcher.name)
                || (names_metric && !translate::is_plain(&matcher.value))
        };
        match matchers.iter().any(says_more) {
            true => Spelling::AsSent,
            false => Spelling::Translated,
        }
    }
}

impl Metric {
    /// The type that the sender gave it, where it came in Prometheus' own terms: such names stay as they are.
    pub(super) fn prometheus_type(&self) -> Option<&str> {
        if !self.metadata.contains("prometheus.type") {
            return None;
        }
        let json = decode::find(&self.metadata, "prometheus.type")?;
        json.strip_prefix('"')?.strip_suffix('"')
    }

    /// The type as Prometheus' API says it.
    pub(super) fn api_type(&self) -> &str {
        match (self.prometheus_type(), self.kind.as_str()) {
            (Some(said), _) => said,
            (None, "sum") if self.monotonic => "counter",
            (None, "gauge" | "sum") => "gauge",
            (None, "histogram" | "exponential_histogram") => "histogram",
            (None, "summary") => "summary",
            (None, _) => "unknown",
        }
    }

    /// The name of the family, without the suffixes of parts.
    pub(super) fn family(&self, spelling: Spelling) -> String {
        if spelling == Spelling::AsSent || self.prometheus_type().is_some() {
            return self.name.clone();
        }
        let nature = match self.kind.as_str() {
            "sum" if self.monotonic => Nature::Counter,
            "gauge" => Nature::Gauge,
            _ => Nature::Other,
        };
        translate::metric(&self.name, &self.unit, nature)
    }

    /// The parts that the metric's series become, each with its name.
    pub(super) fn parts(&self, spelling: Spelling) -> Vec<(Part, String)> {
        let family = self.family(spelling);
        let of = |suffix: &str| format!("{family}{suffix}");
        let verbatim = self.prometheus_type().is_some();
        match self.kind.as_str() {
            // Custom buckets of Prometheus are one series.
            "histogram" if verbatim => vec![(Part::Native, family)],
            "histogram" => vec![
                (Part::Bucket, of("_bucket")),
                (Part::Sum, of("_sum")),
                (Part::Count, of("_count")),
            ],
            "exponential_histogram" => vec![(Part::Native, family)],
            "summary" => vec![
                (Part::Sum, of("_sum")),
                (Part::Count, of("_count")),
                (Part::Quantile, family),
            ],
            _ => vec![(Part::Value, family)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Metric, Part, Spelling};
    use cairn_promql::matcher::{MatchOp, Matcher};

    fn metric(name: &str, kind: &str) -> Metric {
        Metric {
            name: name.to_owned(),
            kind: kind.to_owned(),
            unit: "s".to_owned(),
            description: String::new(),
            delta: false,
            monotonic: true,
            metadata: "{}".to_owned(),
        }
    }

    #[test]
    fn a_histogram_is_three_series_with_suffixes() {
        let parts = metric("a.b", "histogram").parts(Spelling::Translated);
        let names: Vec<_> = parts
            .iter()
            .map(|(part, name)| (*part, name.as_str()))
            .collect();
        let expected = [
            (Part::Bucket, "a_b_seconds_bucket"),
            (Part::Sum, "a_b_seconds_sum"),
            (Part::Count, "a_b_seconds_count"),
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_came_in_prometheus_terms_keeps_its_name() {
        let mut sent = metric("odd:name", "sum");
        sent.metadata = r#"{"prometheus.type":"counter"}"#.to_owned();
        assert_eq!(
            sent.parts(Spelling::Translated),
            [(Part::Value, "odd:name".to_owned())]
        );
        assert_eq!(sent.api_type(), "counter");
    }

    #[test]
    fn a_quoted_name_means_names_as_sent() {
        let matcher = |name: &str, value: &str| {
            vec![Matcher::new(name, MatchOp::Equal, value).expect("no pattern")]
        };
        assert_eq!(Spelling::of(&matcher("__name__", "a.b")), Spelling::AsSent);
        assert_eq!(
            Spelling::of(&matcher("service.name", "x")),
            Spelling::AsSent
        );
        assert_eq!(Spelling::of(&matcher("job", "a.b")), Spelling::Translated);
        assert_eq!(metric("a.b", "sum").parts(Spelling::AsSent)[0].1, "a.b");
    }
}
