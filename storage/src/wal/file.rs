//! One file of the log: its name, its header, and appending to it with zeros ahead.
//!
//! Zeros are written ahead of the frames, so that most appends overwrite blocks that exist: `fdatasync` then
//! has no new length and no new block to record, which halves its cost on journaling file systems.

use crate::{
    error::{Error, Result},
    time::Nanos,
    world::{Disk, DiskFile},
};
use bytes::{Buf, Bytes};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// The version of the file header that this build writes.
pub const FILE_FORMAT_VERSION: u16 = 1;

/// The first bytes of a file.
pub const FILE_MAGIC: [u8; 8] = *b"CAIRNWAL";

/// Which file of a shard's log: files are replayed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The epoch of the writer that made it.
    pub epoch: u64,
    /// Counts from 1 within the epoch.
    pub number: u32,
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

/// What the name of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileName {
    pub shard: u32,
    pub id: FileId,
    /// Random: ties frames to this file.
    pub key: u64,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileId { epoch, number } = self.id;
        write!(
            f,
            "{:04}-{epoch:020}-{number:010}-{:016x}.wal",
            self.shard, self.key
        )
    }
}

impl FileName {
    /// Reads a name as `Display` writes it; `None` for any other.
    pub fn parse(name: &str) -> Option<FileName> {
        let mut parts = name.strip_suffix(".wal")?.split('-');
        let parsed = FileName {
            shard: parts.next()?.parse().ok()?,
            id: FileId {
                epoch: parts.next()?.parse().ok()?,
                number: parts.next()?.parse().ok()?,
            },
            key: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        (parts.next().is_none() && parsed.to_string() == name).then_some(parsed)
    }
}

/// The header at the start of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: FileName,
    pub created: Nanos,
    /// The files of this epoch that ended before this one and still exist, with the length up to which their
    /// frames were acknowledged. What stands behind it in such a file was never acknowledged.
    pub ended: BTreeMap<u32, u64>,
}

impl Header {
    /// The bytes of the header.
    pub fn encode(&self) -> Vec<u8> {
        let length = 56 + 12 * self.ended.len();
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&FILE_MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&FILE_FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.name.shard.to_le_bytes());
        out.extend_from_slice(&self.name.id.epoch.to_le_bytes());
        out.extend_from_slice(&self.name.id.number.to_le_bytes());
        out.extend_from_slice(&(self.ended.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.name.key.to_le_bytes());
        out.extend_from_slice(&self.created.0.to_le_bytes());
        for (number, acknowledged) in &self.ended {
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&acknowledged.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&out[12..]);
        out[8..12].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads the header at the start of `bytes` with its length; the error says what is wrong with it.
    pub fn decode(bytes: &Bytes) -> Result<(Header, usize), String> {
        if bytes.len() < 56 {
            return Err("the file ends inside its header".to_string());
        }
        if bytes[..8] != FILE_MAGIC {
            return Err("the file does not begin as a log file does".to_string());
        }
        let mut rest = &bytes[8..];
        let stored = rest.get_u32_le();
        let length = rest.get_u32_le() as usize;
        if length < 56 || length > bytes.len() || crc32c::crc32c(&bytes[12..length]) != stored {
            return Err("the checksum does not match the file's header".to_string());
        }
        let version = rest.get_u16_le();
        if version != FILE_FORMAT_VERSION {
            return Err(format!(
                "log file version {version} is not known to this build, which knows {FILE_FORMAT_VERSION}: use a newer build"
            ));
        }
        rest.advance(2);
        let shard = rest.get_u32_le();
        let epoch = rest.get_u64_le();
        let number = rest.get_u32_le();
        let count = rest.get_u32_le() as usize;
        let key = rest.get_u64_le();
        let created = Nanos(rest.get_i64_le());
        if length != 56 + 12 * count {
            return Err("the file's header has another length than its fields".to_string());
        }
        let ended = (0..count)
            .map(|_| (rest.get_u32_le(), rest.get_u64_le()))
            .collect();
        let name = FileName {
            shard,
            id: FileId { epoch, number },
            key,
        };
        Ok((
            Header {
                name,
                created,
                ended,
            },
            length,
        ))
    }
}

/// A file that is being appended to.
pub(super) struct LogFile {
    pub(super) name: FileName,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// Where the next frame goes.
    written: u64,
    /// Up to where the file holds bytes: frames, then zeros.
    filled: u64,
    /// Up to where it is durable.
    synced: u64,
    /// Whether the directory entry is durable.
    entered: bool,
    /// What is written next; empty between batches, so that its memory is used again and again.
    pub(super) waiting: Vec<u8>,
}

/// Zeros are written ahead for so many batches at least: of larger ones the new length costs little, and the zeros as much
/// as the frames.
const SMALL_BATCHES: u64 = 8;

/// Memory that [`LogFile::waiting`] keeps between batches.
const KEPT_BYTES: usize = 8 << 20;

impl LogFile {
    /// Makes the file and writes its header; nothing is durable before [`LogFile::sync`].
    pub(super) fn create(disk: &dyn Disk, directory: &Path, header: &Header) -> Result<LogFile> {
        let path = directory.join(header.name.to_string());
        let failed = |source| Error::Disk {
            doing: "creating a file of the write-ahead log",
            path: path.clone(),
            source,
        };
        let file = disk.create(&path).map_err(failed)?;
        let bytes = header.encode();
        if let Err(source) = file.write_at(0, &bytes) {
            // Nobody knows the file yet; what stays of it holds no frame.
            let _ = disk.remove(&path);
            return Err(failed(source));
        }
        let length = bytes.len() as u64;
        let name = header.name;
        Ok(LogFile {
            name,
            path,
            file,
            written: length,
            filled: length,
            synced: 0,
            entered: false,
            waiting: Vec::new(),
        })
    }

    /// Up to where the file is durable.
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// Where the next frame goes.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes the waiting frames behind those that are there.
    pub(super) fn append(&mut self) -> Result<()> {
        self.file
            .write_at(self.written, &self.waiting)
            .map_err(|source| Error::Disk {
                doing: "writing to the write-ahead log",
                path: self.path.clone(),
                source,
            })?;
        self.written += self.waiting.len() as u64;
        self.filled = self.filled.max(self.written);
        self.waiting.clear();
        self.waiting.shrink_to(KEPT_BYTES);
        Ok(())
    }

    /// Writes zeros ahead where the frames have used them up, then makes everything durable: the bytes, and at
    /// the first time the directory entry.
    pub(super) fn sync(&mut self, disk: &dyn Disk, zero_fill_bytes: u64) -> Result<()> {
        let failed = |doing, source| Error::Disk {
            doing,
            path: self.path.clone(),
            source,
        };
        let small = self.written - self.synced <= zero_fill_bytes / SMALL_BATCHES;
        if self.written >= self.filled && zero_fill_bytes > 0 && small {
            self.waiting.resize(zero_fill_bytes as usize, 0);
            self.file
                .write_at(self.filled, &self.waiting)
                .map_err(|e| failed("writing zeros ahead in the write-ahead log", e))?;
            self.waiting.clear();
            self.filled += zero_fill_bytes;
        }
        self.file
            .sync()
            .map_err(|e| failed("fsyncing the write-ahead log", e))?;
        if !self.entered {
            let directory = self
                .path
                .parent()
                .expect("the path was joined from a directory");
            disk.sync_directory(directory)
                .map_err(|e| failed("fsyncing the directory of the write-ahead log", e))?;
            self.entered = true;
        }
        self.synced = self.written;
        Ok(())
    }
}
