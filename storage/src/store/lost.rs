//! What the write-ahead log has lost, kept until an operator has seen it: a file `<file>-<offset>.lost` in the folder
//! `wal/damaged` for each stretch of acknowledged bytes that gave no rows.
//!
//! Flush marks pass a lost request as they pass any other, and its file is retired, so the log itself does not tell for
//! long. Answers name the loss as long as the file is there; who has seen it removes the folder.

use super::state::State;
use crate::{
    error::{Error, Result},
    id::TenantId,
    signal::Signal,
    snapshot::{Missing, MissingPart},
    wal::replay::Damage,
    world::World,
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The end of the names of the files.
const SUFFIX: &str = ".lost";

/// A file has some hundred bytes; more are not read.
const MAX_BYTES: usize = 64 << 10;

/// A stretch of the log that was acknowledged and is lost.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Loss {
    /// The file of the log and the offset in it.
    pub(super) place: String,
    pub(super) detail: String,
    /// Whose request it was, where that could be told.
    pub(super) whose: Option<(TenantId, Signal)>,
}

impl Loss {
    pub(super) fn new(damage: &Damage, detail: &str) -> Loss {
        let lost = damage.lost.as_ref();
        Loss {
            place: format!("{}:{}", damage.file, damage.offset),
            detail: detail.to_string(),
            whose: lost.map(|lost| (lost.tenant.clone(), lost.signal)),
        }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}{SUFFIX}", self.place.replace(':', "-")))
    }

    /// Lets answers say it: those of the tenant's signal, and dead letters of the same request; everybody's, where it
    /// could not be told whose it was.
    pub(super) fn tell(&self, state: &State) {
        let missing = Missing {
            part: MissingPart::Log {
                place: self.place.clone(),
            },
            reason: self.detail.clone(),
        };
        let Some((tenant, signal)) = &self.whose else {
            return state.buffers.report_loss(None, missing);
        };
        for signal in [*signal, Signal::DeadLetters] {
            let key = (tenant.clone(), signal);
            state.buffers.report_loss(Some(key), missing.clone());
        }
    }
}

/// The losses that are kept below the log's folder `log`, sorted. Blocks.
pub(super) fn read(world: &World, log: &Path) -> Result<Vec<Loss>> {
    let folder = folder(log);
    let names = match world.disk.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(failed("reading what the log has lost", &folder))?,
    };
    let names = names.iter().filter(|name| name.ends_with(SUFFIX));
    names
        .map(|name| {
            let path = folder.join(name);
            let file = world.disk.open_read(&path);
            let bytes = file.and_then(|file| file.read_at(0, MAX_BYTES));
            let bytes = bytes.map_err(failed("reading what the log has lost", &path))?;
            // Whatever is in it: that it is there says that something is lost.
            Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| Loss {
                place: name.clone(),
                detail: format!("what was lost there cannot be read: {error}"),
                whose: None,
            }))
        })
        .collect()
}

/// Keeps `losses` below the log's folder `log`. Blocks.
pub(super) fn keep(world: &World, log: &Path, losses: &[Loss]) -> Result<()> {
    if losses.is_empty() {
        return Ok(());
    }
    let folder = folder(log);
    let made = world.disk.create_directories(&folder);
    made.map_err(failed(
        "making the folder of what the log has lost",
        &folder,
    ))?;
    for loss in losses {
        let path = loss.path(&folder);
        let text = serde_json::to_vec(loss).expect("its fields all have a JSON form");
        let write = || {
            let file = match world.disk.create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    world.disk.open(&path)?
                }
                created => created?,
            };
            file.write_at(0, &text)?;
            file.set_length(text.len() as u64)?;
            file.sync()
        };
        write().map_err(failed("keeping what the log has lost", &path))?;
    }
    let synced = world.disk.sync_directory(&folder);
    synced.map_err(failed("keeping what the log has lost", &folder))
}

/// Beside the files that were retired with damage inside.
fn folder(log: &Path) -> PathBuf {
    log.join("damaged")
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |source| Error::Disk {
        doing,
        path: path.into(),
        source,
    }
}
