//! The bytes of one simulated file: as a process reads them, and as a power cut leaves them.

use super::dice::Dice;
use crate::time::Nanos;

/// What a power cut keeps or loses as one: a sector.
const SECTOR_BYTES: usize = 512;

/// A file without its name.
#[derive(Default)]
pub(super) struct Inode {
    /// As read.
    pub(super) bytes: Vec<u8>,
    pub(super) modified: Nanos,
    /// As after a power cut that loses everything since the last fsync.
    durable: Vec<u8>,
    /// Since the last fsync, in order.
    pending: Vec<Write>,
}

enum Write {
    Bytes { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Inode {
    /// An empty file.
    pub(super) fn new(modified: Nanos) -> Inode {
        Inode {
            modified,
            ..Inode::default()
        }
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.bytes, offset, bytes);
        self.pending.push(Write::Bytes {
            offset,
            bytes: bytes.to_vec(),
        });
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.bytes.resize(length, 0);
        self.pending.push(Write::Length(length));
    }

    /// Everything written so far survives from now on.
    pub(super) fn sync(&mut self) {
        for write in std::mem::take(&mut self.pending) {
            write.apply(&mut self.durable);
        }
    }

    /// An fsync that failed: some writes got through, and the kernel forgets that the others were dirty, so no
    /// later fsync brings them to the disk.
    pub(super) fn sync_failed(&mut self, dice: &Dice) {
        for write in std::mem::take(&mut self.pending) {
            write.survive(&mut self.durable, dice);
        }
    }

    /// A power cut: each write since the last fsync survives wholly, in part, or not at all.
    pub(super) fn cut_power(&mut self, dice: &Dice) {
        // Now and then all of it is lost, which is what a slow disk does, and now and then nothing.
        let fate = dice.below(4);
        for write in std::mem::take(&mut self.pending) {
            match fate {
                0 => {}
                1 => write.apply(&mut self.durable),
                _ => write.survive(&mut self.durable, dice),
            }
        }
        self.bytes = self.durable.clone();
    }

    pub(super) fn flip(&mut self, offset: usize, mask: u8) {
        self.bytes[offset] ^= mask;
        if let Some(byte) = self.durable.get_mut(offset) {
            *byte ^= mask;
        }
    }
}

impl Write {
    fn apply(&self, target: &mut Vec<u8>) {
        match self {
            Write::Bytes { offset, bytes } => put(target, *offset, bytes),
            Write::Length(length) => target.resize(*length, 0),
        }
    }

    fn survive(&self, target: &mut Vec<u8>, dice: &Dice) {
        match (dice.below(3), self) {
            (0, _) => {}
            (1, _) | (_, Write::Length(_)) => self.apply(target),
            (_, Write::Bytes { offset, bytes }) => torn(target, *offset, bytes, dice),
        }
    }
}

/// Writes a random choice of the sectors that `bytes` touch, each whole.
fn torn(target: &mut Vec<u8>, offset: usize, bytes: &[u8], dice: &Dice) {
    let mut from = 0;
    while from < bytes.len() {
        let to = bytes
            .len()
            .min(from + SECTOR_BYTES - (offset + from) % SECTOR_BYTES);
        if dice.chance(0.5) {
            put(target, offset + from, &bytes[from..to]);
        }
        from = to;
    }
}

fn put(target: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[offset..end].copy_from_slice(bytes);
}
