//! The way back: reads every file of a shard in order and gives out its frames, reporting all damage.
//!
//! A damaged frame never ends the scan: it goes on behind the frame where the header still says where that is,
//! and at the next magic otherwise. Only what lies behind everything that is known to have been durable may be
//! a torn tail; the rest is corruption. Both are reported.

use super::{
    file::{FileId, FileName, Header},
    frame::{self, Broken, FRAME_MAGIC, Found, Frame, Lost, Request},
    witness::{self, Acknowledged},
};
use crate::{
    error::{Error, Result},
    id::TenantId,
    signal::Signal,
    world::World,
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// What is known of a file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    pub id: FileId,
    /// In the folder of the log.
    pub name: String,
    /// The length up to which it was acknowledged (of a replayed file: up to which it holds frames, or held them).
    pub bytes: u64,
    /// The lowest sequence of all, `None` without frames.
    pub first: Option<u64>,
    /// The highest sequence of each tenant's signal: the file is needed until all are flushed.
    pub last: BTreeMap<(TenantId, Signal), u64>,
    /// Whether a frame that was acknowledged is damaged.
    pub damaged: bool,
    /// Whether it is being written to.
    pub open: bool,
    /// Whether the writer gave it up, so that unacknowledged frames may stand behind `bytes`. The later files
    /// of its epoch say so in their headers and have to outlive it.
    pub abandoned: bool,
}

impl FileSummary {
    pub(super) fn new(name: FileName) -> FileSummary {
        let (id, name) = (name.id, name.to_string());
        FileSummary {
            id,
            name,
            bytes: 0,
            first: None,
            last: BTreeMap::new(),
            damaged: false,
            open: true,
            abandoned: false,
        }
    }

    pub(super) fn note(&mut self, request: &Request, sequence: u64) {
        let last = self
            .last
            .entry((request.tenant.clone(), request.signal))
            .or_default();
        *last = sequence.max(*last);
        self.first = Some(self.first.map_or(sequence, |first| first.min(sequence)));
    }
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replayed {
    /// Every file, in order; none is open.
    pub files: Vec<FileSummary>,
    pub damage: Vec<Damage>,
    pub frames: u64,
    /// Bytes of the frames given out.
    pub bytes: u64,
    /// The highest epoch of a file, 0 without files.
    pub last_epoch: u64,
    /// The highest sequence of a frame, given out or not, 0 without frames.
    pub last_sequence: u64,
}

/// A stretch of a file that gave no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub file: String,
    pub offset: u64,
    pub length: u64,
    pub kind: DamageKind,
    /// What is wrong there.
    pub detail: String,
    /// Whose request it was, where that can still be read.
    pub lost: Option<Lost>,
}

/// What a stretch without frames means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// Acknowledged bytes are damaged: data is lost.
    Corrupt,
    /// The end of a write that a crash cut short: never acknowledged as far as the log can tell.
    TornTail,
    /// Whole frames that the writer gave up: their clients were told to try again.
    GivenUp,
    /// The header of the file; its frames are not touched by that.
    FileHeader,
}

/// Gives every frame of `shard` in `directory` to `visit`, in order of file and offset, and says what was
/// found. Blocks. See [`Replay`].
pub fn replay(
    world: &World,
    directory: &Path,
    shard: u32,
    visit: &mut dyn FnMut(Frame) -> Result<()>,
) -> Result<Replayed> {
    let mut replay = Replay::begin(world, directory, shard)?;
    while replay.next_file(visit)? {}
    Ok(replay.end())
}

/// A replay on its way, file by file, so that frames need no more memory than one file. All calls block.
///
/// What it gives out is durable: bytes that an earlier process wrote and perhaps never fsynced are written
/// again and fsynced first. Else a retry of such a request would be told that it is stored, and a power cut
/// could take it. (Written again, because after a failed fsync a kernel takes the bytes for clean.)
pub struct Replay {
    world: World,
    directory: PathBuf,
    /// The files that are to come, the next one last.
    names: Vec<FileName>,
    limits: HashMap<FileId, u64>,
    /// Up to where files were acknowledged at least.
    witnessed: Acknowledged,
    replayed: Replayed,
}

impl Replay {
    /// Looks for the files of `shard` in `directory`, which is made where it is missing.
    pub fn begin(world: &World, directory: &Path, shard: u32) -> Result<Replay> {
        let failed = |source| Error::Disk {
            doing: "reading the write-ahead log",
            path: directory.into(),
            source,
        };
        world.disk.create_directories(directory).map_err(failed)?;
        world.disk.sync_directory(directory).map_err(failed)?;
        let listed = world.disk.list(directory).map_err(failed)?;
        let mut names: Vec<FileName> = listed
            .iter()
            .filter_map(|name| FileName::parse(name))
            .collect();
        names.retain(|name| name.shard == shard);
        names.sort_by_key(|name| std::cmp::Reverse(name.id));
        let limits = acknowledged(world, directory, &names)?;
        let witness = witness::read(world, directory, shard)?;
        let mut replayed = Replayed::default();
        if witness.damaged {
            replayed.damage.push(of_witness(shard));
        }
        let is_here = |id: &FileId| names.iter().any(|name| name.id == *id);
        let (here, gone): (Acknowledged, Acknowledged) =
            witness.files.into_iter().partition(|(id, _)| is_here(id));
        replayed.damage.extend(
            gone.into_iter()
                .map(|(id, bytes)| of_gone(shard, id, bytes)),
        );
        Ok(Replay {
            world: world.clone(),
            directory: directory.into(),
            names,
            limits,
            witnessed: here,
            replayed,
        })
    }

