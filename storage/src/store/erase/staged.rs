//! Staged files that nobody needs any more and that could not be removed when that became so.

use crate::{
    error::{Error, Result},
    id::SegmentId,
    store::{buffer::Key, orphans::locate, state::State, upload},
    world::World,
};
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

/// Removes them for `key`. No merge may be under way.
pub(super) async fn remove(state: &State, key: &Key) -> Result<()> {
    let lanes = state.lanes(key);
    // What is being staged is known to nobody until all of it is written.
    let _lane = lanes.stage.lock().await;
    let segments = state.buffers.segments();
    let known: BTreeSet<SegmentId> = segments.iter().map(|s| s.meta.id).collect();
    let (world, root) = (state.world.clone(), state.staging_directory());
    let inside = format!("tenant={}/signal={}", key.0, key.1);
    let work = move || {
        let mut strays = Vec::new();
        find(&world, &root, &inside, &known, &mut strays)?;
        for path in &strays {
            tracing::info!(path = %path.display(), "a staged file that nobody needs goes with a deletion");
            upload::ignore_missing(world.disk.remove(path), path)?;
        }
        Ok(())
    };
    state.world.blocking(work).await?
}

/// The files below `folder`, which is relative to `root`, of segments that are not `known`.
fn find(
    world: &World,
    root: &Path,
    folder: &str,
    known: &BTreeSet<SegmentId>,
    strays: &mut Vec<PathBuf>,
) -> Result<()> {
    let path = root.join(folder);
    let names = match world.disk.list(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names.map_err(|source| Error::Disk {
            doing: "looking for staged files in",
            path,
            source,
        })?,
    };
    for name in names {
        let path = format!("{folder}/{name}");
        match path.strip_suffix('/') {
            Some(inner) => find(world, root, inner, known, strays)?,
            None if locate(&path).is_none_or(|id| !known.contains(&id)) => {
                strays.push(root.join(path));
            }
            None => {}
        }
    }
    Ok(())
}
