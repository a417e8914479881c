//! What every part of an evaluation needs: the source, the limits, the notes.

use crate::{
    annotations::Notes,
    error::{Error, Result},
    row::{Row, Rows, Steps},
    source::{Selection, Series, Source},
    timing::Timing,
};
use std::cell::Cell;

/// How much an evaluation may read and hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Points read from the source, counted each time one is read.
    pub samples: u64,
    /// Series read from the source, counted each time one is read.
    pub series: u64,
    /// Samples of rows that selectors, subqueries and functions yield, in sum; also the number of steps.
    pub points: u64,
}

impl Default for Limits {
    /// As many samples as Prometheus allows; so many points, were they all held, are 800 MB.
    fn default() -> Limits {
        Limits {
            samples: 50_000_000,
            series: 1_000_000,
            points: 50_000_000,
        }
    }
}

/// Every row has a sample for each step, so that not even one may have as many points as all together. It is a year in
/// steps of half a minute.
const STEPS_MAX: u64 = 1_100_000;

/// The state of an evaluation.
pub(crate) struct Context<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) interrupt: &'a dyn Fn() -> Result<()>,
    pub(crate) timing: Timing,
    pub(crate) delayed_name_removal: bool,
    pub(crate) notes: Notes,
    limits: Limits,
    samples: Cell<u64>,
    series: Cell<u64>,
    points: Cell<u64>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        source: &'a dyn Source,
        interrupt: &'a dyn Fn() -> Result<()>,
        timing: Timing,
        notes: Notes,
        limits: Limits,
    ) -> Context<'a> {
        Context {
            source,
            interrupt,
            timing,
            delayed_name_removal: false,
            notes,
            limits,
            samples: Cell::new(0),
            series: Cell::new(0),
            points: Cell::new(0),
        }
    }

    pub(crate) fn samples_read(&self) -> u64 {
        self.samples.get()
    }

    /// The series of a selection, counted.
    pub(crate) fn series(
        &'a self,
        selection: &Selection,
    ) -> Result<impl Iterator<Item = Result<Series>> + use<'a>> {
        let series = self.source.select(selection)?;
        Ok(series.map(move |series| {
            let series = series?;
            (self.interrupt)()?;
            let samples = series.floats.times_ms.len() + series.histograms.len();
            count(&self.samples, samples, self.limits.samples, "samples read")?;
            count(&self.series, 1, self.limits.series, "series read")?;
            Ok(series)
        }))
    }

    /// Admits so many steps, which every row has.
    pub(crate) fn admit(&self, steps: Steps) -> Result<()> {
        let limit = self.limits.points.min(STEPS_MAX);
        match steps.count as u64 <= limit {
            true => Ok(()),
            false => Err(too_much("points a series", limit)),
        }
    }

    /// Rows, each counted and each a chance to be interrupted.
    pub(crate) fn counted(&'a self, rows: Rows<'a>) -> Rows<'a> {
        Box::new(rows.map(move |row| {
            let row: Row = row?;
            (self.interrupt)()?;
            count(
                &self.points,
                row.samples.len(),
                self.limits.points,
                "points",
            )?;
            Ok(row)
        }))
    }
}

fn count(counter: &Cell<u64>, more: usize, limit: u64, what: &str) -> Result<()> {
    let now = counter.get() + more as u64;
    counter.set(now);
    match now <= limit {
        true => Ok(()),
        false => Err(too_much(what, limit)),
    }
}

fn too_much(what: &str, limit: u64) -> Error {
    Error::Limit(format!(
        "the query needs more than {limit} {what}; ask for fewer series, a shorter time or a larger step"
    ))
}
