//! The catalog from the bucket alone: reads the footer of every object and chooses the segments that count.
//!
//! What footers do not hold is lost: digests (a retry of a request that is no longer in the log is stored again) and events
//! that were not delivered. What was retired and not yet deleted stays retired by the catalog's word. Where that is gone, the
//! bound says what was evicted, and what expired is live again until the next pass of `expire`.

mod choose;

use super::{
    bound,
    claim::{self, Claim, MARKER},
    documents,
};
use crate::{
    catalog::{Catalog, CatalogState, FlushMark},
    config::Config,
    error::{Error, Kind, Result},
    id::{OwnerId, SegmentId, TenantId},
    segment::{
        FileMeta, SegmentMeta,
        recover::{self, Recovered},
    },
    signal::{Signal, Table},
    world::World,
};
use choose::{Choice, choose};
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
}

/// Added to the highest sequence where an object cannot be read: it may hold higher ones, but never so many.
const UNREADABLE_SEQUENCES: u64 = 1 << 32;

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

/// Replaces everything in `catalog`, which becomes `owner`'s, by what the objects in `bucket` say.
pub(super) async fn anew(
    world: &World,
    config: &Config,
    catalog: &dyn Catalog,
    bucket: &dyn ObjectStore,
    owner: OwnerId,
) -> Result<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    let found = find(bucket, &mut rebuilt).await?;
    // What is there beside the damage is true: every row has a checksum of its own.
    let kept = catalog.load().await.unwrap_or_default();
    let last_sequence = last_sequence(&found, &kept);
    let now = world.clock.now();
    // Segments of a flush arrived together: where that is long ago, some of them may have expired before the others.
    let may_expire = |meta: &SegmentMeta| {
        let retention = config.retention(&meta.tenant, meta.signal);
        retention.is_some_and(|retention| meta.arrived().plus(retention) <= now)
    };
    let retired = kept.retired.iter().map(|meta| meta.id).collect();
    let Choice {
        live,
        mut retired,
        marks,
        left_out,
        lost,
    } = choose(found.segments, &retired, &may_expire);
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
    let state = CatalogState {
        owner: Some(owner),
        last_sequence,
        segments: live,
        retired,
        flushed_through: marks.into_iter().chain(kept.flushed_through).collect(),
        digests: kept.digests,
        damaged: Vec::new(),
    };
    catalog.replace_all(state, found.field_ids).await?;
    Ok(rebuilt)
}

/// Whole segments and the field ids of their promoted columns.
#[derive(Default)]
struct Found {
    segments: Vec<SegmentMeta>,
    field_ids: Vec<(Table, String, i32)>,
    /// The highest sequence of all objects, those of segments that are not whole included.
    last_sequence: u64,
    /// Whether there are objects that do not say what they hold.
    unreadable: bool,
}

/// A sequence that nothing in the bucket and nothing that the catalog knows is above.
fn last_sequence(found: &Found, kept: &CatalogState) -> u64 {
    let marks = kept
        .flushed_through
        .iter()
        .map(|mark: &FlushMark| mark.sequence);
    let known = marks.chain([kept.last_sequence, found.last_sequence]);
    let last = known.max().unwrap_or(0);
    match found.unreadable {
        true => last.saturating_add(UNREADABLE_SEQUENCES),
        false => last,
    }
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

async fn find(bucket: &dyn ObjectStore, rebuilt: &mut Rebuilt) -> Result<Found> {
    let failed = |source| Error::Objects {
        doing: "listing the bucket",
        source,
    };
    let listed: Vec<ObjectMeta> = bucket.list(None).try_collect().await.map_err(failed)?;
    let mut sidecars: BTreeMap<String, ObjectMeta> = BTreeMap::new();
    let mut objects = Vec::new();
    for object in listed {
        match object.location.extension() {
            Some("parquet") => objects.push(object),
            Some("idx") => {
                sidecars.insert(object.location.to_string(), object);
            }
            _ if object.location.as_ref() == MARKER => {}
            _ if documents::is_one(object.location.as_ref()) => {}
            _ => rebuilt
                .left_out
                .push(format!("{}: no file of a segment", object.location)),
        }
    }
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    let reads = objects.into_iter().map(|object| async move {
        let recovered = recover::object(bucket, &object.location, object.size).await;
        (object.location, recovered)
    });
    let recovered: Vec<(Path, Result<Recovered>)> = futures::stream::iter(reads)
        .buffered(MAX_READING)
        .collect()
        .await;
    let mut found = Found::default();
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
