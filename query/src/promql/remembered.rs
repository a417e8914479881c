//! The series of segments in Prometheus' terms, remembered from query to query: segments do not change.
//!
//! For each segment what was read of it: its metrics, and of the metrics that were asked for the series with their
//! labels. A series that stands in many segments is kept once. What is in the buffer is read anew each time. When all of it
//! passes its limit, what was not used for longest goes, segment by segment.

use super::{
    described::Rows,
    identity::{Texts, resource_identity},
    metric::{Metric, Part, Spelling},
};
use crate::workplace::Workplace;
use cairn_promql::labels::Labels;
use cairn_storage::id::{SegmentId, TenantId};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

/// What a series takes beside its labels, and a label of it, in bytes; texts are shared.
const SERIES_BYTES: usize = 160;
const LABEL_BYTES: usize = 40;

/// What a series takes in one more segment.
const PLACE_BYTES: usize = 16;

/// What a resource's stretch of time takes.
const TARGET_BYTES: usize = 64;

/// A stored series as it is known: of one that is read for the first time labels are taken to be about this many.
const USUAL_LABELS: usize = 10;

/// A stored series, its names in the characters of Prometheus.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) metric: Arc<Metric>,
    /// The parts that it becomes, with the labels of each and their hash.
    pub(super) parts: Vec<(Part, Labels, u64)>,
    /// Of the texts that it was made of.
    described: u64,
}

/// The series of one metric in one segment.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// By id.
    pub(super) series: Vec<(i64, Arc<Known>)>,
    /// Their resources with an identity as `target_info`, and from when to when each has points (ms).
    pub(super) targets: BTreeMap<Labels, BTreeSet<(i64, i64)>>,
}

impl Listed {
    fn bytes(&self) -> usize {
        let stretches: usize = self.targets.values().map(BTreeSet::len).sum();
        self.series.len() * PLACE_BYTES + stretches * TARGET_BYTES
    }
}

/// What is remembered of a segment.
#[derive(Debug, Default)]
struct Segment {
    used: u64,
    bytes: usize,
    metrics: Option<Arc<[Metric]>>,
    /// Whether a resource has an identity.
    has_targets: Option<bool>,
    of: HashMap<String, Arc<Listed>>,
}

#[derive(Debug, Default)]
struct Tenant {
    segments: HashMap<SegmentId, Segment>,
    known: HashMap<i64, Arc<Known>>,
    texts: Texts,
    targets: HashMap<String, Option<Labels>>,
}

#[derive(Debug, Default)]
struct Memory {
    tenants: HashMap<TenantId, Tenant>,
    bytes: usize,
    /// Grows with each use.
    now: u64,
}

/// Where a question in PromQL is answered.
pub(crate) struct Site {
    pub(crate) place: Workplace,
    pub(crate) memory: Arc<SeriesMemory>,
}

/// What is remembered of all tenants.
#[derive(Debug)]
pub(crate) struct SeriesMemory {
    limit_bytes: usize,
    hasher: RandomState,
    memory: Mutex<Memory>,
}

/// What a segment's memory says of some metrics.
#[derive(Default)]
pub(super) struct Recalled {
    pub(super) listed: Vec<Arc<Listed>>,
    pub(super) missing: Vec<String>,
}

