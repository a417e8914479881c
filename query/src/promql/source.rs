//! The store as a source of series for an evaluation.
//!
//! An evaluation is plain code on a thread of its own, that waits here for what the scans bring.

use super::{
    catalog::{self, Selected},
    collected::{Bound, Collected, NANOS_PER_MILLI, Pass},
    hints,
    metric::Metric,
    points,
};
use crate::{
    error::{Error, Result},
    session::TenantSession,
};
use arrow::{array::AsArray, compute, datatypes::TimestampNanosecondType};
use cairn_promql::{
    labels::Labels,
    source::{Floats, Selection, Series, SeriesIter, Source, Temporality},
};
use cairn_storage::{
    segment::{Bounds, ObjectMeta},
    signal::{Signal, Table},
    snapshot::Snapshot,
};
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

    fn catalog(&self) -> catalog::Reading<'_> {
        catalog::Reading {
            session: &self.session,
            most_series: self.most_series,
        }
    }

    /// The series of `selection`, one after another.
    pub(super) fn read(&self, selection: &Selection) -> Result<Reader<'_>> {
        let mut selected = self.selected(selection)?;
        let snapshot = self.session.snapshot(Signal::Metrics);
        let targets = std::mem::take(&mut selected.targets).into_iter();
        let ready = targets.map(|(labels, parts)| target(labels, &parts, &snapshot, selection));
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
        let (floats, stale_ms) = collected.floats.floats();
        let Some(own_label) = group.part.own_label() else {
            let (times, histograms) = collected.natives.in_order();
            let mut histograms: Vec<_> = times.into_iter().zip(histograms).collect();
            if !histograms.is_empty() {
                let mut others = [floats.times_ms.as_slice(), &stale_ms].concat();
                others.sort_unstable();
                hints::complete(&mut histograms, &others);
            }
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
fn target(
    labels: Labels,
    parts: &BTreeSet<i32>,
    snapshot: &Snapshot,
    selection: &Selection,
) -> Series {
    let mut times = BTreeSet::new();
    for (from, through) in parts.iter().filter_map(|part| instants(snapshot, *part)) {
        let (from, through) = (
            from.max(selection.from_ms),
            through.min(selection.through_ms),
        );
        let mut time = from;
        while time < through {
            times.insert(time);
            time += TARGET_STEP_MS;
        }
        if from <= through {
            times.insert(through);
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

/// The first and the last instant (ms) of the points of a part of `snapshot`.
fn instants(snapshot: &Snapshot, part: i32) -> Option<(i64, i64)> {
    let part = usize::try_from(part).ok()?;
    let tables = [Table::Samples, Table::Histograms];
    let of_tables: Vec<(i64, i64)> = match snapshot.segments.get(part) {
        Some(segment) => {
            let objects = segment.meta.objects.iter();
            objects
                .filter(|object| tables.contains(&object.table))
                .filter_map(of_object)
                .collect()
        }
        None => {
            let request = snapshot.buffered.get(part - snapshot.segments.len())?;
            let batches = tables.into_iter().filter_map(|table| request.batch(table));
            let of_batch = |batch: &arrow::record_batch::RecordBatch| {
                let times = batch.column_by_name("timestamp")?;
                let times = times.as_primitive_opt::<TimestampNanosecondType>()?;
                Some((compute::min(times)?, compute::max(times)?))
            };
            batches.filter_map(of_batch).collect()
        }
    };
    let from = of_tables.iter().map(|(from, _)| *from).min()?;
    let through = of_tables.iter().map(|(_, through)| *through).max()?;
    Some((
        from.div_euclid(NANOS_PER_MILLI),
        through.div_euclid(NANOS_PER_MILLI),
    ))
}

fn of_object(object: &ObjectMeta) -> Option<(i64, i64)> {
    let stats = object
        .columns
        .iter()
        .find(|stats| stats.column == "timestamp")?;
    match stats.bounds {
        Some(Bounds::Int(from, through)) => Some((from, through)),
        _ => None,
    }
}
