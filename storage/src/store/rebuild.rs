//! The catalog from the bucket alone: reads the newest backup and the footer of every object, and chooses the segments that
//! count.
//!
//! What footers do not hold comes from the newest backup of the catalog (`backups`), as far as that goes: digests (later ones
//! are lost: a retry of such a request that is no longer in the log is stored again), events, field ids that no object has
//! yet, what was retired. What was retired and not yet deleted stays retired by the catalog's word or the backup's. Where
//! neither knows, the bound says what was evicted, and what expired is live again until the next pass of `expire`.

mod backed;
mod choose;

use super::{
    backups::{self, Head, Newest},
    bound,
    claim::{self, Claim, MARKER},
    documents, tombstone_files,
};
use crate::{
    catalog::{Catalog, CatalogState, Commit, Contents, Event, FlushMark},
    config::Config,
    deletion::Tombstone,
    error::{Error, Kind, Result},
    id::{OwnerId, SegmentId, TenantId, TombstoneId},
    segment::{
        FileMeta, SegmentMeta,
        recover::{self, Recovered},
    },
    signal::{Signal, Table},
    time::{Nanos, serialize_text},
    world::World,
};
use choose::{Choice, Known, choose};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, path::Path};
use std::collections::{BTreeMap, BTreeSet};

/// Objects whose footers are read at the same time.
const MAX_READING: usize = 16;

/// What a rebuild found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Live segments.
    pub segments: usize,
    /// Rows of the live segments.
    pub rows: u64,
    /// Segments and objects that are not part of the catalog, each with the reason.
    pub left_out: Vec<String>,
    /// Objects that are damaged and segments that are gone: data is lost.
    pub problems: Vec<String>,
    /// The backup that was used, where there is one.
    pub backup: Option<BackupUsed>,
    /// Newer backups that cannot be read, each with the reason.
    pub unusable_backups: Vec<String>,
}

/// A backup of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BackupUsed {
    pub sequence: u64,
    /// When it was made.
    #[serde(serialize_with = "serialize_text")]
    pub taken: Nanos,
    /// The data folder whose catalog it is.
    pub owner: Option<OwnerId>,
    /// Commits of the catalog until then.
    pub commits: u64,
}

impl BackupUsed {
    fn of(head: &Head) -> BackupUsed {
        BackupUsed {
            sequence: head.sequence,
            taken: head.taken,
            owner: head.owner,
            commits: head.commits,
        }
    }
}

/// Added to the highest sequence where an object cannot be read: it may hold higher ones, but never so many.
const UNREADABLE_SEQUENCES: u64 = 1 << 32;

/// Added to the last number of an event in a backup: later ones may have been given and delivered, but never so many.
const UNSEEN_EVENTS: u64 = 1 << 20;

/// Replaces everything in the catalog by what the objects in the bucket say. No process may have them open.
///
/// Digests that the catalog can still read are kept. Errors: the bucket or the catalog is out of reach, the bucket is
/// another data folder's and `claim` does not take it over (`Invalid`); a damaged object is none, it is reported.
pub async fn rebuild(
    world: &World,
    config: &Config,
    catalog: &dyn Catalog,
    bucket: &dyn ObjectStore,
    claim: Claim,
) -> Result<Rebuilt> {
    let known = catalog.load().await.unwrap_or_default();
    let owner = claim::owner(world, &config.data_dir, known.owner).await?;
    claim::claim(bucket, owner, claim).await?;
    anew(world, config, catalog, bucket, owner).await
}

/// Replaces everything in `catalog`, which becomes `owner`'s, by what the newest backup and the objects in `bucket` say.
pub(super) async fn anew(
    world: &World,
    config: &Config,
    catalog: &dyn Catalog,
    bucket: &dyn ObjectStore,
    owner: OwnerId,
) -> Result<Rebuilt> {
    // What is there beside the damage is true: every row has a checksum of its own.
    let kept = catalog.load().await.unwrap_or_default();
    let Plan {
        mut contents,
        events,
        rebuilt,
        ..
    } = plan(world, config, kept, bucket).await?;
    contents.state.owner = Some(owner);
    catalog.replace_all(contents).await?;
    if !events.is_empty() {
        let told = Commit {
            events,
            ..Commit::default()
        };
        catalog.commit(told).await?;
    }
    Ok(rebuilt)
}

/// A catalog that is to be.
pub(super) struct Plan {
    /// Without an owner.
    pub(super) contents: Contents,
    /// What no backup tells of segments that are live: it is told again.
    pub(super) events: Vec<Event>,
    pub(super) rebuilt: Rebuilt,
    /// What the backup that was used said of itself, and its live segments.
    pub(super) backup: Option<(Head, Vec<SegmentMeta>)>,
}

