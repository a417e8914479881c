//! Tombstones in the bucket: small documents, so that a catalog that is made anew brings nothing back, and knows what was
//! deleted.
//!
//! One is written before its tombstone is accepted, and again without what it deletes when every row is gone. `docs/formats/bucket.md` describes the
//! bytes.

use crate::{
    deletion::Tombstone,
    error::{Error, Kind, Result},
    id::{TenantId, TombstoneId},
};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, path::Path};

/// The version of the documents that this build reads and writes.
const FORMAT_VERSION: u32 = 1;

/// Values of a predicate have a mebibyte at most, row ids of spans less than 32; more is none of ours.
const MAX_BYTES: u64 = 64 << 20;

#[derive(serde::Serialize, serde::Deserialize)]
struct Document {
    format_version: u32,
    /// CRC-32C of the tombstone's JSON.
    crc: u32,
    /// The JSON of the tombstone, as text.
    tombstone: String,
}

/// The path of a tombstone's document.
fn path(tombstone: &Tombstone) -> Result<Path> {
    let text = format!(
        "tenant={}/tombstones/{}.json",
        tombstone.tenant, tombstone.id
    );
    Path::parse(text).map_err(|e| Error::Internal(e.to_string()))
}

/// Whether a path of the bucket is that of a document.
pub(super) fn is_document(path: &str) -> bool {
    id(path).is_some()
}

/// Whose document a path of the bucket is.
fn id(path: &str) -> Option<TombstoneId> {
    let parts: Vec<&str> = path.split('/').collect();
    let [tenant, "tombstones", file] = parts[..] else {
        return None;
    };
    tenant.strip_prefix("tenant=")?.parse::<TenantId>().ok()?;
    file.strip_suffix(".json")?.parse().ok()
}

/// The paths of a tenant's documents whose tombstones are none that `is_known` knows.
pub(super) async fn unknown(
    bucket: &dyn ObjectStore,
    tenant: &TenantId,
    is_known: impl Fn(TombstoneId) -> bool,
) -> Result<Vec<Path>> {
    let prefix = Path::parse(format!("tenant={tenant}/tombstones"))
        .map_err(|e| Error::Internal(e.to_string()))?;
    let listed: Vec<ObjectMeta> =
        bucket
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|source| Error::Objects {
                doing: "listing tombstones",
                source,
            })?;
    let paths = listed.into_iter().map(|object| object.location);
    let unknown = paths.filter(|path| id(path.as_ref()).is_some_and(|id| !is_known(id)));
    Ok(unknown.collect())
}

/// Writes the document, or writes it again.
pub(super) async fn put(bucket: &dyn ObjectStore, tombstone: &Tombstone) -> Result<()> {
    let json = serde_json::to_string(tombstone).expect("its fields all have a JSON form");
    let document = Document {
        format_version: FORMAT_VERSION,
        crc: crc32c::crc32c(json.as_bytes()),
        tombstone: json,
    };
    let bytes = serde_json::to_vec(&document).expect("its fields all have a JSON form");
    let put = bucket.put(&path(tombstone)?, PutPayload::from(bytes)).await;
    put.map(drop).map_err(|source| Error::Objects {
        doing: "writing a tombstone",
        source,
    })
}

/// Removes the document, if it is there.
pub(super) async fn remove(bucket: &dyn ObjectStore, tombstone: &Tombstone) -> Result<()> {
    remove_at(bucket, &path(tombstone)?).await
}

/// Removes the document at `path`, if it is there.
pub(super) async fn remove_at(bucket: &dyn ObjectStore, path: &Path) -> Result<()> {
    match bucket.delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(source) => Err(Error::Objects {
            doing: "removing a tombstone",
            source,
        }),
    }
}

/// Reads the document at `path`; `None` where it is gone. `Corrupt` where it is damaged, `Invalid` where a newer build wrote
/// it.
pub(super) async fn read(bucket: &dyn ObjectStore, path: &Path) -> Result<Option<Tombstone>> {
    let failed = |source| Error::Objects {
        doing: "reading a tombstone",
        source,
    };
    let found = match bucket.get(path).await.map_err(failed) {
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        other => other?,
    };
    if found.meta.size > MAX_BYTES {
        return Err(damaged(path, format!("it has {} bytes", found.meta.size)));
    }
    let bytes = found.bytes().await.map_err(failed)?;
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|e| damaged(path, e.to_string()))?;
    if document.crc != crc32c::crc32c(document.tombstone.as_bytes()) {
        return Err(damaged(path, "its checksum does not match".to_string()));
    }
    if document.format_version > FORMAT_VERSION {
        return Err(Error::Invalid {
            what: "a tombstone in the bucket",
            detail: format!(
                "its format is version {} and this build knows {FORMAT_VERSION}: use a newer build",
                document.format_version
            ),
        });
    }
    let tombstone = serde_json::from_str(&document.tombstone);
    tombstone
        .map(Some)
        .map_err(|e| damaged(path, e.to_string()))
}

fn damaged(path: &Path, detail: String) -> Error {
    Error::Corrupt {
        what: path.to_string(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_documents() {
        let id = "01arz3ndektsv4rrffq69g5fav";
        assert!(is_document(&format!("tenant=shop/tombstones/{id}.json")));
        for path in [
            format!("tenant=Shop/tombstones/{id}.json"),
            format!("tenant=shop/tombstones/{id}.txt"),
            format!("tenant=shop/tombstones/more/{id}.json"),
            format!("backup/tenant=shop/tombstones/{id}.json"),
            "tenant=shop/tombstones/x.json".to_string(),
        ] {
            assert!(!is_document(&path), "{path}");
        }
    }
}