    /// Gives the frames of the next file to `visit`; `false` when there is none.
    ///
    /// The payload of a frame is a slice of the file's memory: copy what is kept. A file that can't be read or
    /// made durable is an error; damage inside it is not. An error of `visit` ends the replay.
    pub fn next_file(&mut self, visit: &mut dyn FnMut(Frame) -> Result<()>) -> Result<bool> {
        let Some(name) = self.names.pop() else {
            return Ok(false);
        };
        let bytes = read(&self.world, &self.directory, &name, usize::MAX)?;
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let scan = Scan {
            name,
            acknowledged: self.limits.get(&name.id).copied(),
            witnessed: self.witnessed.get(&name.id).copied().unwrap_or(0),
            bytes: bytes.clone(),
            used,
        };
        let mut frames = Vec::new();
        let durable = scan.run(&mut self.replayed, &mut |frame| {
            frames.push(frame);
            Ok(())
        })?;
        self.make_durable(&name, &bytes[..used], durable)?;
        self.replayed.last_epoch = self.replayed.last_epoch.max(name.id.epoch);
        frames.into_iter().try_for_each(visit)?;
        Ok(true)
    }

    /// What was found, once every file was given out.
    pub fn end(self) -> Replayed {
        self.replayed
    }

    fn make_durable(&self, name: &FileName, bytes: &[u8], durable: u64) -> Result<()> {
        let doubtful = bytes.get(durable as usize..).unwrap_or_default();
        if doubtful.is_empty() {
            return Ok(());
        }
        let path = self.directory.join(name.to_string());
        let written = self.world.disk.open(&path).and_then(|file| {
            file.write_at(durable, doubtful)?;
            file.sync()
        });
        written.map_err(|source| Error::Disk {
            doing: "making the end of the write-ahead log durable",
            path,
            source,
        })
    }
}

/// The damage of a file that was acknowledged up to `bytes` and is not there.
fn of_gone(shard: u32, id: FileId, bytes: u64) -> Damage {
    let FileId { epoch, number } = id;
    Damage {
        // Its key is not known.
        file: format!("{shard:04}-{epoch:020}-{number:010}"),
        offset: 0,
        length: bytes,
        kind: DamageKind::Corrupt,
        detail: "the file is gone, and it was needed".to_string(),
        lost: None,
    }
}

/// The damage of a witness that says nothing. No frame is touched by that.
fn of_witness(shard: u32) -> Damage {
    Damage {
        file: format!("{shard:04}.witness"),
        offset: 0,
        length: 0,
        kind: DamageKind::FileHeader,
        detail: "neither of its two places is whole".to_string(),
        lost: None,
    }
}

/// How far files were acknowledged, as later files of the same epoch say in their headers.
fn acknowledged(
    world: &World,
    directory: &Path,
    names: &[FileName],
) -> Result<HashMap<FileId, u64>> {
    // The header grows with the number of files; this is enough for tens of thousands.
    const HEADER_BYTES: usize = 1 << 20;
    let mut limits = HashMap::new();
    for name in names {
        let bytes = read(world, directory, name, HEADER_BYTES)?;
        if let Some(header) = own_header(&bytes, name).ok().map(|(header, _)| header) {
            let epoch = name.id.epoch;
            let ended = header.ended.into_iter();
            limits.extend(ended.map(|(number, bytes)| (FileId { epoch, number }, bytes)));
        }
    }
    Ok(limits)
}

fn own_header(bytes: &Bytes, name: &FileName) -> std::result::Result<(Header, usize), String> {
    let (header, length) = Header::decode(bytes)?;
    if header.name != *name {
        return Err(format!("the header is that of file {}", header.name));
    }
    Ok((header, length))
}

fn read(world: &World, directory: &Path, name: &FileName, limit: usize) -> Result<Bytes> {
    let path = directory.join(name.to_string());
    let read = world
        .disk
        .open_read(&path)
        .and_then(|file| file.read_at(0, limit));
    read.map_err(|source| Error::Disk {
        doing: "reading the write-ahead log",
        path,
        source,
    })
}

/// The scan of one file.
struct Scan {
    name: FileName,
    /// Up to where it was acknowledged, where a later file says so.
    acknowledged: Option<u64>,
    /// Up to where it was acknowledged at least, as the witness says.
    witnessed: u64,
    bytes: Bytes,
    /// The length without the zeros at the end.
    used: usize,
}

/// A stretch of the file in which no frame was found.
struct Gap {
    from: usize,
    to: usize,
    broken: Broken,
}

