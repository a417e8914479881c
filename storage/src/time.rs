//! Nanoseconds since the Unix epoch, UTC: the only instant type of the crates.

use std::time::Duration;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z, from 1677 to 2262.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub i64);

/// Nanoseconds in an hour: the width of an event window at flush.
pub const HOUR_NANOS: i64 = 3_600_000_000_000;

impl Nanos {
    /// The start of the event hour this instant lies in; the first hour that there is starts with time itself.
    pub fn hour(self) -> Nanos {
        Nanos(self.0.div_euclid(HOUR_NANOS).saturating_mul(HOUR_NANOS))
    }

    /// This instant and `duration` more, stopping at the end of time.
    pub fn plus(self, duration: Duration) -> Nanos {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Nanos(self.0.saturating_add(nanos))
    }

    /// This instant and `duration` less, stopping at the start of time.
    pub fn minus(self, duration: Duration) -> Nanos {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Nanos(self.0.saturating_sub(nanos))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Nanos) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

/// A closed range of instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TimeRange {
    pub min: Nanos,
    pub max: Nanos,
}

impl TimeRange {
    /// The smallest range that holds both.
    pub fn union(self, other: TimeRange) -> TimeRange {
        TimeRange {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// Whether the two share an instant.
    pub fn overlaps(self, other: TimeRange) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}
