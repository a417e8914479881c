//! Reads everything that is stored and says what is wrong: every object against its checksums and the catalog, the bucket
//! against the catalog, the log against its own checksums.

use crate::{
    catalog::Catalog,
    config::Config,
    error::{Error, Result},
    segment::{
        SegmentMeta,
        verify::{self, Report},
    },
    wal::replay::{self, Damage, DamageKind, Replayed},
    world::World,
};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use std::collections::BTreeSet;

use super::{
    backups,
    claim::{self, MARKER},
    documents,
    lost::{self, Loss},
    stage::SHARD,
    tombstone_files,
};

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Live segments.
    pub segments: usize,
    /// Files, bytes and rows of live segments, and what is wrong with them.
    pub report: Report,
    /// Frames of the write-ahead log that are whole.
    pub frames: u64,
    /// What is wrong with the catalog and the log.
    pub problems: Vec<String>,
    /// Bytes of retired segments, which wait for their deletion and are not read.
    pub retired_bytes: u64,
    /// Objects that no segment has: left by a crash before a commit. No data is lost if they go. Not looked for where
    /// the catalog is damaged.
    pub orphans: Vec<String>,
    /// Bytes of the orphans.
    pub orphan_bytes: u64,
}

impl Verified {
    /// Whether nothing is wrong; orphans are not.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.report.findings.is_empty()
    }
}

/// Reads everything of the store that `config` describes. No process may have it open: a flush under way would look
/// like orphans.
///
/// Errors: a part is out of reach. What is damaged is in the answer.
pub async fn verify(
    world: &World,
    config: &Config,
    catalog: &dyn Catalog,
    bucket: &dyn ObjectStore,
) -> Result<Verified> {
    let mut verified = Verified::default();
    let loaded = match catalog.load().await {
        Ok(loaded) => loaded,
        Err(error @ Error::Corrupt { .. }) => {
            verified.problems.push(format!("the catalog: {error}"));
            return Ok(verified);
        }
        Err(error) => return Err(error),
    };
    verified.problems.extend(
        loaded
            .damaged
            .iter()
            .map(|detail| format!("the catalog: {detail}")),
    );
    for segment in &loaded.segments {
        verified
            .report
            .add(verify::verify(world, bucket, segment).await?);
    }
    verified.segments = loaded.segments.len();
    verified.retired_bytes = loaded.retired.iter().map(SegmentMeta::bytes).sum();
    let faults = claim::faults(world, &config.data_dir, bucket, loaded.owner).await?;
    verified.problems.extend(faults);
    verified.problems.extend(backups::faults(bucket).await?);
    // What a damaged or old catalog does not name may hold the only copy of rows.
    if loaded.damaged.is_empty() {
        let segments = loaded.segments.iter().chain(&loaded.retired);
        find_orphans(bucket, segments, &mut verified).await?;
    }
    let (directory, for_replay) = (config.data_dir.join("wal"), world.clone());
    let scan = move || replay::replay(&for_replay, &directory, SHARD, &mut |_| Ok(()));
    let Replayed { frames, damage, .. } = world.blocking(scan).await??;
    verified.frames = frames;
    let corrupt =
        |damage: &Damage| matches!(damage.kind, DamageKind::Corrupt | DamageKind::FileHeader);
    let describe = |damage: Damage| {
        let Damage {
            file,
            offset,
            length,
            detail,
            ..
        } = damage;
        format!("the write-ahead log: {length} bytes at {offset} of {file}: {detail}")
    };
    let found = damage.into_iter().filter(corrupt).map(describe);
    verified.problems.extend(found);
    let (log, inside) = (config.data_dir.join("wal"), world.clone());
    let losses = world.blocking(move || lost::read(&inside, &log)).await??;
    let kept = losses.into_iter().map(|loss| {
        let Loss { place, detail, .. } = loss;
        format!("the write-ahead log, at an earlier start: {place}: {detail} (wal/damaged keeps it until you remove it)")
    });
    verified.problems.extend(kept);
    Ok(verified)
}

async fn find_orphans<'a>(
    bucket: &dyn ObjectStore,
    segments: impl Iterator<Item = &'a SegmentMeta>,
    verified: &mut Verified,
) -> Result<()> {
    let files = segments.flat_map(SegmentMeta::files);
    let known: BTreeSet<&str> = files.map(|file| file.path.as_str()).collect();
    let failed = |source| Error::Objects {
        doing: "listing the bucket",
        source,
    };
    let mut listed = bucket.list(None);
    while let Some(ObjectMeta { location, size, .. }) = listed.try_next().await.map_err(failed)? {
        let path = location.as_ref();
        let is_ours = path == MARKER
            || documents::is_one(path)
            || tombstone_files::is_document(path)
            || backups::sequence_of(path).is_some();
        if !known.contains(path) && !is_ours {
            verified.orphans.push(location.to_string());
            verified.orphan_bytes += size;
        }
    }
    verified.orphans.sort();
    Ok(())
}