impl SeriesMemory {
    /// A memory of about `limit_bytes`; 0 remembers nothing.
    pub(crate) fn new(limit_bytes: u64) -> SeriesMemory {
        SeriesMemory {
            limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX),
            hasher: RandomState::new(),
            memory: Mutex::default(),
        }
    }

    /// Whether so many series, of which the largest segment has `most`, can be remembered beside others.
    pub(super) fn has_room(&self, series: u64, most: u64) -> bool {
        let one = SERIES_BYTES + USUAL_LABELS * LABEL_BYTES;
        let bytes = u128::from(most) * one as u128 + u128::from(series) * PLACE_BYTES as u128;
        bytes <= self.limit_bytes as u128 / 2
    }

    /// The hash that [`Known::parts`] has of labels.
    pub(super) fn hash(&self, labels: &Labels) -> u64 {
        self.hasher.hash_one(labels)
    }

    /// The metrics of a segment.
    pub(super) fn metrics(&self, tenant: &TenantId, segment: SegmentId) -> Option<Arc<[Metric]>> {
        let mut memory = self.memory.lock();
        let now = memory.tick();
        let segment = memory.tenants.get_mut(tenant)?.segments.get_mut(&segment)?;
        segment.used = now;
        segment.metrics.clone()
    }

    /// Remembers the metrics of a segment.
    pub(super) fn keep_metrics(
        &self,
        tenant: &TenantId,
        segment: SegmentId,
        metrics: Arc<[Metric]>,
    ) {
        if self.limit_bytes == 0 {
            return;
        }
        let mut memory = self.memory.lock();
        let text =
            |metric: &Metric| metric.name.len() + metric.description.len() + metric.metadata.len();
        let bytes: usize = metrics
            .iter()
            .map(|metric| SERIES_BYTES + text(metric))
            .sum();
        let kept = memory.segment(tenant, segment);
        let is_new = kept.metrics.replace(metrics).is_none();
        if is_new {
            kept.bytes += bytes;
            memory.bytes += bytes;
        }
        memory.shrink(self.limit_bytes);
    }

    /// Whether a resource in a segment has an identity.
    pub(super) fn has_targets(&self, tenant: &TenantId, segment: SegmentId) -> Option<bool> {
        let memory = self.memory.lock();
        memory
            .tenants
            .get(tenant)?
            .segments
            .get(&segment)?
            .has_targets
    }

    /// Remembers whether it does.
    pub(super) fn keep_targets(&self, tenant: &TenantId, segment: SegmentId, has_targets: bool) {
        if self.limit_bytes > 0 {
            self.memory.lock().segment(tenant, segment).has_targets = Some(has_targets);
        }
    }

    /// The series of the metrics called `names` in a segment.
    pub(super) fn recall<'n>(
        &self,
        tenant: &TenantId,
        segment: SegmentId,
        names: impl Iterator<Item = &'n str>,
    ) -> Recalled {
        let mut memory = self.memory.lock();
        let now = memory.tick();
        let tenant = memory.tenants.get_mut(tenant);
        let Some(segment) = tenant.and_then(|tenant| tenant.segments.get_mut(&segment)) else {
            return Recalled {
                missing: names.map(str::to_owned).collect(),
                ..Recalled::default()
            };
        };
        segment.used = now;
        let mut recalled = Recalled::default();
        for name in names {
            match segment.of.get(name) {
                Some(listed) => recalled.listed.push(Arc::clone(listed)),
                None => recalled.missing.push(name.to_owned()),
            }
        }
        recalled
    }

    /// Makes what is to be remembered of rows, each of the segment that `segment` says, into `made`.
    pub(super) fn learn(
        &self,
        tenant: &TenantId,
        rows: &Rows<'_>,
        segment: impl Fn(usize) -> Option<SegmentId>,
        made: &mut Learned,
    ) {
        let mut memory = self.memory.lock();
        let memory = &mut *memory;
        let of_tenant = memory.tenants.entry(tenant.clone()).or_default();
        let texts_bytes = of_tenant.texts.bytes();
        let mut before: Option<Arc<Metric>> = None;
        for row in 0..rows.id.len() {
            let Some(segment) = segment(row) else {
                continue;
            };
            let metric = rows.metrics.metric(row);
            let metric = match before.take() {
                Some(before) if *before == metric => before,
                _ => made.shared(metric),
            };
            before = Some(Arc::clone(&metric));
            let name = metric.name.clone();
            let known = of_tenant.known(rows, row, metric, &self.hasher, &mut memory.bytes);
            let target = of_tenant.target(rows.described(row).resource);
            let listed = made.of.entry((segment, name)).or_default();
            listed.series.push((rows.id.value(row), known));
            if let Some(target) = target {
                listed
                    .targets
                    .entry(target)
                    .or_default()
                    .insert(rows.extent(row));
            }
        }
        memory.bytes += of_tenant.texts.bytes() - texts_bytes;
    }

    /// Remembers what was learned of `names`, which were missing, in a segment; a name without series has none there.
    pub(super) fn keep(
        &self,
        tenant: &TenantId,
        segment: SegmentId,
        names: Vec<String>,
        learned: &mut Learned,
    ) -> Vec<Arc<Listed>> {
        let mut memory = self.memory.lock();
        let kept = memory.segment(tenant, segment);
        let mut all = Vec::with_capacity(names.len());
        let mut grown = 0;
        for name in names {
            let listed = learned.of.remove(&(segment, name.clone()));
            let listed = Arc::new(listed.unwrap_or_default());
            all.push(Arc::clone(&listed));
            let bytes = listed.bytes() + SERIES_BYTES;
            if kept.of.insert(name, listed).is_none() {
                grown += bytes;
            }
        }
        kept.bytes += grown;
        memory.bytes += grown;
        memory.shrink(self.limit_bytes);
        all
    }
}

