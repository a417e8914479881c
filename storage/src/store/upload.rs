//! Staged files into the bucket: by rename where it is a folder beside, by put where it is far.
//!
//! Both can be repeated: a path names one segment for ever, and its bytes never change.

use super::state::State;
use crate::{
    error::{Error, Result},
    segment::{FileMeta, SegmentMeta},
    world::World,
};
use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayload, path::Path as ObjectPath};
use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

/// Larger files are uploaded in parts of this size: stores want at least 5 MiB.
const PART_BYTES: u64 = 16 << 20;

/// Brings every file of these segments into the bucket; durable there when it returns.
pub(super) async fn upload(
    state: &State,
    segments: impl IntoIterator<Item = &SegmentMeta>,
) -> Result<()> {
    for file in segments.into_iter().flat_map(SegmentMeta::files) {
        match state.local_bucket() {
            Some(bucket) => adopt(state, &bucket, file).await?,
            None => put(state, file).await?,
        }
    }
    Ok(())
}

/// Removes the staged files of segments that are in the bucket or given up, as far as they are still there.
pub(super) async fn clean(
    state: &State,
    segments: impl IntoIterator<Item = &SegmentMeta>,
) -> Result<()> {
    let root = state.staging_directory();
    let files = segments.into_iter().flat_map(SegmentMeta::files);
    let paths: Vec<PathBuf> = files.map(|file| root.join(&file.path)).collect();
    let folders = paths.iter().filter_map(|path| path.parent());
    state.emptied.lock().extend(folders.map(Path::to_path_buf));
    let world = state.world.clone();
    let removed = state.world.blocking(move || {
        paths
            .iter()
            .try_for_each(|path| ignore_missing(world.disk.remove(path), path))
    });
    removed.await?
}

/// Removes the folders that lost their files, and those above them, as far as they are empty.
pub(super) async fn sweep(state: &State) -> Result<()> {
    // Not while somebody makes a folder for a file: the next call finds it.
    let Ok(_folders) = state.staging_folders.try_write() else {
        return Ok(());
    };
    let emptied = std::mem::take(&mut *state.emptied.lock());
    if emptied.is_empty() {
        return Ok(());
    }
    let (world, root) = (state.world.clone(), state.staging_directory());
    let swept = state.world.blocking(move || {
        emptied
            .iter()
            .try_for_each(|folder| remove_empty(&world, &root, folder))
    });
    swept.await?
}

fn remove_empty(world: &World, root: &Path, folder: &Path) -> Result<()> {
    let inside = folder.ancestors().take_while(|folder| *folder != root);
    for folder in inside {
        match world.disk.remove_directory(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
            removed => ignore_missing(removed, folder)?,
        }
    }
    Ok(())
}

async fn adopt(state: &State, bucket: &Path, file: &FileMeta) -> Result<()> {
    let from = state.staging_directory().join(&file.path);
    let to = bucket.join(&file.path);
    let world = state.world.clone();
    state
        .world
        .blocking(move || rename(&world, &from, &to))
        .await?
}

fn rename(world: &World, from: &Path, to: &Path) -> Result<()> {
    let failed = |source| Error::Disk {
        doing: "moving a staged file into the bucket",
        path: to.into(),
        source,
    };
    let folder = to.parent().expect("a path in the bucket has a folder");
    world.disk.create_directories(folder).map_err(failed)?;
    match world.disk.rename(from, to) {
        // An attempt before this one moved it, and may have failed to make the entry durable.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            world.disk.status(to).map_err(failed)?;
        }
        other => other.map_err(failed)?,
    }
    // The entry that is gone from the staging folder may come back after a power cut: start-up clears the folder.
    world.disk.sync_directory(folder).map_err(failed)
}

async fn put(state: &State, file: &FileMeta) -> Result<()> {
    let path = ObjectPath::parse(&file.path).map_err(|e| Error::Internal(e.to_string()))?;
    if file.size_bytes > PART_BYTES {
        return put_parts(state, file, &path).await;
    }
    let bytes = read(state, file, 0..file.size_bytes).await?;
    let put = state.bucket.put(&path, PutPayload::from(bytes)).await;
    put.map(drop).map_err(uploading)
}

/// Uploads part by part, so that no file has to fit into memory; the object is there when all of it is.
async fn put_parts(state: &State, file: &FileMeta, path: &ObjectPath) -> Result<()> {
    let mut upload = state.bucket.put_multipart(path).await.map_err(uploading)?;
    let parts = async {
        let mut start = 0;
        while start < file.size_bytes {
            let end = file.size_bytes.min(start + PART_BYTES);
            let bytes = read(state, file, start..end).await?;
            let part = upload.put_part(PutPayload::from(bytes));
            part.await.map_err(uploading)?;
            start = end;
        }
        upload.complete().await.map(drop).map_err(uploading)
    };
    let outcome = parts.await;
    if outcome.is_err() {
        // What the store keeps of it costs money until its rules clean up: nothing else depends on this.
        if let Err(error) = upload.abort().await {
            tracing::debug!(%error, path = %path, "an unfinished upload cannot be given up");
        }
    }
    outcome
}

fn uploading(source: object_store::Error) -> Error {
    Error::Objects {
        doing: "uploading a segment",
        source,
    }
}

async fn read(state: &State, file: &FileMeta, range: Range<u64>) -> Result<Bytes> {
    let from = state.staging_directory().join(&file.path);
    let world = state.world.clone();
    let read = move || read_part(&world, &from, range);
    state.world.blocking(read).await?
}

fn read_part(world: &World, path: &Path, range: Range<u64>) -> Result<Bytes> {
    let length = (range.end - range.start) as usize;
    let failed = |source| Error::Disk {
        doing: "reading a staged file",
        path: path.into(),
        source,
    };
    let file = world.disk.open_read(path).map_err(failed)?;
    let bytes = file.read_at(range.start, length).map_err(failed)?;
    if bytes.len() == length {
        return Ok(bytes);
    }
    let detail = format!("{} of {length} bytes are there", bytes.len());
    Err(Error::Corrupt {
        what: path.display().to_string(),
        detail,
    })
}

pub(super) fn ignore_missing(removed: io::Result<()>, path: &Path) -> Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Disk {
            doing: "removing a staged file",
            path: path.into(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Removes everything below the staging folder, folders as well: what a process before this one staged and did not commit. Its frames
/// are in the log.
pub(super) fn clear(world: &World, root: &Path) -> Result<()> {
    let failed = |source| Error::Disk {
        doing: "clearing the staging folder",
        path: root.into(),
        source,
    };
    world.disk.create_directories(root).map_err(failed)?;
    let mut folders = vec![root.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for name in world.disk.list(&folder).map_err(failed)? {
            let path = folder.join(name.trim_end_matches('/'));
            if name.ends_with('/') {
                found.push(path.clone());
                folders.push(path);
            } else {
                world.disk.remove(&path).map_err(failed)?;
            }
        }
    }
    // A folder was found after the one that it is in.
    for folder in found.iter().rev() {
        world.disk.remove_directory(folder).map_err(failed)?;
    }
    Ok(())
}
