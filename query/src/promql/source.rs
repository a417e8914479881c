//! The store as a source of series for an evaluation.
//!
//! An evaluation is plain code on a thread of its own, that waits here for what the scans bring.

use super::{
    catalog,
    collected::{Bound, Collected, Pass},
    hints,
    metric::Metric,
    points,
    remembered::SeriesMemory,
    selected::Selected,
};
use crate::{
    error::{Error, Result},
    session::TenantSession,
};
use cairn_promql::{
    labels::Labels,
    source::{Floats, Selection, Series, SeriesIter, Source, Temporality},
};
use cairn_storage::signal::Signal;
use datafusion::execution::memory_pool::MemoryReservation;
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, VecDeque},
    future::Future,
    sync::Arc,
    time::Duration,
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How far apart the points of `target_info` are: no lookback that is of use is shorter.
const TARGET_STEP_MS: i64 = 60_000;

/// The metrics of an interval (ms, both ends included).
type Known = ((i64, i64), Arc<Vec<Metric>>);

/// The series of one tenant, as of one snapshot.
pub(super) struct StoredSeries {
    pub(super) session: TenantSession,
    pub(super) memory: Arc<SeriesMemory>,
    pub(super) handle: Handle,
    /// Nobody waits for the answer any more.
    pub(super) stop: CancellationToken,
    pub(super) timeout: Duration,
    /// Series of one selector.
    pub(super) most_series: usize,
    /// Memory for the points of one selector.
    pub(super) budget_bytes: usize,
    /// What the selectors of one query ask again and again.
    pub(super) known: Mutex<Vec<Known>>,
}

impl StoredSeries {
    /// Waits for `future` until nobody waits for the answer.
    pub(super) fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.handle.block_on(async {
            tokio::select! {
                done = future => done,
                () = self.stop.cancelled() => Err(Error::TimedOut(self.timeout)),
            }
        })
    }

    /// The metrics in the time of `selection`.
    pub(super) fn metrics(&self, selection: &Selection) -> Result<Arc<Vec<Metric>>> {
        let interval = (selection.from_ms, selection.through_ms);
        if let Some((_, metrics)) = self.known.lock().iter().find(|(of, _)| *of == interval) {
            return Ok(Arc::clone(metrics));
        }
        let metrics = Arc::new(self.wait(self.catalog().metrics(selection))?);
        self.known.lock().push((interval, Arc::clone(&metrics)));
        Ok(metrics)
    }

    /// What `selection` means.
    pub(super) fn selected(&self, selection: &Selection) -> Result<Selected> {
        let metrics = self.metrics(selection)?;
        self.wait(self.catalog().select(selection, &metrics))
    }

    /// Whether a resource with series in the time of `selection` has an identity.
    pub(super) fn has_targets(&self, selection: &Selection) -> Result<bool> {
        self.wait(self.catalog().has_targets(selection))
    }

    fn catalog(&self) -> catalog::Reading<'_> {
        catalog::Reading {
            session: &self.session,
            tenant: self.session.snapshot(Signal::Metrics).tenant.clone(),
            memory: &self.memory,
            most_series: self.most_series,
        }
    }

    /// The series of `selection`, one after another.
    pub(super) fn read(&self, selection: &Selection) -> Result<Reader<'_>> {
        let mut selected = self.selected(selection)?;
        let targets = std::mem::take(&mut selected.targets).into_iter();
        let ready = targets.map(|(labels, stretches)| target(labels, &stretches, selection));
        Ok(Reader {
            source: self,
            selection: selection.clone(),
            ready: ready.collect(),
            pass: None,
            next: 0,
            memory: self.session.reservation("points of series"),
            selected,
        })
    }
}

impl Source for StoredSeries {
    fn select(&self, selection: &Selection) -> cairn_promql::error::Result<SeriesIter<'_>> {
        let reader = self.read(selection).map_err(outward)?;
        Ok(Box::new(reader.map(|series| series.map_err(outward))))
    }
}

/// An error of ours on its way through an evaluation.
fn outward(error: Error) -> cairn_promql::error::Error {
    cairn_promql::error::Error::Source(Box::new(error))
}

