//! The end of a file of the log: which ones can go, and how they go.

use super::replay::FileSummary;
use crate::{
    error::{Error, Result},
    id::TenantId,
    signal::Signal,
    world::World,
};
use std::{io, path::Path};

/// Those of `files`, in the order of replay, that nobody needs any more.
pub(super) fn unneeded(
    files: Vec<FileSummary>,
    flushed: impl Fn(&TenantId, Signal) -> u64,
) -> Vec<FileSummary> {
    // The epoch in which an abandoned file stays, so that the files behind it have to stay too.
    let mut kept_by = None;
    let mut unneeded = Vec::new();
    for file in files {
        let mut last = file.last.iter();
        let all_flushed = last.all(|((tenant, signal), last)| *last <= flushed(tenant, *signal));
        if kept_by == Some(file.id.epoch) {
            continue;
        }
        if all_flushed && !file.open {
            unneeded.push(file);
        } else if file.abandoned {
            kept_by = Some(file.id.epoch);
        }
    }
    unneeded
}

/// Removes a file durably, or moves it to the folder `damaged` where it has damage inside.
pub(super) fn remove(world: &World, directory: &Path, file: &FileSummary) -> Result<()> {
    let path = directory.join(&file.name);
    let failed = |source| Error::Disk {
        doing: "removing a file of the write-ahead log",
        path: path.clone(),
        source,
    };
    let removed = if file.damaged {
        let aside = directory.join("damaged");
        world.disk.create_directories(&aside).map_err(failed)?;
        let moved = world.disk.rename(&path, &aside.join(&file.name));
        world.disk.sync_directory(&aside).map_err(failed)?;
        moved
    } else {
        world.disk.remove(&path)
    };
    match removed {
        Ok(()) => {}
        // An earlier call removed it and failed to fsync the directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed(source)),
    }
    world.disk.sync_directory(directory).map_err(failed)
}
