//! A restore for practice: the catalog from the bucket alone, counted against what should be there.
//!
//! What should be there says the catalog of the data folder, where there is one, else the newest backup. Segments of
//! before and after a merge hold the same rows, so counts compare whatever was merged meanwhile; only series, which a merge
//! makes fewer, are compared where the segments are the same. What has expired is left out on both sides.

mod compare;

pub use compare::{Found, TableDrill};

use super::{
    expire::expires,
    rebuild::{self, BackupUsed, Plan, Rebuilt},
};
use crate::{
    catalog::{Catalog, CatalogState, Contents, sqlite},
    config::Config,
    error::{Error, Result},
    segment::{SegmentMeta, verify},
    time::{Nanos, serialize_optional_text, serialize_text},
    world::World,
};
use compare::{Expected, compare};
use object_store::ObjectStore;
use std::{path::Path, time::Duration};

/// How often a catalog that changes is looked at until the counts lie between two looks.
const MAX_LOOKS: usize = 5;

/// Between two looks.
const LOOK_WAIT: Duration = Duration::from_secs(1);

/// What a drill found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DrillReport {
    /// Whether everything that should be there is.
    pub passed: bool,
    #[serde(serialize_with = "serialize_text")]
    pub taken: Nanos,
    /// What the counts were compared with: `catalog`, `backup`, or `nothing`, which passes no drill.
    pub compared_with: &'static str,
    pub backup: Option<BackupUsed>,
    pub backup_age_seconds: Option<f64>,
    /// Newer backups that cannot be read.
    pub unusable_backups: Vec<String>,
    pub segments: usize,
    pub rows: u64,
    /// Live segments of which the backup did not know.
    pub segments_beyond_backup: usize,
    pub tables: Vec<TableDrill>,
    /// Segments and objects that are not part of the catalog: how many.
    pub left_out: usize,
    /// What is damaged or lost.
    pub problems: Vec<String>,
    /// From the first request to a catalog that a server can start with.
    pub recovery_seconds: f64,
    /// The time of the newest row that is there again.
    #[serde(serialize_with = "serialize_optional_text")]
    pub newest_row: Option<Nanos>,
    /// When the newest row that is there again had arrived, at the latest.
    #[serde(serialize_with = "serialize_optional_text")]
    pub newest_arrival: Option<Nanos>,
    /// The age of that: what arrived since then was in the write-ahead log alone.
    pub recovery_point_seconds: Option<f64>,
}

/// Where to look, and how closely.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The catalog that the restored one has to agree with; `None` goes by the backup.
    pub catalog: Option<&'a Path>,
    /// Whether every object is read and checked, not only its footer.
    pub deep: bool,
}

/// Restores the catalog of the store that `config` describes into `empty`, which nobody uses, from `bucket` alone, and
/// counts. Nothing is written to the bucket.
///
/// Errors: the bucket or a catalog cannot be asked. What is damaged, lost or not as expected is in the answer.
pub async fn drill(
    world: &World,
    config: &Config,
    empty: &dyn Catalog,
    bucket: &dyn ObjectStore,
    wanted: Wanted<'_>,
) -> Result<DrillReport> {
    let before = match wanted.catalog {
        Some(path) => Some(sqlite::peek(path).await?.state),
        None => None,
    };
    let began = world.clock.monotonic();
    let Plan {
        contents,
        rebuilt,
        backup,
        ..
    } = rebuild::plan(world, config, CatalogState::default(), bucket).await?;
    let restored = fill(empty, contents).await?;
    let recovery = world.clock.monotonic().saturating_sub(began);
    let now = world.clock.now();
    let kept = |segments: Vec<SegmentMeta>| -> Vec<SegmentMeta> {
        let is_kept = |meta: &SegmentMeta| {
            let retention = config.retention(&meta.tenant, meta.signal);
            expires(meta, retention).is_none_or(|at| at > now)
        };
        segments.into_iter().filter(is_kept).collect()
    };
    let told = backup.map(|(_, segments)| segments);
    let beyond = told
        .as_ref()
        .map_or(0, |told| beyond(&restored.segments, told));
    let found = kept(restored.segments.clone());
    let (compared_with, tables) = match (wanted.catalog, before, told) {
        (Some(path), Some(before), _) => {
            let looked = look(world, path, kept(before.segments), &found, &kept).await?;
            ("catalog", looked)
        }
        (_, _, Some(told)) => {
            let expected = Expected::of_backup(&kept(told), beyond > 0, config.dead_letter_bytes);
            ("backup", compare(&expected, &found))
        }
        _ => ("nothing", Vec::new()),
    };
    let mut report = report(&restored.segments, rebuilt, now);
    if wanted.deep {
        report
            .problems
            .extend(read(world, bucket, &restored.segments).await?);
    }
    report.segments_beyond_backup = beyond;
    report.recovery_seconds = recovery.as_secs_f64();
    report.compared_with = compared_with;
    report.passed = compared_with != "nothing"
        && report.problems.is_empty()
        && tables.iter().all(TableDrill::is_sound);
    report.tables = tables;
    Ok(report)
}

