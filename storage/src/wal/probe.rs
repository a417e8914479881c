//! Whether the disk of the log works: why it does not, and a try that leaves nothing behind.

use crate::{
    error::{Error, Result},
    time::Nanos,
    world::World,
};
use std::{io, path::Path};

/// The name is none of a file of the log, so replay passes by what a crash leaves of it.
const PROBE_FILE: &str = "probe";

/// Why the log cannot be written now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub detail: String,
    /// When it was noticed first.
    pub since: Nanos,
}

/// Does what the first write to a new file of the log does: makes a file of `bytes` in `directory`, fsyncs it and its
/// entry, and removes it.
pub(super) fn probe(world: &World, directory: &Path, bytes: u64) -> Result<()> {
    let path = directory.join(PROBE_FILE);
    let tried = || {
        // What an earlier try could not remove.
        missing_is_fine(world.disk.remove(&path))?;
        let file = world.disk.create(&path)?;
        let kept = file
            .write_at(0, &vec![0; bytes as usize])
            .and_then(|()| file.sync());
        // Its space is wanted back whatever became of it.
        world.disk.remove(&path)?;
        kept?;
        world.disk.sync_directory(directory)
    };
    tried().map_err(|source| Error::Disk {
        doing: "probing the disk of the write-ahead log",
        path: path.clone(),
        source,
    })
}

fn missing_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
