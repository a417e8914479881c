//! Whose the bucket is: a small object at its root names its format and its owner, and the owner is a data folder.
//!
//! The data folder keeps its id in a file of its own and in the catalog, so that it is known as long as one of them is
//! there. `docs/formats/bucket.md` describes the bytes.

use super::state::State;
use crate::{
    error::{Error, Kind, Result},
    id::OwnerId,
    world::World,
};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, path::Path as ObjectPath};
use std::{io, path::Path, sync::atomic::Ordering};
use ulid::Ulid;

/// The object at the root of a bucket.
pub(super) const MARKER: &str = "cairn.json";

/// The file in the data folder, with the same content.
const OWNER_FILE: &str = "owner.json";

/// The version of the bucket's layout that this build reads and writes.
const FORMAT_VERSION: u32 = 1;

/// A marker has some hundred bytes; more are read from nothing that pretends to be one.
const MAX_MARKER_BYTES: u64 = 64 << 10;

/// What is done with a bucket of another data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is refused.
    Own,
    /// It becomes ours: the other data folder is lost.
    TakeOver,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Marker {
    format_version: u32,
    owner: OwnerId,
    /// CRC-32C over version and owner: see [`checksum`].
    crc: u32,
}

/// What every version has.
#[derive(serde::Deserialize)]
struct Version {
    format_version: u32,
}

/// The id of the data folder: what its file says, else what its catalog says, else a new one. The file has it when
/// this returns.
///
/// `Invalid` when both say something and not the same, and when a newer build wrote the file.
pub(super) async fn owner(
    world: &World,
    folder: &Path,
    of_catalog: Option<OwnerId>,
) -> Result<OwnerId> {
    let (inside, path) = (world.clone(), folder.join(OWNER_FILE));
    let read = world.blocking(move || read_file(&inside, &path)).await??;
    let of_file = match read.map(|bytes| decode(OWNER_FILE, &bytes)).transpose() {
        Err(error @ Error::Corrupt { .. }) => {
            tracing::error!(%error, "the data folder's id is taken from the catalog, if it has one");
            None
        }
        other => other?,
    };
    match (of_file, of_catalog) {
        (Some(file), Some(catalog)) if file != catalog => Err(Error::Invalid {
            what: "storage.data_dir",
            detail: format!(
                "its catalog is of the data folder {catalog} and its {OWNER_FILE} says {file}: bring back the \
                 catalog that was here, or move this one away and it is made anew from the bucket"
            ),
        }),
        (Some(file), _) => Ok(file),
        (None, of_catalog) => {
            let owner = of_catalog.unwrap_or_else(|| new_owner(world));
            let (inside, folder) = (world.clone(), folder.to_path_buf());
            let write = move || write_file(&inside, &folder, owner);
            world.blocking(write).await??;
            Ok(owner)
        }
    }
}

/// Makes sure that the bucket is `owner`'s: claims one without an owner, and what `claim` says of another's.
///
/// `Invalid` when it is another's or when a newer build wrote it, `Corrupt` when its marker is damaged, `Unavailable`
/// when it cannot be asked.
pub(super) async fn claim(bucket: &dyn ObjectStore, owner: OwnerId, claim: Claim) -> Result<()> {
    match (read_marker(bucket).await, claim) {
        (Ok(Some(found)), _) if found == owner => Ok(()),
        (Ok(None), _) => create(bucket, owner).await,
        (Ok(Some(_)) | Err(Error::Corrupt { .. }), Claim::TakeOver) => {
            put(bucket, owner, PutMode::Overwrite)
                .await
                .map_err(writing)
        }
        (Ok(Some(other)), Claim::Own) => Err(foreign(other, owner)),
        (Err(error), _) => Err(error),
    }
}

/// Asks the bucket whose it is, where that could not be done at the start. Before the first change of it.
pub(super) async fn confirm(state: &State) -> Result<()> {
    if state.claimed.load(Ordering::Relaxed) {
        return Ok(());
    }
    let owner = state.owner.get().expect("set before anything is uploaded");
    claim(&*state.bucket, *owner, Claim::Own).await?;
    confirmed(state);
    Ok(())
}

/// Notes that the bucket is ours.
pub(super) fn confirmed(state: &State) {
    state.claimed.store(true, Ordering::Relaxed);
    state.problems.clear(super::health::Part::Bucket, MARKER);
}

/// What is wrong with the marker of a bucket that is looked at offline, and with the file in `folder` that says whose it is;
/// `owner` is the catalog's word, where it has one.
pub(super) async fn faults(
    world: &World,
    folder: &Path,
    bucket: &dyn ObjectStore,
    owner: Option<OwnerId>,
) -> Result<Vec<String>> {
    let (inside, path) = (world.clone(), folder.join(OWNER_FILE));
    let read = world.blocking(move || read_file(&inside, &path)).await??;
    let of_file = read.map(|bytes| decode(OWNER_FILE, &bytes)).transpose();
    let faults = [
        fault(OWNER_FILE, of_file, owner)?,
        fault(MARKER, read_marker(bucket).await, owner)?,
    ];
    Ok(faults.into_iter().flatten().collect())
}

/// What is wrong with one of the two; where nothing was ever stored neither has to be there.
fn fault(
    what: &str,
    found: Result<Option<OwnerId>>,
    owner: Option<OwnerId>,
) -> Result<Option<String>> {
    match (found, owner) {
        (Err(error), _) if error.kind() == Kind::Unavailable => Err(error),
        (Err(error), _) => Ok(Some(error.to_string())),
        (Ok(None), Some(_)) => Ok(Some(format!("{what} is gone"))),
        (Ok(Some(found)), Some(owner)) if found != owner => Ok(Some(format!(
            "{what} names the data folder {found}, and the catalog {owner}"
        ))),
        (Ok(_), _) => Ok(None),
    }
}

