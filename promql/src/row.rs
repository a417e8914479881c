//! What flows through an evaluation: rows, one a series, each with a sample at each step or none.

use crate::{
    error::{Error, Result},
    histogram::Histogram,
    labels::Labels,
};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

/// The value of a series at one step.
#[derive(Debug, Clone, Default)]
pub(crate) enum Sample {
    #[default]
    Absent,
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl Sample {
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Sample::Absent)
    }

    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Sample::Float(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn histogram(&self) -> Option<&Arc<Histogram>> {
        match self {
            Sample::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }
}

impl From<Histogram> for Sample {
    fn from(histogram: Histogram) -> Sample {
        Sample::Histogram(Arc::new(histogram))
    }
}

/// A series with its samples, one a step.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// The name is to go where the evaluation ends (delayed removal).
    pub(crate) drop_name: bool,
    pub(crate) samples: Vec<Sample>,
}

impl Row {
    pub(crate) fn new(labels: Labels, samples: Vec<Sample>) -> Row {
        Row {
            labels,
            drop_name: false,
            samples,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples.iter().all(Sample::is_absent)
    }

    /// The row without histograms, its floats changed by `change` of step and value.
    pub(crate) fn map_floats(mut self, mut change: impl FnMut(usize, f64) -> Sample) -> Row {
        for (step, sample) in self.samples.iter_mut().enumerate() {
            *sample = match sample {
                Sample::Float(value) => change(step, *value),
                _ => Sample::Absent,
            };
        }
        self
    }
}

/// Rows, one at a time. The same labels may come again with samples at other steps.
pub(crate) type Rows<'a> = Box<dyn Iterator<Item = Result<Row>> + 'a>;

/// The times at which an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) start_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) count: usize,
}

impl Steps {
    /// From `start_ms` through `end_ms`; a step of 0 is one evaluation.
    pub(crate) fn through(start_ms: i64, end_ms: i64, step_ms: i64) -> Steps {
        let count = match step_ms {
            _ if end_ms < start_ms => 0,
            0 => 1,
            step => (end_ms - start_ms) / step + 1,
        };
        Steps {
            start_ms,
            step_ms,
            count: count as usize,
        }
    }

    /// The first step alone.
    pub(crate) fn first(self) -> Steps {
        Steps {
            count: self.count.min(1),
            ..self
        }
    }

    pub(crate) fn at(&self, step: usize) -> i64 {
        self.start_ms + self.step_ms * step as i64
    }

    pub(crate) fn last_ms(&self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }

    /// The times, in seconds.
    pub(crate) fn seconds(&self) -> impl Iterator<Item = f64> + use<> {
        let steps = *self;
        (0..steps.count).map(move |step| steps.at(step) as f64 / 1000.0)
    }
}

/// Two rows of the same labels have samples at the same step.
pub(crate) fn same_labels() -> Error {
    Error::Evaluation("vector cannot contain metrics with the same labelset".to_owned())
}

/// All rows, those of the same labels as one.
pub(crate) fn collect(rows: Rows) -> Result<Vec<Row>> {
    let mut collected: Vec<Row> = Vec::new();
    let mut places: HashMap<Labels, usize> = HashMap::new();
    for row in rows {
        let row = row?;
        match places.entry(row.labels.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(collected.len());
                collected.push(row);
            }
            Entry::Occupied(entry) => merge(&mut collected[*entry.get()], row)?,
        }
    }
    Ok(collected)
}

fn merge(into: &mut Row, row: Row) -> Result<()> {
    into.drop_name |= row.drop_name;
    for (own, other) in into.samples.iter_mut().zip(row.samples) {
        match (own.is_absent(), other.is_absent()) {
            (_, true) => {}
            (true, false) => *own = other,
            (false, false) => return Err(same_labels()),
        }
    }
    Ok(())
}

/// Passes rows on and refuses two samples of the same labels at the same step.
pub(crate) fn distinct(rows: Rows<'_>) -> Rows<'_> {
    let mut seen: HashMap<Labels, Vec<bool>> = HashMap::new();
    Box::new(rows.map(move |row| {
        let row = row?;
        let taken = row.samples.iter().map(|sample| !sample.is_absent());
        match seen.entry(row.labels.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(taken.collect());
            }
            Entry::Occupied(mut entry) => {
                for (before, now) in entry.get_mut().iter_mut().zip(taken) {
                    if *before && now {
                        return Err(same_labels());
                    }
                    *before |= now;
                }
            }
        }
        Ok(row)
    }))
}