/// Fills the catalog and reads it as a start would.
async fn fill(empty: &dyn Catalog, contents: Contents) -> Result<CatalogState> {
    let before = empty.load().await?;
    if before != CatalogState::default() {
        return Err(Error::Invalid {
            what: "folder for the drill",
            detail: "there is a catalog in it already: name an empty folder".to_string(),
        });
    }
    empty.replace_all(contents).await?;
    let restored = empty.load().await?;
    match restored.damaged.first() {
        None => Ok(restored),
        Some(detail) => Err(Error::Corrupt {
            what: "the restored catalog".to_string(),
            detail: detail.clone(),
        }),
    }
}

/// Compares with a catalog that may change meanwhile: until the counts lie between two looks, a few times.
async fn look(
    world: &World,
    path: &Path,
    before: Vec<SegmentMeta>,
    found: &[SegmentMeta],
    kept: &impl Fn(Vec<SegmentMeta>) -> Vec<SegmentMeta>,
) -> Result<Vec<TableDrill>> {
    let mut expected = Expected::of_catalog(&before);
    let mut tables = Vec::new();
    for number in 0..MAX_LOOKS {
        if number > 0 {
            world.clock.sleep(LOOK_WAIT).await;
        }
        let now = sqlite::peek(path).await?.state.segments;
        expected.or(Expected::of_catalog(&kept(now)));
        tables = compare(&expected, found);
        if tables.iter().all(TableDrill::is_sound) {
            break;
        }
    }
    Ok(tables)
}

fn beyond(live: &[SegmentMeta], told: &[SegmentMeta]) -> usize {
    let told: std::collections::BTreeSet<_> = told.iter().map(|meta| meta.id).collect();
    live.iter().filter(|meta| !told.contains(&meta.id)).count()
}

/// What is damaged in the objects of `segments`, all of which are read.
async fn read(
    world: &World,
    bucket: &dyn ObjectStore,
    segments: &[SegmentMeta],
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for meta in segments {
        let found = verify::verify(world, bucket, meta).await?.findings;
        let found = found.into_iter();
        problems.extend(found.map(|finding| format!("{}: {}", finding.path, finding.detail)));
    }
    Ok(problems)
}

/// All but what was compared.
fn report(segments: &[SegmentMeta], rebuilt: Rebuilt, now: Nanos) -> DrillReport {
    let age = |instant: Nanos| now.since(instant).as_secs_f64();
    let newest_arrival = segments.iter().map(SegmentMeta::arrived).max();
    DrillReport {
        passed: false,
        taken: now,
        compared_with: "nothing",
        backup_age_seconds: rebuilt.backup.as_ref().map(|backup| age(backup.taken)),
        backup: rebuilt.backup,
        unusable_backups: rebuilt.unusable_backups,
        segments: rebuilt.segments,
        rows: rebuilt.rows,
        segments_beyond_backup: 0,
        tables: Vec::new(),
        left_out: rebuilt.left_out.len(),
        problems: rebuilt.problems,
        recovery_seconds: 0.0,
        newest_row: segments.iter().map(|meta| meta.time.max).max(),
        newest_arrival,
        recovery_point_seconds: newest_arrival.map(age),
    }
}