async fn create(bucket: &dyn ObjectStore, owner: OwnerId) -> Result<()> {
    let failed = match put(bucket, owner, PutMode::Create).await {
        Ok(()) => return Ok(()),
        Err(object_store::Error::NotImplemented { .. }) => {
            tracing::warn!(
                "the object store knows no conditional put: two servers that claim it at once are not told apart"
            );
            return put(bucket, owner, PutMode::Overwrite)
                .await
                .map_err(writing);
        }
        Err(error) => error,
    };
    // Somebody was faster, or the reply got lost.
    match read_marker(bucket).await? {
        Some(found) if found == owner => Ok(()),
        Some(other) => Err(foreign(other, owner)),
        None => Err(writing(failed)),
    }
}

async fn put(bucket: &dyn ObjectStore, owner: OwnerId, mode: PutMode) -> object_store::Result<()> {
    let payload = PutPayload::from(encode(owner));
    let path = ObjectPath::from(MARKER);
    bucket.put_opts(&path, payload, mode.into()).await.map(drop)
}

async fn read_marker(bucket: &dyn ObjectStore) -> Result<Option<OwnerId>> {
    let reading = |source| Error::Objects {
        doing: "reading cairn.json, which says whose the bucket is,",
        source,
    };
    let found = match bucket.get(&ObjectPath::from(MARKER)).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        other => other.map_err(reading)?,
    };
    if found.meta.size > MAX_MARKER_BYTES {
        return Err(damaged(MARKER, format!("it has {} bytes", found.meta.size)));
    }
    let bytes = found.bytes().await.map_err(reading)?;
    decode(MARKER, &bytes).map(Some)
}

fn writing(source: object_store::Error) -> Error {
    Error::Objects {
        doing: "writing cairn.json, which says whose the bucket is,",
        source,
    }
}

fn foreign(other: OwnerId, owner: OwnerId) -> Error {
    Error::Invalid {
        what: "storage.bucket",
        detail: format!(
            "it belongs to the data folder {other} ({MARKER} says so) and this one is {owner}: two servers cannot \
             write one bucket, give this one a bucket or a prefix of its own. If the other data folder is lost for \
             good, `cairn catalog rebuild --take-over` makes the bucket and what is in it this one's"
        ),
    }
}

fn encode(owner: OwnerId) -> Vec<u8> {
    let marker = Marker {
        format_version: FORMAT_VERSION,
        owner,
        crc: checksum(FORMAT_VERSION, owner),
    };
    let mut text = serde_json::to_vec_pretty(&marker).expect("its fields all have a JSON form");
    text.push(b'\n');
    text
}

fn decode(what: &str, bytes: &[u8]) -> Result<OwnerId> {
    let unreadable = |error: serde_json::Error| damaged(what, error.to_string());
    let Version { format_version } = serde_json::from_slice(bytes).map_err(unreadable)?;
    // A flipped bit in the number is no newer build: the rest is ours, checksum and all.
    let is_ours = |marker: Marker| marker.crc == checksum(FORMAT_VERSION, marker.owner);
    if format_version != FORMAT_VERSION && serde_json::from_slice(bytes).is_ok_and(is_ours) {
        return Err(damaged(
            what,
            format!("its format says {format_version}, and its checksum another"),
        ));
    }
    if format_version > FORMAT_VERSION {
        return Err(Error::Invalid {
            what: "storage.bucket",
            detail: format!(
                "{what} says format {format_version} and this build knows {FORMAT_VERSION}: use a newer build"
            ),
        });
    }
    let marker: Marker = serde_json::from_slice(bytes).map_err(unreadable)?;
    if marker.crc != checksum(format_version, marker.owner) {
        return Err(damaged(what, "its checksum does not match".to_string()));
    }
    Ok(marker.owner)
}

fn checksum(format_version: u32, owner: OwnerId) -> u32 {
    crc32c::crc32c(format!("{format_version} {owner}").as_bytes())
}

fn damaged(what: &str, detail: String) -> Error {
    Error::Corrupt {
        what: what.to_string(),
        detail,
    }
}

fn new_owner(world: &World) -> OwnerId {
    let random = u128::from(world.random.next()) << 64 | u128::from(world.random.next());
    let millis = world.clock.now().0.max(0) as u64 / 1_000_000;
    OwnerId(Ulid::from_parts(millis, random))
}

fn read_file(world: &World, path: &Path) -> Result<Option<Bytes>> {
    let failed = |source| Error::Disk {
        doing: "reading the data folder's id",
        path: path.into(),
        source,
    };
    match world.disk.open_read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => {
            let file = opened.map_err(failed)?;
            let bytes = file.read_at(0, MAX_MARKER_BYTES as usize);
            bytes.map(Some).map_err(failed)
        }
    }
}

/// Writes the file beside its place and renames it: it is whole or not there.
fn write_file(world: &World, folder: &Path, owner: OwnerId) -> Result<()> {
    let (path, unfinished) = (folder.join(OWNER_FILE), folder.join("owner.json.new"));
    let written = || {
        world.disk.create_directories(folder)?;
        match world.disk.remove(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = world.disk.create(&unfinished)?;
        file.write_at(0, &encode(owner))?;
        file.sync()?;
        world.disk.rename(&unfinished, &path)?;
        world.disk.sync_directory(folder)
    };
    written().map_err(|source| Error::Disk {
        doing: "writing the data folder's id",
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests;
