//! Which times the parts of a query look at.

use crate::{
    error::{Error, Result},
    expr::{At, BinaryOp, Extension, Length, Selector, Shift, Subquery},
    row::Steps,
};

/// Beyond it no sample can be; far from where sums of times overflow.
const TIME_MAX_MS: f64 = 9.2e15;

/// The times of the whole query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// 0 of a single evaluation.
    pub(crate) step_ms: i64,
    pub(crate) lookback_ms: i64,
    /// Of subqueries that name none.
    pub(crate) subquery_step_ms: i64,
}

/// How the time at which something is read follows from the time of the evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    at_ms: Option<i64>,
    offset_ms: i64,
}

impl Reference {
    pub(crate) fn of(self, time_ms: i64) -> i64 {
        self.at_ms.unwrap_or(time_ms) - self.offset_ms
    }
}

impl Timing {
    pub(crate) fn steps(&self) -> Steps {
        Steps::through(self.start_ms, self.end_ms, self.step_ms)
    }

    pub(crate) fn reference(&self, shift: &Shift) -> Result<Reference> {
        let offset_ms = match &shift.offset {
            Some(length) => self.millis(length)?,
            None => 0,
        };
        let at_ms = shift.at.map(|at| match at {
            At::Time(time_ms) => time_ms,
            At::Start => self.start_ms,
            At::End => self.end_ms,
        });
        Ok(Reference { at_ms, offset_ms })
    }

    /// A length that has to be positive.
    pub(crate) fn positive(&self, length: &Length) -> Result<i64> {
        let millis = self.millis(length)?;
        match millis > 0 {
            true => Ok(millis),
            false => Err(Error::Unfit(format!(
                "duration must be greater than 0: {length} is {millis} ms here"
            ))),
        }
    }

    fn millis(&self, length: &Length) -> Result<i64> {
        let millis = (self.seconds(length)? * 1000.0).round();
        // NaN fails this, too.
        match millis.abs() <= TIME_MAX_MS {
            true => Ok(millis as i64),
            false => Err(Error::Unfit(format!("duration out of range: {length}"))),
        }
    }

    fn seconds(&self, length: &Length) -> Result<f64> {
        Ok(match length {
            Length::Literal(number) => number.value,
            Length::Step => self.step_ms as f64 / 1000.0,
            Length::Range => (self.end_ms - self.start_ms) as f64 / 1000.0,
            Length::Negative(inner) => -self.seconds(inner)?,
            Length::Paren(inner) => self.seconds(inner)?,
            Length::Least(left, right) => self.seconds(left)?.min(self.seconds(right)?),
            Length::Greatest(left, right) => self.seconds(left)?.max(self.seconds(right)?),
            Length::Binary(op, left, right) => {
                let (left, right) = (self.seconds(left)?, self.seconds(right)?);
                match op {
                    BinaryOp::Add => left + right,
                    BinaryOp::Sub => left - right,
                    BinaryOp::Mul => left * right,
                    BinaryOp::Pow => left.powf(right),
                    BinaryOp::Div | BinaryOp::Mod if right == 0.0 => {
                        let word = if *op == BinaryOp::Div {
                            "division"
                        } else {
                            "modulo"
                        };
                        return Err(Error::Unfit(format!("{word} by zero")));
                    }
                    BinaryOp::Div => left / right,
                    _ => left % right,
                }
            }
        })
    }

    /// The first and the last instant from which a selector may need points.
    pub(crate) fn span_of(
        &self,
        selector: &Selector,
        range_ms: Option<i64>,
        steps: Steps,
    ) -> Result<(i64, i64)> {
        let reference = self.reference(&selector.shift)?;
        let (first, last) = (reference.of(steps.start_ms), reference.of(steps.last_ms()));
        let before = range_ms.unwrap_or(self.lookback_ms) - 1;
        let (extra_before, extra_after) = match (selector.extension, range_ms) {
            (None, _) | (Some(Extension::Anchored), None) => (0, 0),
            (Some(Extension::Anchored), Some(_)) => (self.lookback_ms, 0),
            (Some(Extension::Smoothed), None) => (0, self.lookback_ms),
            (Some(Extension::Smoothed), Some(_)) => (self.lookback_ms, self.lookback_ms),
        };
        Ok((first - before - extra_before, last + extra_after))
    }

    /// The first and the last instant from which info metrics are read for a vector whose times are shifted.
    pub(crate) fn span_of_infos(&self, shift: &Shift, steps: Steps) -> Result<(i64, i64)> {
        let reference = self.reference(shift)?;
        let first = reference.of(steps.start_ms) - self.lookback_ms + 1;
        Ok((first, reference.of(steps.last_ms())))
    }

    /// When the inner expression of a subquery is evaluated: at multiples of its step, after the start of its range.
    pub(crate) fn inner_steps(&self, subquery: &Subquery, steps: Steps) -> Result<Steps> {
        let range_ms = self.positive(&subquery.range)?;
        let step_ms = match &subquery.step {
            Some(step) => self.positive(step)?,
            None => self.subquery_step_ms.max(1),
        };
        let reference = self.reference(&subquery.shift)?;
        let open = reference.of(steps.start_ms) - range_ms;
        let first = (open.div_euclid(step_ms) + 1) * step_ms;
        Ok(Steps::through(
            first,
            reference.of(steps.last_ms()),
            step_ms,
        ))
    }
}