impl Scan {
    /// Returns up to where the file is known to have been durable.
    fn run(
        self,
        replayed: &mut Replayed,
        visit: &mut dyn FnMut(Frame) -> Result<()>,
    ) -> Result<u64> {
        let mut summary = FileSummary {
            open: false,
            ..FileSummary::new(self.name)
        };
        let mut position = self.after_header(replayed);
        let (mut synced, mut end, mut gaps) = (0, position, Vec::new());
        while let Some(next) = self.step(position) {
            position = match next {
                Ok(found) if self.given_up(position) => {
                    let (length, kind) = (found.length, DamageKind::GivenUp);
                    let detail = "the writer gave this frame up".to_string();
                    replayed
                        .damage
                        .push(self.damage(position, length, kind, detail));
                    // Its sequence is never given again all the same.
                    replayed.last_sequence = replayed.last_sequence.max(found.frame.sequence);
                    summary.abandoned = true;
                    position + length
                }
                Ok(Found {
                    frame,
                    synced: so_far,
                    length,
                }) => {
                    summary.note(&frame.request, frame.sequence);
                    replayed.frames += 1;
                    replayed.bytes += length as u64;
                    replayed.last_sequence = replayed.last_sequence.max(frame.sequence);
                    synced = synced.max(so_far);
                    end = position + length;
                    visit(frame)?;
                    end
                }
                Err(gap) => {
                    let to = gap.to;
                    gaps.push(gap);
                    to
                }
            };
        }
        gaps.extend(self.cut(position));
        let durable = synced
            .max(self.acknowledged.unwrap_or(0))
            .max(self.witnessed);
        for gap in gaps {
            let torn = gap.from as u64 >= durable;
            summary.damaged |= !torn;
            summary.abandoned |= torn && self.acknowledged.is_some();
            let kind = if torn {
                DamageKind::TornTail
            } else {
                DamageKind::Corrupt
            };
            let damage = self.damage(gap.from, gap.to - gap.from, kind, gap.broken.detail);
            replayed.damage.push(Damage {
                lost: gap.broken.lost,
                ..damage
            });
        }
        // What the witness says of it stays said, whatever is found.
        summary.bytes = (end as u64).max(self.witnessed);
        replayed.files.push(summary);
        Ok(durable)
    }

    /// What is not there any more behind `position`, where the scan ended.
    fn cut(&self, position: usize) -> Option<Gap> {
        let to = usize::try_from(self.witnessed).unwrap_or(usize::MAX);
        (position < to).then(|| Gap {
            from: position,
            to,
            broken: Broken {
                detail: "the file held more, which was acknowledged".to_string(),
                length: None,
                lost: None,
            },
        })
    }

    /// Where the frames begin, and what is wrong before.
    fn after_header(&self, replayed: &mut Replayed) -> usize {
        let detail = match own_header(&self.bytes, &self.name) {
            Ok((_, length)) => return length,
            Err(detail) => detail,
        };
        // The name says what the header says, so the frames can be read all the same.
        let first = self.next_frame(0);
        replayed
            .damage
            .push(self.damage(0, first, DamageKind::FileHeader, detail));
        first
    }

    /// What stands at `position`: a frame, a gap up to where the scan goes on, or nothing more.
    fn step(&self, position: usize) -> Option<std::result::Result<Found, Gap>> {
        if position >= self.used {
            return None;
        }
        let broken = match frame::decode(
            &self.bytes.slice(position..),
            self.name.id.epoch,
            self.name.key,
        ) {
            Ok(found) => return Some(Ok(found)),
            Err(broken) => broken,
        };
        let to = match broken.length {
            Some(length) => position + length,
            None => self.next_frame(position + 1),
        };
        Some(Err(Gap {
            from: position,
            to,
            broken,
        }))
    }

    /// The next offset at which a frame of this file begins, or the end of the used bytes.
    fn next_frame(&self, mut from: usize) -> usize {
        while let Some(at) = self.next_magic(from) {
            let candidate =
                frame::decode(&self.bytes.slice(at..), self.name.id.epoch, self.name.key);
            // A frame with a whole header counts too: it names what is lost.
            if candidate.is_ok() || candidate.is_err_and(|b| b.length.is_some() || b.lost.is_some())
            {
                return at;
            }
            from = at + 1;
        }
        self.used
    }

    fn next_magic(&self, from: usize) -> Option<usize> {
        let rest = self.bytes.get(from..)?;
        memchr::memmem::find(rest, &FRAME_MAGIC).map(|at| from + at)
    }

    fn given_up(&self, position: usize) -> bool {
        self.acknowledged
            .is_some_and(|acknowledged| position as u64 >= acknowledged)
    }

    fn damage(&self, offset: usize, length: usize, kind: DamageKind, detail: String) -> Damage {
        Damage {
            file: self.name.to_string(),
            offset: offset as u64,
            length: length as u64,
            kind,
            detail,
            lost: None,
        }
    }
}

#[cfg(test)]
mod tests;