/// What a catalog has to hold by what is `kept` of it, by the newest backup and by the objects in `bucket`. Nothing is
/// written.
pub(super) async fn plan(
    world: &World,
    config: &Config,
    mut kept: CatalogState,
    bucket: &dyn ObjectStore,
) -> Result<Plan> {
    let mut rebuilt = Rebuilt::default();
    let Newest { backup, unusable } = backups::newest(bucket).await?;
    rebuilt.unusable_backups = unusable;
    let found = find(bucket, &mut rebuilt).await?;
    let mut known = Known::default();
    known
        .retired
        .extend(kept.retired.iter().map(|meta| meta.id));
    known
        .committed
        .extend(kept.segments.iter().map(|meta| meta.id));
    let mut contents = Contents::default();
    let mut used = None;
    if let Some((head, backup)) = backup {
        rebuilt.backup = Some(BackupUsed::of(&head));
        known
            .retired
            .extend(backed::retired_for_good(&backup.state));
        let live = backup.state.segments.iter().map(|meta| meta.id);
        known.committed.extend(live);
        backed::add_to(&mut kept, &backup);
        contents.events = backup.events;
        contents.last_event = backup.last_event.saturating_add(UNSEEN_EVENTS);
        (contents.epoch, contents.commits) = (backup.epoch, backup.commits);
        contents.field_ids = backup.field_ids;
        used = Some((head, backup.state.segments));
    }
    known.marks = kept.flushed_through.clone();
    contents.field_ids = backed::field_ids(found.field_ids.clone(), contents.field_ids);
    let last_sequence = last_sequence(&found, &kept);
    let (live, retired, marks) = decide(world, config, found.segments, &known, &mut rebuilt);
    let events = match &used {
        Some((_, told)) => backed::untold(&live, told, world.clock.now()),
        None => Vec::new(),
    };
    contents.state = CatalogState {
        owner: None,
        last_sequence,
        segments: live,
        retired,
        flushed_through: marks.into_iter().chain(kept.flushed_through).collect(),
        digests: kept.digests,
        tombstones: tombstones(kept.tombstones, found.tombstones),
        damaged: Vec::new(),
    };
    Ok(Plan {
        contents,
        events,
        rebuilt,
        backup: used,
    })
}

/// The segments that are live and those that are to be deleted, with the marks; the rest is told in `rebuilt`.
fn decide(
    world: &World,
    config: &Config,
    found: Vec<SegmentMeta>,
    known: &Known,
    rebuilt: &mut Rebuilt,
) -> (Vec<SegmentMeta>, Vec<SegmentMeta>, Vec<FlushMark>) {
    let now = world.clock.now();
    // Segments of a flush arrived together: where that is long ago, some of them may have expired before the others.
    let may_expire = |meta: &SegmentMeta| {
        let retention = config.retention(&meta.tenant, meta.signal);
        retention.is_some_and(|retention| meta.arrived().plus(retention) <= now)
    };
    let Choice {
        live,
        mut retired,
        marks,
        left_out,
        lost,
    } = choose(found, known, &may_expire);
    let (live, over) = within_bound(live, config.dead_letter_bytes);
    retired.extend(over);
    for meta in &retired {
        let reason = format!("segment {}: it was retired and is to be deleted", meta.id);
        rebuilt.left_out.push(reason);
    }
    for (id, reason) in left_out {
        rebuilt.left_out.push(format!("segment {id}: {reason}"));
    }
    for id in lost {
        rebuilt
            .problems
            .push(format!("segment {id} is gone and its rows are lost"));
    }
    rebuilt.segments = live.len();
    rebuilt.rows = live.iter().map(|meta| meta.rows).sum();
    (live, retired, marks)
}

/// Whole segments and the field ids of their promoted columns.
#[derive(Default)]
struct Found {
    segments: Vec<SegmentMeta>,
    field_ids: Vec<(Table, String, i32)>,
    /// The highest sequence of all objects, those of segments that are not whole included.
    last_sequence: u64,
    /// Deletions that are not done.
    tombstones: Vec<Tombstone>,
    /// Whether there are objects that do not say what they hold.
    unreadable: bool,
}

/// A sequence that nothing in the bucket and nothing that the catalog knows is above.
fn last_sequence(found: &Found, kept: &CatalogState) -> u64 {
    let marks = kept
        .flushed_through
        .iter()
        .map(|mark: &FlushMark| mark.sequence);
    let tombstones = found.tombstones.iter().map(|tombstone| tombstone.sequence);
    let known = marks
        .chain(tombstones)
        .chain([kept.last_sequence, found.last_sequence]);
    let last = known.max().unwrap_or(0);
    match found.unreadable {
        true => last.saturating_add(UNREADABLE_SEQUENCES),
        false => last,
    }
}

/// What the catalog still knows of deletions, and what it has lost.
fn tombstones(kept: Vec<Tombstone>, found: Vec<Tombstone>) -> Vec<Tombstone> {
    let all = found.into_iter().chain(kept);
    let by_id: BTreeMap<TombstoneId, Tombstone> = all.map(|t| (t.id, t)).collect();
    by_id.into_values().collect()
}

