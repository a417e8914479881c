//! Small documents of a tenant in the bucket, by name, all of a kind in one object: a catalog that is made anew lacks none of
//! them, nor does a data folder that takes the bucket over.
//!
//! No object is written over. A change makes the object of the next version, which only one writer can make, and the version
//! before the one that it follows goes. `docs/formats/bucket.md` describes the bytes.

use super::{claim, state::State};
use crate::{
    catalog::{Commit, Event},
    error::{Error, Result},
    id::TenantId,
};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, path::Path as ObjectPath};
use std::collections::BTreeMap;

/// The version of the layout that this build reads and writes.
const FORMAT_VERSION: u32 = 1;

/// All documents of a kind together: what is read and written as a whole must stay small.
const MOST_BYTES: usize = 4 << 20;

/// How often a change is made anew on what somebody else has written meanwhile.
const ATTEMPTS: usize = 8;

/// Digits of a version in a path, so that paths sort as versions do.
const VERSION_DIGITS: usize = 20;

/// What documents are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// Searches of logs that somebody has saved.
    LogSearches,
}

impl Documents {
    const ALL: [Documents; 1] = [Documents::LogSearches];

    /// The name in paths.
    fn as_str(self) -> &'static str {
        match self {
            Documents::LogSearches => "log-searches",
        }
    }
}

/// Documents by their names.
pub type ByName = BTreeMap<String, String>;

/// A change of a document, for those who keep account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The event that tells of it: its kind, and its body in JSON.
    pub event: &'static str,
    pub body: String,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct File {
    format_version: u32,
    version: u64,
    documents: ByName,
    /// CRC-32C: see [`checksum`].
    crc: u32,
}

/// What every version has.
#[derive(serde::Deserialize)]
struct Format {
    format_version: u32,
}

/// Whether `path` is that of such an object.
pub(super) fn is_one(path: &str) -> bool {
    let Some((tenant, rest)) = path.split_once("/documents/") else {
        return false;
    };
    let is_tenant = tenant
        .strip_prefix("tenant=")
        .is_some_and(|id| id.parse::<TenantId>().is_ok());
    let Some((kind, file)) = rest.split_once('/') else {
        return false;
    };
    let is_known = Documents::ALL.iter().any(|known| known.as_str() == kind);
    is_tenant && is_known && version_of(file).is_some()
}

fn version_of(file: &str) -> Option<u64> {
    let digits = file.strip_suffix(".json")?;
    let is_version =
        digits.len() == VERSION_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_version.then(|| digits.parse().ok()).flatten()
}

fn folder(tenant: &TenantId, of: Documents) -> ObjectPath {
    ObjectPath::from(format!("tenant={tenant}/documents/{}", of.as_str()))
}

fn object(tenant: &TenantId, of: Documents, version: u64) -> ObjectPath {
    let file = format!("{version:0VERSION_DIGITS$}.json");
    ObjectPath::from(format!("tenant={tenant}/documents/{}/{file}", of.as_str()))
}

/// All documents of a kind, and their version; 0 before the first.
pub(super) async fn read(
    bucket: &dyn ObjectStore,
    tenant: &TenantId,
    of: Documents,
) -> Result<(u64, ByName)> {
    for _ in 0..ATTEMPTS {
        let Some(newest) = versions(bucket, tenant, of).await?.pop() else {
            return Ok((0, ByName::new()));
        };
        let path = object(tenant, of, newest);
        let found = match bucket.get(&path).await {
            // Two versions were written since the bucket was listed.
            Err(object_store::Error::NotFound { .. }) => continue,
            other => other.map_err(failed("reading documents"))?,
        };
        if found.meta.size > 2 * MOST_BYTES as u64 {
            return Err(damaged(&path, format!("it has {} bytes", found.meta.size)));
        }
        let bytes = found.bytes().await.map_err(failed("reading documents"))?;
        return Ok((newest, decode(&path, newest, &bytes)?));
    }
    Err(changed(of))
}

/// Lets `change` change the documents of a kind, and returns what it returns when that is durable; without a change nothing is
/// written. It may be called more than once.
///
/// Errors are those of `change`, and: too many bytes (`Limited`), the bucket is out of reach (`Unavailable`), the newest
/// object is damaged (`Corrupt`).
pub(super) async fn change<T>(
    state: &State,
    tenant: &TenantId,
    of: Documents,
    mut change: impl FnMut(&mut ByName) -> Result<(T, Change)>,
) -> Result<T> {
    claim::confirm(state).await?;
    let _one = state.documents.lock().await;
    for _ in 0..ATTEMPTS {
        let (version, before) = read(&*state.bucket, tenant, of).await?;
        let mut documents = before.clone();
        let (done, told) = change(&mut documents)?;
        if documents == before {
            return Ok(done);
        }
        let bytes = encode(version + 1, documents);
        if bytes.len() > MOST_BYTES {
            return Err(Error::Limited {
                what: "the size of saved documents",
                detail: format!("together they may have {MOST_BYTES} bytes"),
            });
        }
        match put(&*state.bucket, &object(tenant, of, version + 1), bytes).await {
            Err(object_store::Error::AlreadyExists { .. }) => continue,
            other => other.map_err(failed("writing documents"))?,
        }
        tell(state, tenant, told).await;
        forget(&*state.bucket, tenant, (of, version)).await;
        return Ok(done);
    }
    Err(changed(of))
}