/// Series as they are asked for, a pass at a time.
pub(super) struct Reader<'a> {
    source: &'a StoredSeries,
    selection: Selection,
    selected: Selected,
    ready: VecDeque<Series>,
    pass: Option<Pass>,
    /// The group that comes next.
    next: usize,
    memory: MemoryReservation,
}

impl Reader<'_> {
    /// The next group's series; `None` after the last.
    fn advance(&mut self) -> Result<Option<()>> {
        if self.next >= self.selected.groups.len() {
            return Ok(None);
        }
        let ended = self
            .pass
            .as_ref()
            .is_none_or(|pass| self.next >= pass.end());
        if ended {
            self.pass = None;
            let mut reading = points::Reading {
                session: &self.source.session,
                selection: &self.selection,
                selected: &self.selected,
                memory: &mut self.memory,
                budget_bytes: self.source.budget_bytes,
            };
            self.pass = Some(self.source.wait(reading.pass(self.next))?);
        }
        let taken = self
            .pass
            .as_mut()
            .and_then(|pass| pass.group(self.next))
            .map(std::mem::take);
        if let Some(collected) = taken {
            self.expand(self.next, collected);
        }
        self.next += 1;
        Ok(Some(()))
    }

    /// The series of a group that have points.
    fn expand(&mut self, group: usize, collected: Collected) {
        let group = &self.selected.groups[group];
        let (floats, mut stale_ms) = collected.floats.floats();
        let Some(own_label) = group.part.own_label() else {
            let (times, histograms) = collected.natives.in_order();
            let mut histograms: Vec<_> = times.into_iter().zip(histograms).collect();
            if !histograms.is_empty() {
                let mut others = [floats.times_ms.as_slice(), &stale_ms].concat();
                others.sort_unstable();
                hints::complete(&mut histograms, &others);
                histograms.retain(|(time, _)| *time >= self.selection.from_ms);
            }
            stale_ms.retain(|time| *time >= self.selection.from_ms);
            let series = Series {
                labels: group.labels.clone(),
                temporality: group.temporality,
                floats,
                histograms,
                stale_ms,
            };
            if !is_empty(&series) {
                self.ready.push_back(series);
            }
            return;
        };
        for (Bound(bound), points) in collected.bounded {
            let text = bound_text(bound);
            let mut matchers = self.selection.matchers.iter();
            if !matchers.all(|matcher| matcher.name != own_label || matcher.accepts(&text)) {
                continue;
            }
            let pairs = group
                .labels
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()));
            let own = (Arc::from(own_label), Arc::from(text));
            self.ready.push_back(Series {
                labels: Labels::new(pairs.chain([own])),
                temporality: group.temporality,
                floats: points.floats().0,
                histograms: Vec::new(),
                // A point without a value has no bounds either: it ends all of them.
                stale_ms: stale_ms.clone(),
            });
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Series>;

    fn next(&mut self) -> Option<Result<Series>> {
        loop {
            if let Some(series) = self.ready.pop_front() {
                return Some(Ok(series));
            }
            match self.advance() {
                Ok(Some(())) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.next = self.selected.groups.len();
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Without a point, a marker or anything else to say.
fn is_empty(series: &Series) -> bool {
    series.floats.times_ms.is_empty() && series.histograms.is_empty() && series.stale_ms.is_empty()
}

/// A bound or a quantile as the value of its label.
fn bound_text(bound: f64) -> String {
    match bound {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        finite => finite.to_string(),
    }
}

/// The series that says that a resource was there: a 1 at least every minute while it sent points.
fn target(labels: Labels, stretches: &BTreeSet<(i64, i64)>, selection: &Selection) -> Series {
    let mut times = BTreeSet::new();
    for (first, last) in stretches {
        let from = selection.from_ms.max(*first);
        let through = selection.through_ms.min(*last);
        if from <= through {
            let step = usize::try_from(TARGET_STEP_MS).unwrap_or(1);
            times.extend((from..through).step_by(step).chain([through]));
        }
    }
    Series {
        labels,
        temporality: Temporality::Cumulative,
        floats: Floats {
            values: vec![1.0; times.len()],
            times_ms: times.into_iter().collect(),
        },
        histograms: Vec::new(),
        stale_ms: Vec::new(),
    }
}
