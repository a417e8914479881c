//! The catalog from the bucket alone: reads the footer of every object and chooses the segments that count.
//!
//! What footers do not hold is lost: digests (a retry of a request that is no longer in the log is stored again) and events
//! that were not delivered.

mod choose;

use crate::{
    catalog::{Catalog, CatalogState},
    error::{Error, Kind, Result},
    id::SegmentId,
    segment::{
        FileMeta, SegmentMeta,
        recover::{self, Recovered},
    },
    signal::Table,
};
use choose::{Choice, choose};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, path::Path};
use std::collections::BTreeMap;

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

/// Replaces everything in `catalog` by what the objects in `bucket` say.
///
/// Digests that the catalog can still read are kept. Errors: the bucket or the catalog is out of reach; a damaged object is
/// none, it is reported.
pub async fn rebuild(catalog: &dyn Catalog, bucket: &dyn ObjectStore) -> Result<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    let found = find(bucket, &mut rebuilt).await?;
    let Choice {
        live,
        marks,
        left_out,
        lost,
    } = choose(found.segments);
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
    // What is there beside the damage is true: marks and digests have checksums of their own.
    let kept = catalog.load().await.unwrap_or_default();
    let state = CatalogState {
        segments: live,
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
    let mut segments: BTreeMap<SegmentId, Vec<Recovered>> = BTreeMap::new();
    for (path, recovered) in recovered {
        match recovered {
            Ok(object) => segments.entry(object.segment.id).or_default().push(object),
            // Out of reach is not damaged: a catalog without this object would be wrong.
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => rebuilt.problems.push(format!("{path}: {error}")),
        }
    }
    let mut found = Found::default();
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
