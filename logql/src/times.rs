//! The steps of a query and the time that its lines come from.

use crate::error::{Error, Result};

/// When a query is evaluated: once, or at every step from start to end. In nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    start: i64,
    end: i64,
    /// `None`: once.
    step: Option<i64>,
}

/// From `start`, which is part of it, up to `end`, which is not; in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub start: i64,
    pub end: i64,
}

impl Times {
    /// Once: the answer is a vector.
    pub fn at(time: i64) -> Times {
        Times {
            start: time,
            end: time,
            step: None,
        }
    }

    /// At `start`, then every `step` nanoseconds up to `end`, which is part of it: the answer is a matrix.
    pub fn range(start: i64, end: i64, step: i64) -> Result<Times> {
        if end < start {
            return Err(Error::invalid("the end is before the start"));
        }
        if step <= 0 {
            return Err(Error::invalid("the step is longer than 0"));
        }
        Ok(Times {
            start,
            end,
            step: Some(step),
        })
    }

    /// The first time.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The time after which there is no step.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Whether there is one time only and the answer is a vector.
    pub fn is_instant(&self) -> bool {
        self.step.is_none()
    }

    /// How many steps there are.
    pub fn count(&self) -> usize {
        let length = self.end.abs_diff(self.start);
        let steps = self
            .step
            .map_or(0, |step| length / step.unsigned_abs().max(1));
        usize::try_from(steps)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }

    /// The time of a step, counted from 0.
    pub(crate) fn step_at(&self, index: usize) -> i64 {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        let passed = self.step.map_or(0, |step| step.saturating_mul(index));
        self.start.saturating_add(passed)
    }

    /// The time of the lines that a range of `interval` before every step sees, moved back by `offset`.
    pub(crate) fn lines(&self, interval: i64, offset: i64) -> TimeRange {
        // A range is open at its beginning and closed at its end.
        TimeRange {
            start: self
                .start
                .saturating_sub(offset)
                .saturating_sub(interval)
                .saturating_add(1),
            end: self.end.saturating_sub(offset).saturating_add(1),
        }
    }
}