/// The segments that stay, and dead letters that are over a tenant's bytes, the oldest first.
fn within_bound(
    live: Vec<SegmentMeta>,
    dead_letter_bytes: u64,
) -> (Vec<SegmentMeta>, Vec<SegmentMeta>) {
    let letters = live
        .iter()
        .filter(|meta| meta.signal == Signal::DeadLetters);
    let mut tenants: BTreeMap<&TenantId, Vec<&SegmentMeta>> = BTreeMap::new();
    for meta in letters {
        tenants.entry(&meta.tenant).or_default().push(meta);
    }
    let over: BTreeSet<SegmentId> = tenants
        .into_values()
        .flat_map(|letters| bound::over(letters.into_iter(), dead_letter_bytes))
        .collect();
    live.into_iter().partition(|meta| !over.contains(&meta.id))
}

/// The sidecars of segments by their path.
type Sidecars = BTreeMap<String, ObjectMeta>;

/// What the bucket lists: objects of segments and their sidecars. Tombstones are read into `found`.
async fn list(
    bucket: &dyn ObjectStore,
    found: &mut Found,
    rebuilt: &mut Rebuilt,
) -> Result<(Vec<ObjectMeta>, Sidecars)> {
    let failed = |source| Error::Objects {
        doing: "listing the bucket",
        source,
    };
    let listed: Vec<ObjectMeta> = bucket.list(None).try_collect().await.map_err(failed)?;
    let mut sidecars = Sidecars::new();
    let mut objects = Vec::new();
    for object in listed {
        match object.location.extension() {
            Some("parquet") => objects.push(object),
            Some("idx") => {
                sidecars.insert(object.location.to_string(), object);
            }
            _ if object.location.as_ref() == MARKER => {}
            _ if backups::sequence_of(object.location.as_ref()).is_some() => {}
            _ if documents::is_one(object.location.as_ref()) => {}
            _ if tombstone_files::is_document(object.location.as_ref()) => {
                read_tombstone(bucket, &object, found, rebuilt).await?;
            }
            _ => rebuilt
                .left_out
                .push(format!("{}: no file of a segment", object.location)),
        }
    }
    Ok((objects, sidecars))
}

/// Reads a tombstone into `found`; a damaged one is told in `rebuilt`.
async fn read_tombstone(
    bucket: &dyn ObjectStore,
    object: &ObjectMeta,
    found: &mut Found,
    rebuilt: &mut Rebuilt,
) -> Result<()> {
    match tombstone_files::read(bucket, &object.location).await {
        Ok(tombstone) => found.tombstones.extend(tombstone),
        Err(error @ Error::Corrupt { .. }) => {
            let detail = "what it deletes is there again, unless the catalog still knows of it";
            rebuilt.problems.push(format!("{error}: {detail}"));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn find(bucket: &dyn ObjectStore, rebuilt: &mut Rebuilt) -> Result<Found> {
    let mut found = Found::default();
    let (mut objects, sidecars) = list(bucket, &mut found, rebuilt).await?;
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    let reads = objects.into_iter().map(|object| async move {
        let recovered = recover::object(bucket, &object.location, object.size).await;
        (object.location, recovered)
    });
    let recovered: Vec<(Path, Result<Recovered>)> = futures::stream::iter(reads)
        .buffered(MAX_READING)
        .collect()
        .await;
    let mut segments: BTreeMap<SegmentId, Vec<Recovered>> = BTreeMap::new();
    for (path, recovered) in recovered {
        match recovered {
            Ok(object) => {
                let last = object.segment.last_sequence();
                found.last_sequence = found.last_sequence.max(last);
                segments.entry(object.segment.id).or_default().push(object);
            }
            // Out of reach is not damaged: a catalog without this object would be wrong.
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => {
                found.unreadable = true;
                rebuilt.problems.push(format!("{path}: {error}"));
            }
        }
    }
    for objects in segments.into_values() {
        let index = sidecar(bucket, &objects[0], &sidecars, rebuilt).await?;
        for object in &objects {
            let table = object.segment.objects.first().map(|object| object.table);
            let columns = object.field_ids.iter();
            found
                .field_ids
                .extend(columns.filter_map(|(c, id)| Some((table?, c.clone(), *id))));
        }
        match recover::segment(objects, index) {
            Ok(meta) => found.segments.push(meta),
            Err(error) => rebuilt.left_out.push(error.to_string()),
        }
    }
    found.field_ids.sort();
    found.field_ids.dedup();
    Ok(found)
}

/// The index sidecar beside an object, where there is one and it is whole; a segment can be read without.
async fn sidecar(
    bucket: &dyn ObjectStore,
    object: &Recovered,
    sidecars: &BTreeMap<String, ObjectMeta>,
    rebuilt: &mut Rebuilt,
) -> Result<Option<FileMeta>> {
    let meta = &object.segment;
    let path = meta
        .objects
        .first()
        .map(|object| object.file.path.as_str())
        .unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(listed) = sidecars.get(&format!("{folder}/{}.idx", meta.id)) else {
        return Ok(None);
    };
    match recover::index(bucket, &listed.location, listed.size).await {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == Kind::Unavailable => Err(error),
        Err(error) => {
            rebuilt
                .problems
                .push(format!("{}: {error}", listed.location));
            Ok(None)
        }
    }
}
