//! What the log held last, told by another file: `0000.witness` in the log's folder names the files and how far each was
//! acknowledged.
//!
//! Without it a file that is cut or gone, or a damaged last frame, looks like what a power cut leaves of a write that
//! was never acknowledged. It is written after each fsync of the log and not fsynced itself, so it costs little and may
//! be older than the log, never newer: a bound from below. Only before a file of the log is removed is it made durable.
//! Two places in the file are written in turn, so that one is whole. `docs/formats/wal.md` has the bytes.

use super::file::FileId;
use crate::{
    error::{Error, Result},
    world::{Disk, DiskFile, World},
};
use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// The name of the file of a shard.
fn name(shard: u32) -> String {
    format!("{shard:04}.witness")
}

/// Bytes of each of the two places.
const PLACE_BYTES: usize = 64 << 10;

/// Checksum, count of files, and the number of the writing.
const HEAD_BYTES: usize = 16;

/// Epoch, number, acknowledged length.
const ENTRY_BYTES: usize = 20;

/// Files that one place can name; the oldest of more are not named.
const MOST_FILES: usize = (PLACE_BYTES - HEAD_BYTES) / ENTRY_BYTES;

/// How far each file of the log was acknowledged.
pub(super) type Acknowledged = BTreeMap<FileId, u64>;

/// Writes the file.
pub(super) struct Witness {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    files: Acknowledged,
    /// Opened when first written.
    file: Option<Box<dyn DiskFile>>,
    /// Larger than every number in the file.
    number: u64,
}

/// What the file says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) files: Acknowledged,
    pub(super) number: u64,
    /// Whether there are bytes and neither place is whole.
    pub(super) damaged: bool,
}

impl Witness {
    /// The witness of the log of `shard` in `directory` that has `files`; nothing is written yet.
    pub(super) fn new(directory: &Path, shard: u32, files: Acknowledged) -> Witness {
        Witness {
            path: directory.join(name(shard)),
            state: Mutex::new(State {
                files,
                file: None,
                number: 0,
            }),
        }
    }

    /// Notes that `file` is acknowledged up to `bytes`, which are durable. Blocks, but not for the disk; where it cannot
    /// be written it stays older.
    pub(super) fn acknowledged(&self, disk: &dyn Disk, file: FileId, bytes: u64) {
        let mut state = self.state.lock();
        state.files.insert(file, bytes);
        if let Err(error) = state.write(disk, &self.path) {
            state.file = None;
            tracing::warn!(%error, "the witness of the write-ahead log is not up to date");
        }
    }

    /// Forgets `file` durably and in both places, before it is removed. Blocks.
    pub(super) fn forget(&self, disk: &dyn Disk, file: FileId) -> Result<()> {
        let mut state = self.state.lock();
        state.files.remove(&file);
        let mut forget = || {
            state.write(disk, &self.path)?;
            state.write(disk, &self.path)?;
            state.file.as_ref().map_or(Ok(()), |file| file.sync())
        };
        let forgotten = forget();
        forgotten.map_err(|source| {
            state.file = None;
            Error::Disk {
                doing: "forgetting a file of the write-ahead log",
                path: self.path.clone(),
                source,
            }
        })
    }
}

impl State {
    fn write(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        if self.file.is_none() {
            let file = match disk.open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(path)?,
                opened => opened?,
            };
            self.number = self
                .number
                .max(said(&file.read_at(0, 2 * PLACE_BYTES)?).number);
            self.file = Some(file);
        }
        self.number += 1;
        let place = (self.number % 2) * PLACE_BYTES as u64;
        let bytes = encode(&self.files, self.number);
        let file = self.file.as_ref().expect("opened above");
        file.write_at(place, &bytes)
    }
}

