//! The series of a script in memory.

use super::model::{ScriptSeries, ScriptValue, Storage};
use crate::{
    error::Result,
    histogram::{Histogram, ResetHint},
    labels::Labels,
    source::{Floats, Selection, Series, SeriesIter, Source, Temporality},
};
use std::{collections::BTreeMap, sync::Arc};

/// Series in memory, for scripts and tests.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    series: BTreeMap<Labels, (Temporality, BTreeMap<i64, ScriptValue>)>,
}

impl Storage for Memory {
    fn clear(&mut self) -> Result<()> {
        self.series.clear();
        Ok(())
    }

    fn load(&mut self, series: &[ScriptSeries]) -> Result<()> {
        for one in series {
            let (temporality, points) = self.series.entry(one.labels.clone()).or_default();
            *temporality = one.temporality;
            points.extend(one.points.iter().cloned());
            as_stored(points.values_mut());
        }
        Ok(())
    }

    fn source(&self) -> Box<dyn Source + '_> {
        Box::new(self)
    }
}

impl Source for &Memory {
    fn select(&self, selection: &Selection) -> Result<SeriesIter<'_>> {
        let selection = selection.clone();
        let series = self
            .series
            .iter()
            .filter_map(move |(labels, (temporality, points))| {
                let wanted = selection
                    .matchers
                    .iter()
                    .all(|matcher| matcher.accepts(labels.get(&matcher.name)));
                if !wanted || selection.from_ms > selection.through_ms {
                    return None;
                }
                let points = points.range(selection.from_ms..=selection.through_ms);
                let series = column(labels, *temporality, points);
                let is_empty = series.floats.times_ms.is_empty()
                    && series.histograms.is_empty()
                    && series.stale_ms.is_empty();
                (!is_empty).then_some(Ok(series))
            });
        Ok(Box::new(series))
    }
}

fn column<'a>(
    labels: &Labels,
    temporality: Temporality,
    points: impl Iterator<Item = (&'a i64, &'a ScriptValue)>,
) -> Series {
    let mut series = Series {
        labels: labels.clone(),
        temporality,
        floats: Floats::default(),
        histograms: Vec::new(),
        stale_ms: Vec::new(),
    };
    for (time, value) in points {
        match value {
            ScriptValue::Float(value) => {
                series.floats.times_ms.push(*time);
                series.floats.values.push(*value);
            }
            ScriptValue::Histogram(histogram) => {
                series.histograms.push((*time, Arc::clone(histogram)))
            }
            ScriptValue::Stale => series.stale_ms.push(*time),
        }
    }
    series
}

/// Gives the histograms of one series the hints that Prometheus' database gives them: a gauge stays one, the first of a
/// chunk is unknown, the others are no resets. A chunk ends at a reset, at a float and where the layout changes.
pub fn as_stored<'a>(values: impl Iterator<Item = &'a mut ScriptValue>) {
    let mut before: Option<Arc<Histogram>> = None;
    for value in values {
        let ScriptValue::Histogram(histogram) = value else {
            before = None;
            continue;
        };
        if histogram.hint != ResetHint::Gauge {
            let hint = match &before {
                Some(before) if histogram.goes_on(before) => ResetHint::NotReset,
                _ => ResetHint::Unknown,
            };
            if histogram.hint != hint {
                *histogram = Arc::new(histogram.as_ref().clone().with_hint(hint));
            }
        }
        before = Some(Arc::clone(histogram));
    }
}
