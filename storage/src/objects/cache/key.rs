//! What names a block in memory and on disk.

use super::extent::Extent;
use foyer::{Code, Error, ErrorKind, Result};
use std::{
    io::{Read, Write},
    sync::Arc,
};

/// A block: bytes of an object, whose path names the same bytes for ever. With its length, so that blocks which another
/// version cut otherwise are never taken for ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    path: Arc<str>,
    start: u64,
    length: u32,
}

/// Longer than any path.
const MOST_PATH_BYTES: u32 = 16 << 10;

impl Key {
    pub(super) fn of(extent: &Extent, number: u64) -> Key {
        let block = extent.block(number);
        Key {
            path: extent.name.clone(),
            start: block.start,
            length: u32::try_from(block.end - block.start).unwrap_or(u32::MAX),
        }
    }

    /// Bytes of the block.
    pub(super) fn length(&self) -> usize {
        self.length as usize
    }

    /// Bytes of memory that the key takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        // One path is shared by the blocks of an object that came together, and counted for each.
        self.path.len() + size_of::<Key>()
    }
}

impl Code for Key {
    fn encode(&self, writer: &mut impl Write) -> Result<()> {
        let length = self.path.len() as u32;
        let parts: [&[u8]; 4] = [
            &self.start.to_le_bytes(),
            &self.length.to_le_bytes(),
            &length.to_le_bytes(),
            self.path.as_bytes(),
        ];
        parts
            .into_iter()
            .try_for_each(|part| writer.write_all(part).map_err(Error::io_error))
    }

    fn decode(reader: &mut impl Read) -> Result<Key> {
        let (mut start, mut word) = ([0; 8], [0; 4]);
        reader.read_exact(&mut start).map_err(Error::io_error)?;
        reader.read_exact(&mut word).map_err(Error::io_error)?;
        let length = u32::from_le_bytes(word);
        reader.read_exact(&mut word).map_err(Error::io_error)?;
        let path_bytes = u32::from_le_bytes(word);
        if path_bytes > MOST_PATH_BYTES {
            return Err(Error::new(ErrorKind::Parse, "a path is too long"));
        }
        let mut path = vec![0; path_bytes as usize];
        reader.read_exact(&mut path).map_err(Error::io_error)?;
        let path = String::from_utf8(path)
            .map_err(|e| Error::new(ErrorKind::Parse, "a path is not UTF-8").with_source(e))?;
        Ok(Key {
            path: path.into(),
            start: u64::from_le_bytes(start),
            length,
        })
    }

    fn estimated_size(&self) -> usize {
        16 + self.path.len()
    }
}