/// Reads the witness of `shard` in `directory`; one that is not there says nothing. Blocks.
pub(super) fn read(world: &World, directory: &Path, shard: u32) -> Result<Said> {
    let path = directory.join(name(shard));
    let bytes = match world.disk.open_read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Said::default()),
        opened => opened.and_then(|file| file.read_at(0, 2 * PLACE_BYTES)),
    };
    let bytes = bytes.map_err(|source| Error::Disk {
        doing: "reading the witness of the write-ahead log",
        path,
        source,
    })?;
    Ok(said(&bytes))
}

fn said(bytes: &Bytes) -> Said {
    let places = [0, PLACE_BYTES].map(|place| bytes.get(place..).and_then(decode));
    let newest = places.into_iter().flatten().max_by_key(|said| said.number);
    newest.unwrap_or_else(|| Said {
        damaged: !bytes.is_empty(),
        ..Said::default()
    })
}

fn encode(files: &Acknowledged, number: u64) -> Vec<u8> {
    let skipped = files.len().saturating_sub(MOST_FILES);
    let mut out = vec![0; 4];
    out.extend_from_slice(&((files.len() - skipped) as u32).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    for (id, bytes) in files.iter().skip(skipped) {
        out.extend_from_slice(&id.epoch.to_le_bytes());
        out.extend_from_slice(&id.number.to_le_bytes());
        out.extend_from_slice(&bytes.to_le_bytes());
    }
    let checksum = crc32c::crc32c(&out[4..]);
    out[..4].copy_from_slice(&checksum.to_le_bytes());
    out
}

fn decode(mut place: &[u8]) -> Option<Said> {
    let all = place;
    let checksum = place.try_get_u32_le().ok()?;
    let count = place.try_get_u32_le().ok()? as usize;
    let number = place.try_get_u64_le().ok()?;
    let end = HEAD_BYTES + count.min(MOST_FILES + 1) * ENTRY_BYTES;
    if number == 0 || crc32c::crc32c(all.get(4..end)?) != checksum {
        return None;
    }
    let mut files = Acknowledged::new();
    for _ in 0..count {
        let id = FileId {
            epoch: place.try_get_u64_le().ok()?,
            number: place.try_get_u32_le().ok()?,
        };
        files.insert(id, place.try_get_u64_le().ok()?);
    }
    Some(Said {
        files,
        number,
        damaged: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::simulated::Simulation;

    fn id(number: u32) -> FileId {
        FileId { epoch: 7, number }
    }

    #[test]
    fn the_newest_whole_place_counts() {
        let simulation = Simulation::new(1);
        let world = simulation.world();
        let directory = Path::new("/wal");
        world.disk.create_directories(directory).expect("made");
        assert_eq!(
            read(&world, directory, 0).expect("readable"),
            Said::default()
        );
        let witness = Witness::new(directory, 0, Acknowledged::new());
        witness.acknowledged(&*world.disk, id(1), 10);
        witness.acknowledged(&*world.disk, id(1), 20);
        witness.acknowledged(&*world.disk, id(2), 5);
        witness.forget(&*world.disk, id(1)).expect("written");
        let said = read(&world, directory, 0).expect("readable");
        assert_eq!(said.files, Acknowledged::from([(id(2), 5)]));
        // The place that was written last is damaged: the one before it counts.
        let file = world.disk.open(&directory.join(name(0))).expect("is there");
        let place = (said.number % 2) * PLACE_BYTES as u64;
        file.write_at(place + 20, &[0xff]).expect("written");
        let before = read(&world, directory, 0).expect("readable");
        // A file that was forgotten is in neither.
        assert_eq!(before.files, Acknowledged::from([(id(2), 5)]));
        file.write_at(PLACE_BYTES as u64 - place + 20, &[0xff])
            .expect("written");
        let said = read(&world, directory, 0).expect("readable");
        assert!(said.damaged && said.files.is_empty());
        // A later writer goes on above what it finds.
        let witness = Witness::new(directory, 0, Acknowledged::new());
        witness.acknowledged(&*world.disk, id(9), 1);
        let said = read(&world, directory, 0).expect("readable");
        assert_eq!(said.files, Acknowledged::from([(id(9), 1)]));
    }
}
