//! Nanoseconds since the Unix epoch, UTC: the only instant type of the crates.

use arrow::temporal_conversions::timestamp_ns_to_datetime;
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

    /// As RFC 3339 has it, in UTC, with as many digits of a second as it takes.
    pub fn to_text(self) -> String {
        match timestamp_ns_to_datetime(self.0) {
            Some(instant) => format!("{instant:?}Z"),
            None => format!("{} ns", self.0),
        }
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

/// Writes an instant as text, for answers that people and scripts read.
pub(crate) fn serialize_text<S: serde::Serializer>(
    instant: &Nanos,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.serialize_str(&instant.to_text())
}

/// As [`serialize_text`], null where there is none.
pub(crate) fn serialize_optional_text<S: serde::Serializer>(
    instant: &Option<Nanos>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match instant {
        Some(instant) => to.serialize_some(&instant.to_text()),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_as_text() {
        let text = |nanos| Nanos(nanos).to_text();
        assert_eq!(text(0), "1970-01-01T00:00:00Z");
        assert_eq!(text(1_767_225_600_500_000_000), "2026-01-01T00:00:00.500Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999999999Z");
        assert!(text(i64::MAX).starts_with("2262-04-11T"));
        assert!(text(i64::MIN).starts_with("1677-09-21T"));
    }
}
