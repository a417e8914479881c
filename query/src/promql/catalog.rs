//! Reads the stored series that a selector may mean: from memory, where they are remembered, and by scans.

use super::{
    collected::NANOS_PER_MILLI,
    described::{DESCRIBED, MetricColumns, OF_METRIC, Rows},
    identity::resource_identity,
    metric::{Metric, Spelling},
    remembered::{Learned, Listed, SeriesMemory},
    selected::{Building, Selected, Wanted},
};
use crate::{
    batches::{self, column, text, value},
    columns::PART,
    error::Result,
    session::TenantSession,
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::Int32Type,
};
use cairn_promql::source::Selection;
use cairn_storage::{
    id::{SegmentId, TenantId},
    signal::{Signal, Table},
};
use datafusion::{
    datasource::provider_as_source,
    logical_expr::{Expr, LogicalPlanBuilder, col, lit},
};
use futures::{StreamExt, stream::BoxStream};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Names that are told to the scan one by one; with more of them it reads every metric.
pub(super) const LISTED_METRICS: usize = 1_000;

/// Where series are read from.
pub(super) struct Reading<'a> {
    pub(super) session: &'a TenantSession,
    pub(super) tenant: TenantId,
    pub(super) memory: &'a SeriesMemory,
    /// Series of one selector; more is an error.
    pub(super) most_series: usize,
}

/// The time of `selection` as filters on a table of points, from `earlier_ms` before it on.
pub(super) fn in_time(selection: &Selection, earlier_ms: i64) -> [Expr; 2] {
    let from = selection.from_ms.saturating_sub(earlier_ms);
    let from = from.saturating_mul(NANOS_PER_MILLI);
    let through = selection.through_ms.saturating_mul(NANOS_PER_MILLI);
    batches::in_time(from, through.saturating_add(NANOS_PER_MILLI - 1))
}

