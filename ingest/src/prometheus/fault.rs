//! What is wrong with a series or with one of its points.

use crate::otlp::wire::Flaw;
use cairn_storage::append::Reason;

/// Dense buckets of one side of a histogram, and bounds of one with custom buckets. Prometheus' own limit for a native
/// histogram is a few hundred; this bounds what a gap between spans, a number of a few bytes, can ask for.
pub(super) const MAX_BUCKETS: usize = 4_096;

/// Labels of one series. Above what admission takes by default, so that its setting decides.
pub(super) const MAX_LABELS: usize = 1 << 14;

/// Why a series or a point makes no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Wire(Flaw),
    Symbol,
    OddReferences,
    NoMetric,
    EmptyName,
    Duplicate,
    NotText,
    TooManyLabels,
    Time,
    Schema,
    Spans,
    NegativeCount,
    TooManyBuckets,
    Bounds,
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Self {
        Fault::Wire(flaw)
    }
}

impl Fault {
    /// The reason that a record with this fault is rejected for.
    pub(super) fn reason(self) -> Reason {
        match self {
            Fault::Wire(flaw) => flaw.reason(),
            Fault::NoMetric => Reason::Incomplete,
            Fault::TooManyLabels => Reason::TooManyAttributes,
            Fault::Time => Reason::TimeOutOfRange,
            Fault::TooManyBuckets => Reason::TooLarge,
            Fault::Symbol
            | Fault::OddReferences
            | Fault::EmptyName
            | Fault::Duplicate
            | Fault::NotText
            | Fault::Schema
            | Fault::Spans
            | Fault::NegativeCount
            | Fault::Bounds => Reason::Malformed,
        }
    }

    /// What was found and, where there is one, the limit.
    pub(super) fn what(self) -> &'static str {
        match self {
            Fault::Wire(flaw) => flaw.what(),
            Fault::Symbol => "a reference to a symbol that the request does not have",
            Fault::OddReferences => "an odd number of references to symbols makes no labels",
            Fault::NoMetric => "it has no label __name__",
            Fault::EmptyName => "a label has an empty name",
            Fault::Duplicate => "a label stands twice",
            Fault::NotText => "a label, unit or help text is not UTF-8",
            Fault::TooManyLabels => "it has more than 16384 labels",
            Fault::Time => "its time is before 1970 or after 2262-04-11",
            Fault::Schema => "a schema of native histograms that is not known",
            Fault::Spans => "its spans of buckets and its counts do not fit together",
            Fault::NegativeCount => "a bucket has a count below zero",
            Fault::TooManyBuckets => "a side of the histogram has more than 4096 buckets",
            Fault::Bounds => "its bounds of custom buckets do not ascend or are not finite",
        }
    }
}
