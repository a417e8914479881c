//! Objects in the bucket that no catalog names: what a crash between upload and commit left, with rows that were flushed again.

use crate::{
    deletion::Tombstone,
    error::{Error, Kind, Result},
    id::{SegmentId, TenantId},
    segment::recover,
    store::{buffer::Key, orphans::locate, state::State, tombstone_files},
};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt, path::Path};
use std::collections::BTreeSet;

/// Removes the documents of deletions that were not accepted: they say what would have been deleted.
pub(super) async fn remove_documents(state: &State, tenant: &TenantId) -> Result<()> {
    let is_known = |id| state.tombstones.lock().knows(id);
    for path in tombstone_files::unknown(&*state.bucket, tenant, is_known).await? {
        tracing::info!(%path, "the document of a deletion that was not accepted goes");
        tombstone_files::remove_at(&*state.bucket, &path).await?;
    }
    Ok(())
}

/// Removes those of `key` that may hold requests up to the tombstone's sequence; returns those that stay because nobody can
/// tell what they hold. No merge may be under way.
pub(super) async fn remove(state: &State, tombstone: &Tombstone, key: &Key) -> Result<Vec<String>> {
    let failed = |doing| move |source| Error::Objects { doing, source };
    let prefix = format!("tenant={}/signal={}", key.0, key.1);
    let prefix = Path::parse(prefix).map_err(|e| Error::Internal(e.to_string()))?;
    let listed: Vec<ObjectMeta> = state
        .bucket
        .list(Some(&prefix))
        .try_collect()
        .await
        .map_err(failed("listing the bucket"))?;
    // After the listing: what was committed meanwhile is live by now.
    let segments = state.buffers.segments();
    let mut known: BTreeSet<SegmentId> = segments.iter().map(|s| s.meta.id).collect();
    known.extend(state.retired.lock().ids());
    let mut left = Vec::new();
    let mut spared = BTreeSet::new();
    let mut strays = Vec::new();
    for object in listed {
        let Some(id) = locate(object.location.as_ref()) else {
            continue;
        };
        if known.contains(&id) {
            continue;
        }
        if object.location.extension() == Some("parquet") {
            match recover::object(&*state.bucket, &object.location, object.size).await {
                Ok(found)
                    if found
                        .segment
                        .wal
                        .iter()
                        .all(|r| r.first > tombstone.sequence) =>
                {
                    spared.insert(id);
                    continue;
                }
                Ok(_) => {}
                Err(error) if error.kind() == Kind::NotFound => continue,
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                Err(_) => {
                    left.push(object.location.to_string());
                    spared.insert(id);
                    continue;
                }
            }
        }
        strays.push((id, object.location));
    }
    strays.retain(|(id, _)| !spared.contains(id));
    for (_, path) in strays {
        tracing::info!(%path, "an object that nobody needs goes with a deletion");
        match state.bucket.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(failed("deleting an orphan")(source)),
        }
    }
    Ok(left)
}
