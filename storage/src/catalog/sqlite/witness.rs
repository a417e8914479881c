//! How many commits the catalog has, told by another file: an old copy of the database, and one whose own log was cut,
//! are whole by themselves and lack what came after.
//!
//! It is written after each commit and not fsynced once it has its length, so it may be lower than the catalog's own count,
//! never higher. It has 12 bytes, the count and its CRC-32C; none where the power went before its first fsync.

use crate::{
    error::{Error, Result},
    world::World,
};
use bytes::{Buf, Bytes};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Bytes of the file.
const LENGTH: u64 = 12;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Commits(u64),
    /// There is none.
    Nothing,
    Damaged,
}

impl Said {
    /// The count, 0 where it says none.
    pub(super) fn count(self) -> u64 {
        match self {
            Said::Commits(count) => count,
            Said::Nothing | Said::Damaged => 0,
        }
    }

    /// What is wrong with a catalog that has `commits`, if anything.
    pub(super) fn fault(self, commits: u64) -> Option<String> {
        match self {
            Said::Commits(count) if count > commits => Some(format!(
                "it is an old copy: it has {commits} commits and there were {count}"
            )),
            Said::Commits(_) => None,
            // It comes after the first commit.
            Said::Nothing if commits <= 1 => None,
            Said::Nothing => Some("catalog.commits is gone: it may be an old copy".to_string()),
            Said::Damaged => Some("catalog.commits is damaged: it may be an old copy".to_string()),
        }
    }
}

/// The file beside the catalog at `path`.
fn beside(path: &Path) -> PathBuf {
    path.with_file_name("catalog.commits")
}

/// Reads the file beside the catalog at `path`.
pub(super) async fn read(path: &Path, world: &World) -> Result<Said> {
    let (disk, path) = (world.disk.clone(), beside(path));
    let inside = path.clone();
    let read = move || disk.open_read(&inside)?.read_at(0, 13);
    match world.blocking(read).await? {
        Ok(bytes) => Ok(decode(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Said::Nothing),
        Err(source) => Err(Error::Disk {
            doing: "reading the count of commits",
            path,
            source,
        }),
    }
}

/// Writes `commits`; where that fails the file stays lower.
pub(super) async fn write(path: &Path, world: &World, commits: u64) -> Result<()> {
    let (disk, path) = (world.disk.clone(), beside(path));
    let write = move || {
        let file = match disk.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(&path)?,
            opened => opened?,
        };
        let had_length = file.length()? == LENGTH;
        file.write_at(0, &encode(commits))?;
        if had_length {
            return Ok(());
        }
        // What a damaged file has behind it.
        file.set_length(LENGTH)?;
        file.sync()?;
        disk.sync_directory(path.parent().unwrap_or(Path::new("/")))
    };
    if let Err(error) = world.blocking(write).await? {
        tracing::warn!(%error, "the count of the catalog's commits is not up to date");
    }
    Ok(())
}

fn encode(commits: u64) -> Vec<u8> {
    let mut bytes = commits.to_le_bytes().to_vec();
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

fn decode(mut bytes: Bytes) -> Said {
    if bytes.is_empty() {
        return Said::Nothing;
    }
    if bytes.len() != 12 || crc32c::crc32c(&bytes[..8]).to_le_bytes() != bytes[8..] {
        return Said::Damaged;
    }
    Said::Commits(bytes.get_u64_le())
}
