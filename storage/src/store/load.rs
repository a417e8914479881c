//! The catalog at a start: loaded, or made anew from the bucket where it is damaged or lost.
//!
//! An empty catalog that never belonged to a data folder is a new one or the successor of a lost one. Only the bucket
//! can tell: where it holds segments, sequences have to go on above them, and frames of the log above their marks.

use super::{
    claim::{self, Claim, MARKER},
    health::Part,
    rebuild,
    state::State,
    tombstone_files,
};
use crate::{
    catalog::CatalogState,
    error::{Error, Kind, Result},
    id::OwnerId,
};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};

/// Loads the catalog, heals it where it must be, and ties data folder, catalog and bucket together.
///
/// A bucket that is out of reach is no error where the catalog is known to be ours: the first upload asks again.
pub(super) async fn load(state: &State) -> Result<CatalogState> {
    let (loaded, damage) = match state.catalog.load().await {
        Ok(loaded) => {
            let damage = loaded.damaged.join("; ");
            (loaded, damage)
        }
        Err(error @ Error::Corrupt { .. }) => (CatalogState::default(), error.to_string()),
        Err(error) => return Err(error),
    };
    let (world, folder) = (&state.world, &state.config.data_dir);
    let owner = claim::owner(world, folder, loaded.owner).await?;
    let owner = *state.owner.get_or_init(|| owner);
    let fresh = is_fresh(&loaded);
    take_bucket(state, owner, fresh).await?;
    let cause = if !damage.is_empty() {
        format!("was damaged ({damage})")
    } else if fresh && is_in_use(&*state.bucket).await? {
        "was empty, and the bucket holds segments: it was lost".to_string()
    } else {
        if loaded.owner.is_none() {
            state.catalog.set_owner(owner).await?;
        }
        return Ok(loaded);
    };
    tracing::error!(cause, "the catalog is made anew from the bucket");
    let (catalog, bucket) = (&*state.catalog, &*state.bucket);
    let rebuilt = rebuild::anew(world, &state.config, catalog, bucket, owner).await?;
    let detail = format!(
        "{cause} and was made anew from the bucket and {}: {} segments, {} files left out, problems: {:?}",
        match &rebuilt.backup {
            Some(backup) => format!("its backup of {}", backup.taken.to_text()),
            None => "without a backup".to_string(),
        },
        rebuilt.segments,
        rebuilt.left_out.len(),
        [&rebuilt.problems[..], &rebuilt.unusable_backups].concat()
    );
    tracing::warn!(detail, "the catalog is whole again");
    state.raise(Part::Catalog, "catalog", detail);
    state.catalog.load().await
}

/// Whether nothing was ever committed as far as this catalog knows, and nobody ever used it.
fn is_fresh(loaded: &CatalogState) -> bool {
    let CatalogState {
        owner,
        segments,
        flushed_through,
        ..
    } = loaded;
    owner.is_none() && segments.is_empty() && flushed_through.is_empty()
}

async fn take_bucket(state: &State, owner: OwnerId, fresh: bool) -> Result<()> {
    let claimed = claim::claim(&*state.bucket, owner, Claim::Own).await;
    let error = match claimed {
        Ok(()) => {
            claim::confirmed(state);
            return Ok(());
        }
        Err(error) => error,
    };
    match error.kind() {
        Kind::Corrupt if !fresh => {
            claim::claim(&*state.bucket, owner, Claim::TakeOver).await?;
            claim::confirmed(state);
            tracing::error!(%error, "the bucket's marker was damaged and is written anew");
            state.raise(
                Part::Bucket,
                MARKER,
                format!("{error}; it was written anew"),
            );
            Ok(())
        }
        Kind::Unavailable if fresh => Err(Error::Unavailable {
            what: "the bucket",
            detail: format!(
                "the catalog is empty, and only the bucket can say whether one was lost: {error}"
            ),
        }),
        Kind::Unavailable => {
            tracing::warn!(%error, "the bucket cannot be reached: nothing is uploaded until it can");
            state.raise(Part::Bucket, MARKER, error.to_string());
            Ok(())
        }
        _ => Err(error),
    }
}

/// Whether the bucket holds segments or tombstones: only a catalog that was in use made them.
async fn is_in_use(bucket: &dyn ObjectStore) -> Result<bool> {
    let failed = |source| Error::Objects {
        doing: "listing the bucket",
        source,
    };
    let mut listed = bucket.list(None);
    while let Some(ObjectMeta { location, .. }) = listed.try_next().await.map_err(failed)? {
        let is_segment = location.extension() == Some("parquet");
        if is_segment || tombstone_files::is_document(location.as_ref()) {
            return Ok(true);
        }
    }
    Ok(false)
}
