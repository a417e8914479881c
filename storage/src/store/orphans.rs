//! The bucket against the catalog: objects that nobody needs, and objects that are not there.
//!
//! What a crash between upload and commit leaves is an orphan, and so is what a deletion left behind that nobody knows of
//! any more. The server counts them and never deletes them: `cairn storage orphans --delete` does, offline.

use super::{
    backups,
    claim::{self, MARKER},
    documents,
    looked::Orphans,
    tombstone_files,
};
use crate::{
    catalog::{Catalog, CatalogState},
    config::Config,
    error::{Error, Kind, Result},
    id::{SegmentId, TenantId},
    segment::{SegmentMeta, recover},
    signal::{Signal, Table},
    time::Nanos,
    world::World,
};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What is younger may be under way: an upload, a flush that waits for its commit.
const MIN_AGE: Duration = Duration::from_secs(86_400);

/// Missing objects that are named, of all that are counted.
const MAX_NAMED: usize = 100;

/// What a listing told.
pub(super) struct Listed {
    pub(super) orphans: Orphans,
    /// Files of live segments that the listing did not show.
    pub(super) unseen: Vec<(SegmentId, String)>,
}

/// The segment that a path names, where it is a path of ours.
pub(super) fn locate(path: &str) -> Option<SegmentId> {
    let mut parts = path.split('/');
    let tenant = parts.next()?.strip_prefix("tenant=")?;
    let signal = parts.next()?.strip_prefix("signal=")?;
    let date = parts.next()?;
    let hour = parts.next()?;
    let file = parts.next()?;
    let is_whole = parts.next().is_none() && date.starts_with("date=") && hour.starts_with("hour=");
    let _: TenantId = tenant.parse().ok()?;
    let signal: Signal = signal.parse().ok()?;
    let (id, rest) = file.split_once('.')?;
    let is_table = |table: &Table| rest.strip_suffix(".parquet") == Some(table.as_str());
    let is_file = rest == "idx" || signal.tables().iter().any(is_table);
    let segment: SegmentId = id.parse().ok()?;
    (is_whole && is_file && segment.to_string() == id).then_some(segment)
}

/// Holds what the bucket lists against what is known: `live` segments with their files, and `others` that are under way or
/// retired. `each` is told of every orphan. Memory is for what is known, not for what is listed.
pub(super) async fn list(
    bucket: &dyn ObjectStore,
    live: &[&SegmentMeta],
    others: &BTreeSet<SegmentId>,
    now: Nanos,
    mut each: impl FnMut(ObjectMeta),
) -> Result<Listed> {
    let failed = |source| Error::Objects {
        doing: "listing the bucket",
        source,
    };
    let mut unseen: BTreeMap<&str, SegmentId> = BTreeMap::new();
    let mut known = others.clone();
    for meta in live {
        known.insert(meta.id);
        unseen.extend(meta.files().map(|file| (file.path.as_str(), meta.id)));
    }
    let mut orphans = Orphans {
        looked: now,
        objects: 0,
        bytes: 0,
        foreign_objects: 0,
        missing_objects: 0,
    };
    let mut listed = bucket.list(None);
    while let Some(object) = listed.try_next().await.map_err(failed)? {
        let path = object.location.as_ref();
        unseen.remove(path);
        match locate(path) {
            None if path == MARKER
                || documents::is_one(path)
                || tombstone_files::is_document(path)
                || backups::sequence_of(path).is_some() => {}
            None => orphans.foreign_objects += 1,
            Some(segment) if known.contains(&segment) => {}
            Some(segment) if now.since(segment.time()) < MIN_AGE => {}
            Some(_) => {
                orphans.objects += 1;
                orphans.bytes += object.size;
                each(object);
            }
        }
    }
    let unseen = unseen.into_iter();
    Ok(Listed {
        orphans,
        unseen: unseen.map(|(path, id)| (id, path.to_string())).collect(),
    })
}

/// Whether the object at `path` is not in the bucket: a listing may have missed it.
pub(super) async fn is_missing(bucket: &dyn ObjectStore, path: &str) -> Result<bool> {
    let path = Path::parse(path).map_err(|e| Error::Internal(e.to_string()))?;
    match bucket.head(&path).await {
        Ok(_) => Ok(false),
        Err(object_store::Error::NotFound { .. }) => Ok(true),
        Err(source) => Err(Error::Objects {
            doing: "looking for an object",
            source,
        }),
    }
}

/// What [`orphans`] found and did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OrphansFound {
    #[serde(flatten)]
    pub orphans: Orphans,
    /// Orphans that are gone now, and their bytes.
    pub deleted_objects: u64,
    pub deleted_bytes: u64,
    /// Orphans that stay although they were to go, each with the reason.
    pub kept: Vec<String>,
    /// Paths of missing objects, the first hundred.
    pub missing: Vec<String>,
}