/// What was read of segments and is not yet remembered.
#[derive(Default)]
pub(super) struct Learned {
    of: HashMap<(SegmentId, String), Listed>,
    metrics: HashMap<Metric, Arc<Metric>>,
}

impl Learned {
    fn shared(&mut self, metric: Metric) -> Arc<Metric> {
        if let Some(known) = self.metrics.get(&metric) {
            return Arc::clone(known);
        }
        let shared = Arc::new(metric.clone());
        self.metrics.insert(metric, Arc::clone(&shared));
        shared
    }
}

impl Tenant {
    /// The series in a row, made unless it is known as it is described there.
    fn known(
        &mut self,
        rows: &Rows<'_>,
        row: usize,
        metric: Arc<Metric>,
        hasher: &RandomState,
        bytes: &mut usize,
    ) -> Arc<Known> {
        let described = hasher.hash_one((rows.described(row), &metric));
        let id = rows.id.value(row);
        if let Some(known) = self
            .known
            .get(&id)
            .filter(|known| known.described == described)
        {
            return Arc::clone(known);
        }
        // What came in Prometheus' own terms has its labels as they are.
        let spelling = match metric.prometheus_type() {
            Some(_) => Spelling::AsSent,
            None => Spelling::Translated,
        };
        let mut parts = metric.parts(spelling).into_iter().map(|(part, name)| {
            let labels = self.texts.labels(&name, rows.described(row), spelling);
            let hash = hasher.hash_one(&labels);
            (part, labels, hash)
        });
        let parts = parts.by_ref().collect();
        let known = Arc::new(Known {
            metric,
            parts,
            described,
        });
        if self.known.insert(id, Arc::clone(&known)).is_none() {
            *bytes += known.bytes();
        }
        known
    }

    /// The labels of a resource with an identity.
    fn target(&mut self, resource: &str) -> Option<Labels> {
        if let Some(known) = self.targets.get(resource) {
            return known.clone();
        }
        let has_identity = !resource_identity(resource).is_empty();
        let labels = has_identity.then(|| self.texts.target(resource, Spelling::Translated));
        self.targets.insert(resource.to_owned(), labels.clone());
        labels
    }
}

impl Known {
    fn bytes(&self) -> usize {
        let of_part = |(_, labels, _): &(Part, Labels, u64)| labels.len() * LABEL_BYTES;
        SERIES_BYTES + self.parts.iter().map(of_part).sum::<usize>()
    }
}

impl Memory {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn segment(&mut self, tenant: &TenantId, segment: SegmentId) -> &mut Segment {
        let now = self.tick();
        let segments = &mut self.tenants.entry(tenant.clone()).or_default().segments;
        let segment = segments.entry(segment).or_default();
        segment.used = now;
        segment
    }

    /// Forgets what was not used for longest until three quarters of the limit are left.
    fn shrink(&mut self, limit_bytes: usize) {
        if self.bytes <= limit_bytes {
            return;
        }
        let mut oldest: Vec<(u64, TenantId, SegmentId)> = Vec::new();
        for (tenant, of_tenant) in &self.tenants {
            let segments = of_tenant.segments.iter();
            oldest.extend(segments.map(|(id, segment)| (segment.used, tenant.clone(), *id)));
        }
        oldest.sort_unstable_by_key(|(used, ..)| *used);
        for chunk in oldest.chunks(oldest.len().div_ceil(8).max(1)) {
            for (_, tenant, id) in chunk {
                let segments = self
                    .tenants
                    .get_mut(tenant)
                    .map(|tenant| &mut tenant.segments);
                if let Some(gone) = segments.and_then(|segments| segments.remove(id)) {
                    self.bytes = self.bytes.saturating_sub(gone.bytes);
                }
            }
            self.forget_series();
            if self.bytes <= limit_bytes / 4 * 3 {
                return;
            }
        }
    }

    /// Forgets series that no segment has any more, and all texts where none is left.
    fn forget_series(&mut self) {
        let bytes = &mut self.bytes;
        for tenant in self.tenants.values_mut() {
            tenant.known.retain(|_, known| {
                let is_used = Arc::strong_count(known) > 1;
                if !is_used {
                    *bytes = bytes.saturating_sub(known.bytes());
                }
                is_used
            });
            tenant.targets.clear();
            let before = tenant.texts.bytes();
            tenant.texts.forget();
            *bytes = bytes.saturating_sub(before - tenant.texts.bytes());
        }
        self.tenants.retain(|_, tenant| !tenant.segments.is_empty());
    }
}

#[cfg(test)]
mod tests;