/// The change is durable, whatever becomes of the word of it: a crash right here loses the event.
async fn tell(state: &State, tenant: &TenantId, told: Change) {
    let event = Event {
        kind: told.event.to_owned(),
        tenant: tenant.clone(),
        time: state.now(),
        body: told.body,
    };
    let commit = Commit {
        events: vec![event],
        ..Commit::default()
    };
    if let Err(error) = state.catalog.commit(commit).await {
        tracing::error!(%error, tenant = %tenant, event = told.event, "a change of documents has no event");
    }
}

async fn put(
    bucket: &dyn ObjectStore,
    path: &ObjectPath,
    bytes: Vec<u8>,
) -> object_store::Result<()> {
    let payload = PutPayload::from(bytes);
    match bucket
        .put_opts(path, payload.clone(), PutMode::Create.into())
        .await
    {
        // The lock of the data folder and the owner of the bucket keep other writers away.
        Err(object_store::Error::NotImplemented { .. }) => bucket
            .put_opts(path, payload, PutMode::Overwrite.into())
            .await
            .map(drop),
        other => other.map(drop),
    }
}

/// Deletes what is older than `version`, which stays as what was before the newest.
async fn forget(bucket: &dyn ObjectStore, tenant: &TenantId, (of, version): (Documents, u64)) {
    let listed = versions(bucket, tenant, of).await.unwrap_or_default();
    for old in listed.into_iter().filter(|old| *old < version) {
        if let Err(error) = bucket.delete(&object(tenant, of, old)).await {
            // The next change tries again.
            tracing::warn!(%error, "an old version of documents stays");
        }
    }
}

/// The versions that are there, lowest first.
async fn versions(bucket: &dyn ObjectStore, tenant: &TenantId, of: Documents) -> Result<Vec<u64>> {
    let mut listed = bucket.list(Some(&folder(tenant, of)));
    let mut versions = Vec::new();
    while let Some(found) = listed
        .try_next()
        .await
        .map_err(failed("listing documents"))?
    {
        versions.extend(found.location.filename().and_then(version_of));
    }
    versions.sort_unstable();
    Ok(versions)
}

fn encode(version: u64, documents: ByName) -> Vec<u8> {
    let file = File {
        format_version: FORMAT_VERSION,
        version,
        crc: checksum(version, &documents),
        documents,
    };
    let mut text = serde_json::to_vec_pretty(&file).expect("its fields all have a JSON form");
    text.push(b'\n');
    text
}

fn decode(path: &ObjectPath, version: u64, bytes: &[u8]) -> Result<ByName> {
    let unreadable = |error: serde_json::Error| damaged(path, error.to_string());
    let Format { format_version } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if format_version > FORMAT_VERSION {
        return Err(Error::Invalid {
            what: "storage.bucket",
            detail: format!(
                "{path} says format {format_version} and this build knows {FORMAT_VERSION}: use a newer build"
            ),
        });
    }
    let file: File = serde_json::from_slice(bytes).map_err(unreadable)?;
    if file.version != version || file.crc != checksum(version, &file.documents) {
        return Err(damaged(path, "its checksum does not match".to_owned()));
    }
    Ok(file.documents)
}

/// Over the version and all names and texts, each with its length before it.
fn checksum(version: u64, documents: &ByName) -> u32 {
    let mut crc = crc32c::crc32c(&version.to_le_bytes());
    for text in documents.iter().flat_map(|(name, text)| [name, text]) {
        crc = crc32c::crc32c_append(crc, &(text.len() as u64).to_le_bytes());
        crc = crc32c::crc32c_append(crc, text.as_bytes());
    }
    crc
}

fn failed(doing: &'static str) -> impl Fn(object_store::Error) -> Error {
    move |source| Error::Objects { doing, source }
}

fn damaged(path: &ObjectPath, detail: String) -> Error {
    Error::Corrupt {
        what: path.to_string(),
        detail: format!("{detail}; when it is deleted by hand, the version before it is read"),
    }
}

fn changed(of: Documents) -> Error {
    Error::Conflict {
        what: of.as_str(),
        detail: "again and again; try later".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_documents() {
        let path = object(&TenantId::default_tenant(), Documents::LogSearches, 7);
        assert_eq!(
            path.as_ref(),
            "tenant=default/documents/log-searches/00000000000000000007.json"
        );
        assert!(is_one(path.as_ref()));
        for other in [
            "tenant=default/documents/log-searches/7.json",
            "tenant=default/documents/others/00000000000000000007.json",
            "tenant=A b/documents/log-searches/00000000000000000007.json",
            "documents/log-searches/00000000000000000007.json",
            "tenant=default/documents/log-searches/00000000000000000007.json.bak",
        ] {
            assert!(!is_one(other), "{other}");
        }
    }

    #[test]
    fn no_flipped_byte_is_read() {
        let path = ObjectPath::from("x");
        let documents: ByName = [("a".to_owned(), "{\"q\":\"b\"}".to_owned())].into();
        let bytes = encode(3, documents.clone());
        assert_eq!(decode(&path, 3, &bytes).expect("whole"), documents);
        assert!(decode(&path, 4, &bytes).is_err());
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            let read = decode(&path, 3, &bytes);
            // Blanks between members mean nothing.
            assert!(
                read.is_err() || read.is_ok_and(|read| read == documents),
                "{at}"
            );
        }
    }
}