impl Reading<'_> {
    /// The metrics of which there are series in the time of `selection`, each once.
    pub(super) async fn metrics(&self, selection: &Selection) -> Result<Vec<Metric>> {
        let mut places = self.places(selection)?;
        let mut metrics = BTreeSet::new();
        let mut unknown = BTreeMap::new();
        for (part, segment) in std::mem::take(&mut places.segments) {
            match self.memory.metrics(&self.tenant, segment) {
                Some(known) => metrics.extend(known.iter().cloned()),
                None => {
                    unknown.insert(part, segment);
                }
            }
        }
        let mut found: HashMap<SegmentId, BTreeSet<Metric>> = HashMap::new();
        let of_segment = |part: i32, metric: Metric| {
            if let Some(segment) = unknown.get(&part) {
                found.entry(*segment).or_default().insert(metric);
            }
        };
        let parts = unknown.keys().copied().collect();
        self.listed_metrics(parts, true, of_segment).await?;
        for (segment, of_segment) in found {
            metrics.extend(of_segment.iter().cloned());
            let kept = of_segment.into_iter().collect();
            self.memory.keep_metrics(&self.tenant, segment, kept);
        }
        let buffered = |_, metric: Metric| {
            metrics.insert(metric);
        };
        self.listed_metrics(places.others, false, buffered).await?;
        Ok(metrics.into_iter().collect())
    }

    /// The metrics in `parts`, each once, or once a part.
    async fn listed_metrics(
        &self,
        parts: BTreeSet<i32>,
        by_part: bool,
        mut see: impl FnMut(i32, Metric),
    ) -> Result<()> {
        if parts.is_empty() {
            return Ok(());
        }
        let part = by_part.then_some(PART);
        let columns: Vec<Expr> = part.into_iter().chain(OF_METRIC).map(col).collect();
        let plan = self
            .scan(parts)?
            .project(columns.clone())?
            .aggregate(columns, Vec::<Expr>::new())?
            .build()?;
        let mut rows = self.session.rows(plan).await?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let columns = MetricColumns::of(&batch)?;
            let parts = batch.column_by_name(PART);
            let parts = parts.map(|part| part.as_primitive::<Int32Type>());
            for row in 0..batch.num_rows() {
                see(
                    parts.map_or(0, |parts| parts.value(row)),
                    columns.metric(row),
                );
            }
        }
        Ok(())
    }

    /// Whether a resource with series in the time of `selection` has an identity.
    pub(super) async fn has_targets(&self, selection: &Selection) -> Result<bool> {
        let mut places = self.places(selection)?;
        let mut unknown = BTreeMap::new();
        for (part, segment) in std::mem::take(&mut places.segments) {
            match self.memory.has_targets(&self.tenant, segment) {
                Some(true) => return Ok(true),
                Some(false) => {}
                None => {
                    unknown.insert(part, segment);
                }
            }
        }
        if self.identified(places.others).await? {
            return Ok(true);
        }
        for (part, segment) in unknown {
            let has_targets = self.identified(BTreeSet::from([part])).await?;
            self.memory.keep_targets(&self.tenant, segment, has_targets);
            if has_targets {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a resource in `parts` has an identity.
    async fn identified(&self, parts: BTreeSet<i32>) -> Result<bool> {
        const RESOURCE: &str = "resource_attributes";
        if parts.is_empty() {
            return Ok(false);
        }
        let plan = self
            .scan(parts)?
            .project([col(RESOURCE)])?
            .distinct()?
            .build()?;
        let mut rows = self.session.rows(plan).await?;
        while let Some(batch) = rows.next().await {
            let resources = text(&batch?, RESOURCE)?;
            let mut rows = 0..resources.len();
            if rows.any(|row| !resource_identity(value(&resources, row)).is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The series of `metrics` that the matchers of `selection` accept.
    pub(super) async fn select(
        &self,
        selection: &Selection,
        metrics: &[Metric],
    ) -> Result<Selected> {
        let spelling = Spelling::of(&selection.matchers);
        let wanted = Wanted::of(metrics, &selection.matchers, spelling);
        let mut building =
            Building::new(&wanted, &selection.matchers, self.memory, self.most_series);
        if wanted.parts.is_empty() && !wanted.targets {
            return Ok(building.finish());
        }
        let mut places = self.places(selection)?;
        if spelling == Spelling::Translated {
            for listed in self.remembered(&mut places, &wanted, metrics).await? {
                building.listed(&listed)?;
            }
        }
        let mut rows = self.described(places.all(), &wanted).await?;
        while let Some(batch) = rows.next().await {
            building.batch(&batch?)?;
        }
        Ok(building.finish())
    }

    /// What is wanted of the segments among `places`, read where it is not remembered. Takes them away, unless it would
    /// be too much to remember.
    async fn remembered(
        &self,
        places: &mut Places,
        wanted: &Wanted,
        metrics: &[Metric],
    ) -> Result<Vec<Arc<Listed>>> {
        let names: BTreeSet<&str> = match wanted.targets {
            true => metrics.iter().map(|metric| metric.name.as_str()).collect(),
            false => wanted.names(),
        };
        let mut listed = Vec::new();
        let mut missing: BTreeMap<i32, (SegmentId, Vec<String>)> = BTreeMap::new();
        for (part, segment) in &places.segments {
            let names = names.iter().copied();
            let mut recalled = self.memory.recall(&self.tenant, *segment, names);
            listed.append(&mut recalled.listed);
            if !recalled.missing.is_empty() {
                missing.insert(*part, (*segment, recalled.missing));
            }
        }
        let rows = |part: &i32| places.series_rows.get(part).copied().unwrap_or(0);
        let share = |rows: u64| (rows * names.len() as u64).div_ceil(metrics.len().max(1) as u64);
        let all = share(missing.keys().map(rows).sum());
        let most = share(missing.keys().map(rows).max().unwrap_or(0));
        if !self.memory.has_room(all, most) {
            return Ok(Vec::new());
        }
        places.segments.clear();
        if missing.is_empty() {
            return Ok(listed);
        }
        let unknown = missing
            .values()
            .flat_map(|(_, names)| names)
            .map(String::as_str);
        let unknown: BTreeSet<&str> = unknown.collect();
        let mut learned = Learned::default();
        let mut batches = self
            .read(missing.keys().copied().collect(), &unknown)
            .await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let part = column(&batch, PART)?.as_primitive::<Int32Type>();
            let segment = |row: usize| Some(missing.get(&part.value(row))?.0);
            self.memory
                .learn(&self.tenant, &Rows::of(&batch)?, segment, &mut learned);
        }
        for (segment, names) in missing.into_values() {
            listed.append(&mut self.memory.keep(&self.tenant, segment, names, &mut learned));
        }
        Ok(listed)
    }

    async fn described(
        &self,
        parts: BTreeSet<i32>,
        wanted: &Wanted,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        if parts.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        match wanted.targets {
            true => self.read(parts, &BTreeSet::new()).await,
            false => self.read(parts, &wanted.names()).await,
        }
    }

    /// The series of the metrics called `names`, of all where there are none or too many to list.
    async fn read(
        &self,
        parts: BTreeSet<i32>,
        names: &BTreeSet<&str>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let mut plan = self.scan(parts)?;
        if (1..=LISTED_METRICS).contains(&names.len()) {
            let list = names.iter().map(|name| lit(*name)).collect();
            plan = plan.filter(col("metric").in_list(list, false))?;
        }
        let columns = [PART].into_iter().chain(DESCRIBED).map(col);
        self.session.rows(plan.project(columns)?.build()?).await
    }

    /// A scan of the series in `parts`.
    fn scan(&self, parts: BTreeSet<i32>) -> Result<LogicalPlanBuilder> {
        let series = self.session.table(Table::Series).narrowed(Arc::new(parts));
        let source = provider_as_source(Arc::new(series));
        Ok(LogicalPlanBuilder::scan("series", source, None)?)
    }

    /// The parts that hold points in the time of `selection`.
    fn places(&self, selection: &Selection) -> Result<Places> {
        let filters = in_time(selection, 0);
        let mut parts = BTreeSet::new();
        for table in [Table::Samples, Table::Histograms] {
            parts.append(&mut self.session.table(table).parts(&filters)?);
        }
        // Also what memory alone answers says what is missing.
        self.session.table(Table::Series).note_read();
        let snapshot = self.session.snapshot(Signal::Metrics);
        let mut places = Places::default();
        for part in parts {
            let segment = usize::try_from(part).ok();
            // While rows are being deleted, a segment has fewer series than were read of it.
            let is_whole = snapshot.tombstones.is_empty();
            let segment = segment.filter(|_| is_whole);
            let segment = segment.and_then(|number| snapshot.segments.get(number));
            let Some(segment) = segment else {
                places.others.insert(part);
                continue;
            };
            let mut objects = segment.meta.objects.iter();
            if let Some(object) = objects.find(|object| object.table == Table::Series) {
                places.segments.insert(part, segment.meta.id);
                places.series_rows.insert(part, object.rows);
            }
        }
        Ok(places)
    }
}

/// Parts of the snapshot, by number.
#[derive(Default)]
struct Places {
    segments: BTreeMap<i32, SegmentId>,
    /// How many series each segment has.
    series_rows: HashMap<i32, u64>,
    others: BTreeSet<i32>,
}

impl Places {
    fn all(&self) -> BTreeSet<i32> {
        self.segments.keys().chain(&self.others).copied().collect()
    }
}
