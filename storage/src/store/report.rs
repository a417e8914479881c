//! What is stored: by tenant and signal, with what waits for its deletion and what nobody needs.

use super::{expire::expires, health::Part, looked::Orphans, state::State};
use crate::{
    catalog::Catalog,
    config::Config,
    error::{Error, Result},
    id::TenantId,
    segment::SegmentMeta,
    signal::Signal,
    time::{Nanos, serialize_optional_text, serialize_text},
    world::World,
};
use std::{collections::BTreeMap, io, path::Path, sync::atomic::Ordering};

/// What is stored.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StorageReport {
    #[serde(serialize_with = "serialize_text")]
    pub taken: Nanos,
    /// By tenant, then by signal.
    pub signals: Vec<SignalReport>,
    /// Segments that are no longer live and whose objects wait for their deletion.
    pub retired_segments: u64,
    pub retired_bytes: u64,
    /// Bytes of the write-ahead log; offline, of its files, which are made before there are frames for them.
    pub wal_bytes: u64,
    /// Bytes of staged files that wait for their upload and commit.
    pub staged_bytes: u64,
    /// What the last look at the bucket found, where there was one.
    pub orphans: Option<Orphans>,
    /// Why nothing expires, where that is so.
    pub retention_held: Option<String>,
}

/// The live segments of one tenant's signal.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SignalReport {
    pub tenant: TenantId,
    pub signal: Signal,
    pub segments: u64,
    pub rows: u64,
    /// Bytes of all files, indexes included.
    pub bytes: u64,
    /// `None` without rows.
    pub bytes_per_row: Option<f64>,
    /// By level, the lowest first.
    pub levels: Vec<LevelReport>,
    #[serde(serialize_with = "serialize_optional_text")]
    pub oldest: Option<Nanos>,
    #[serde(serialize_with = "serialize_optional_text")]
    pub newest: Option<Nanos>,
    /// Days that rows are kept; `None` for ever.
    pub retention_days: Option<u32>,
    /// When the next segment expires.
    #[serde(serialize_with = "serialize_optional_text")]
    pub next_expiry: Option<Nanos>,
}

/// The live segments of one level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LevelReport {
    pub level: u32,
    pub segments: u64,
    pub rows: u64,
    pub bytes: u64,
}

impl LevelReport {
    fn add(&mut self, meta: &SegmentMeta) {
        self.segments += 1;
        self.rows += meta.rows;
        self.bytes += meta.bytes();
    }
}

/// The live segments by tenant and signal.
fn signals<'a>(
    segments: impl Iterator<Item = &'a SegmentMeta>,
    config: &Config,
) -> Vec<SignalReport> {
    let mut tables: BTreeMap<(&TenantId, Signal), Vec<&SegmentMeta>> = BTreeMap::new();
    for meta in segments {
        tables
            .entry((&meta.tenant, meta.signal))
            .or_default()
            .push(meta);
    }
    let tables = tables.into_iter();
    tables
        .map(|(key, metas)| signal(key, &metas, config))
        .collect()
}

fn signal(
    (tenant, signal): (&TenantId, Signal),
    metas: &[&SegmentMeta],
    config: &Config,
) -> SignalReport {
    let mut all = LevelReport::default();
    let mut levels: BTreeMap<u32, LevelReport> = BTreeMap::new();
    for meta in metas {
        all.add(meta);
        let level = levels.entry(meta.level).or_default();
        level.level = meta.level;
        level.add(meta);
    }
    let retention = config.retention(tenant, signal);
    SignalReport {
        tenant: tenant.clone(),
        signal,
        segments: all.segments,
        rows: all.rows,
        bytes: all.bytes,
        bytes_per_row: (all.rows > 0).then(|| all.bytes as f64 / all.rows as f64),
        levels: levels.into_values().collect(),
        oldest: metas.iter().map(|meta| meta.time.min).min(),
        newest: metas.iter().map(|meta| meta.time.max).max(),
        retention_days: config.retention_days(tenant, signal),
        next_expiry: metas
            .iter()
            .filter_map(|meta| expires(meta, retention))
            .min(),
    }
}

/// What a store that runs has.
pub(super) fn online(state: &State) -> StorageReport {
    let segments = state.buffers.segments();
    let live = segments.iter().filter(|segment| !segment.staged);
    let (retired_segments, retired_bytes) = state.retired.lock().totals();
    let problems = state.problems.list();
    let held = problems
        .into_iter()
        .find(|problem| problem.part == Part::Retention.as_str());
    StorageReport {
        taken: state.now(),
        signals: signals(live.map(|segment| &segment.meta), &state.config),
        retired_segments,
        retired_bytes,
        wal_bytes: state.wal_bytes.load(Ordering::Relaxed),
        staged_bytes: state.staged_bytes.load(Ordering::Relaxed),
        orphans: state.reconciling.lock().last,
        retention_held: held.map(|problem| problem.detail),
    }
}

/// What the store that `config` describes has, by its catalog and its folders. No process may have it open.
///
/// `Corrupt` when the catalog is damaged, `Unavailable` when it or the disk cannot be read.
pub async fn report(
    world: &World,
    config: &Config,
    catalog: &dyn Catalog,
) -> Result<StorageReport> {
    let loaded = catalog.load().await?;
    if let Some(detail) = loaded.damaged.first() {
        return Err(Error::Corrupt {
            what: "the catalog".to_string(),
            detail: format!(
                "{detail}: the next start, or `cairn catalog rebuild`, makes it anew from the bucket"
            ),
        });
    }
    let (inside, folder) = (world.clone(), config.data_dir.clone());
    let sizes = move || {
        let bytes = |name: &str| folder_bytes(&inside, &folder.join(name));
        Ok::<_, Error>((bytes("wal")?, bytes("staging")?))
    };
    let (wal_bytes, staged_bytes) = world.blocking(sizes).await??;
    Ok(StorageReport {
        taken: world.clock.now(),
        signals: signals(loaded.segments.iter(), config),
        retired_segments: loaded.retired.len() as u64,
        retired_bytes: loaded.retired.iter().map(SegmentMeta::bytes).sum(),
        wal_bytes,
        staged_bytes,
        orphans: None,
        retention_held: None,
    })
}

/// Bytes of all files below `root`, 0 where there is no such folder.
fn folder_bytes(world: &World, root: &Path) -> Result<u64> {
    let mut folders = vec![root.to_path_buf()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        let failed = |source| Error::Disk {
            doing: "looking at the files of",
            path: folder.clone(),
            source,
        };
        let names = match world.disk.list(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            names => names.map_err(failed)?,
        };
        for name in names {
            let path = folder.join(name.trim_end_matches('/'));
            match name.ends_with('/') {
                true => folders.push(path),
                false => bytes += world.disk.status(&path).map_err(failed)?.length,
            }
        }
    }
    Ok(bytes)
}