/// Looks for orphans and missing objects in the store that `config` describes, and deletes the orphans where it is asked
/// to. No process may have the store open.
///
/// Errors: a part is out of reach. To delete: the catalog is damaged or lost, so that what it does not name may hold the
/// only copy of rows, or the bucket is another data folder's (`Invalid`). An object whose footer cannot be read stays.
pub async fn orphans(
    world: &World,
    config: &Config,
    catalog: &dyn Catalog,
    bucket: &dyn ObjectStore,
    delete: bool,
) -> Result<OrphansFound> {
    let loaded = catalog.load().await?;
    if delete {
        refuse_deletion(world, config, bucket, &loaded).await?;
    }
    let live: Vec<&SegmentMeta> = loaded.segments.iter().collect();
    let retired = loaded.retired.iter().map(|meta| meta.id).collect();
    let mut found = Vec::new();
    let each = |object| {
        if delete {
            found.push(object);
        }
    };
    let listed = list(bucket, &live, &retired, world.clock.now(), each).await?;
    let mut outcome = OrphansFound {
        orphans: listed.orphans,
        deleted_objects: 0,
        deleted_bytes: 0,
        kept: Vec::new(),
        missing: Vec::new(),
    };
    for (_, path) in listed.unseen {
        if is_missing(bucket, &path).await? {
            outcome.orphans.missing_objects += 1;
            if outcome.missing.len() < MAX_NAMED {
                outcome.missing.push(path);
            }
        }
    }
    for object in found {
        let path = object.location.to_string();
        match delete_one(bucket, &object).await? {
            None => {
                outcome.deleted_objects += 1;
                outcome.deleted_bytes += object.size;
            }
            Some(reason) => outcome.kept.push(format!("{path}: {reason}")),
        }
    }
    Ok(outcome)
}

async fn refuse_deletion(
    world: &World,
    config: &Config,
    bucket: &dyn ObjectStore,
    loaded: &CatalogState,
) -> Result<()> {
    let refuse = |detail: String| {
        Err(Error::Invalid {
            what: "deletion of orphans",
            detail,
        })
    };
    let rebuild = "start the server or run `cairn catalog rebuild` first, and look again";
    if !loaded.damaged.is_empty() {
        return refuse(format!(
            "the catalog is damaged, and what it does not name may be the only copy of rows: {rebuild}"
        ));
    }
    if loaded.owner.is_none() {
        return refuse(format!("the catalog is new or was lost: {rebuild}"));
    }
    let faults = claim::faults(world, &config.data_dir, bucket, loaded.owner).await?;
    match faults.first() {
        Some(fault) => refuse(format!("it is not sure whose the bucket is: {fault}")),
        None => Ok(()),
    }
}

/// Deletes an orphan, or says why it stays.
async fn delete_one(bucket: &dyn ObjectStore, object: &ObjectMeta) -> Result<Option<String>> {
    if object.location.extension() == Some("parquet") {
        match recover::object(bucket, &object.location, object.size).await {
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            // A rebuild of the catalog left it out for that, and it may hold rows.
            Err(error) => return Ok(Some(format!("its footer cannot be read: {error}"))),
            Ok(_) => {}
        }
    }
    match bucket.delete(&object.location).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(Error::Objects {
            doing: "deleting an orphan",
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_name_a_segment() {
        let folder = "tenant=shop/signal=spans/date=2026-01-01/hour=00";
        let id = "01arz3ndektsv4rrffq69g5fav";
        let is_ours = |path: String| locate(&path).is_some();
        for file in ["idx", "spans.parquet", "span_events.parquet"] {
            assert!(is_ours(format!("{folder}/{id}.{file}")), "{file}");
        }
        let late = folder.replace("2026-01-01/hour=00", "late/hour=late");
        assert!(is_ours(format!("{late}/{id}.idx")));
        let strangers = [
            format!("{folder}/{id}.logs.parquet"),
            format!("{folder}/{id}.spans.parquet.bak"),
            format!("{folder}/{id}"),
            format!("{folder}/more/{id}.idx"),
            format!("{folder}/{}.idx", id.to_uppercase()),
            format!("backup/{folder}/{id}.idx"),
            format!("{}/{id}.idx", folder.replace("shop", "Shop")),
            format!("{}/{id}.idx", folder.replace("spans", "traces")),
            "cairn.json".to_string(),
            "notes.txt".to_string(),
        ];
        for path in strangers {
            assert!(!is_ours(path.clone()), "{path}");
        }
    }
}
