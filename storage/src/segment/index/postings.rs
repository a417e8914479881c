//! In which blocks each token of a file is: a dictionary of short fingerprints, cut into buckets that are read alone.
//!
//! A token's bucket is the first bits of its hash, its fingerprint in the bucket the bits that follow. Fingerprints are sorted
//! and written as gaps in Rice's code, each with its blocks: their number and, unless these are all, either a bit for each
//! block or the first block and the gaps to the others. Two tokens of one fingerprint share their blocks, so that a wrong
//! answer names blocks too many, never too few.

use super::bits::{Reader, Writer};
use crate::error::{Error, Result};

/// Distinct tokens of a bucket, about: some KiB, which a store gives as fast as one byte.
const BUCKET_TOKENS: usize = 1_024;
/// Bits of a fingerprint beyond those that tell the tokens of the file apart: of absent tokens one in sixty-four to one in
/// a hundred and twenty-eight is taken for one that is there, over all blocks together.
pub(super) const SPARE_BITS: u32 = 6;
/// All that is kept of a hash.
pub(super) const HASH_BITS: u32 = 32;
/// The number of entries in front of a bucket.
const COUNT_BYTES: usize = 4;
/// The checksum behind a bucket.
const CHECKSUM_BYTES: usize = 4;

/// How hashes and blocks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Layout {
    /// Blocks of the file.
    pub(crate) blocks: u32,
    /// There are two to this power of buckets.
    pub(crate) bucket_bits: u32,
    /// Bits of a fingerprint within its bucket.
    pub(crate) fingerprint_bits: u32,
    /// Bits of a gap that are written as they are; the rest is unary.
    pub(crate) rice_bits: u32,
}

impl Layout {
    /// For `tokens` distinct tokens in a file of `blocks` blocks.
    pub(super) fn of(tokens: usize, blocks: u32) -> Layout {
        let bits = |number: usize| number.max(1).next_power_of_two().ilog2();
        let bucket_bits = bits(tokens / BUCKET_TOKENS).min(HASH_BITS - 1);
        let all_bits = (bits(tokens) + SPARE_BITS).min(HASH_BITS);
        Layout {
            blocks,
            bucket_bits,
            fingerprint_bits: (all_bits - bucket_bits).max(1),
            rice_bits: SPARE_BITS - 1,
        }
    }

    /// Whether numbers that were read make sense.
    pub(super) fn is_sound(&self) -> bool {
        let bits = [self.bucket_bits, self.fingerprint_bits, self.rice_bits];
        bits.iter().all(|bits| *bits <= HASH_BITS)
            && self.bucket_bits + self.fingerprint_bits <= HASH_BITS
            && self.bucket_bits < HASH_BITS
            && self.blocks > 0
    }

    pub(super) fn buckets(&self) -> usize {
        1 << self.bucket_bits
    }

    pub(super) fn bucket(&self, hash: u32) -> usize {
        (u64::from(hash) >> (HASH_BITS - self.bucket_bits)) as usize
    }

    pub(super) fn fingerprint(&self, hash: u32) -> u32 {
        let in_bucket = u64::from(hash) << self.bucket_bits & u64::from(u32::MAX);
        (in_bucket >> (HASH_BITS - self.fingerprint_bits)) as u32
    }

    /// Bits of the number of a block.
    fn block_bits(&self) -> u32 {
        self.blocks.next_power_of_two().ilog2()
    }

    /// Whether a bit for each block is written for a token of so many.
    fn is_dense(&self, count: u32) -> bool {
        count >= self.blocks.div_ceil(4)
    }
}

/// The bytes of a bucket; `pairs` are fingerprints with a block of each, sorted, each once.
pub(super) fn write(layout: &Layout, pairs: &[(u32, u32)]) -> Vec<u8> {
    let entries = pairs.chunk_by(|a, b| a.0 == b.0);
    let count = entries.clone().count() as u32;
    let mut writer = Writer::after(count.to_le_bytes().to_vec());
    let mut next = 0;
    for entry in entries {
        let fingerprint = entry[0].0;
        let gap = fingerprint - next;
        writer.unary((u64::from(gap) >> layout.rice_bits) as u32);
        writer.put(low(gap, layout.rice_bits), layout.rice_bits);
        write_blocks(layout, &mut writer, entry);
        next = fingerprint.saturating_add(1);
    }
    let mut bytes = writer.finish();
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn low(value: u32, bits: u32) -> u32 {
    (u64::from(value) & ((1 << bits) - 1)) as u32
}

fn write_blocks(layout: &Layout, writer: &mut Writer, entry: &[(u32, u32)]) {
    let count = entry.len() as u32;
    writer.gamma(count);
    if count == layout.blocks {
        return;
    }
    if layout.is_dense(count) {
        let mut blocks = entry.iter().map(|(_, block)| *block).peekable();
        for block in 0..layout.blocks {
            let is_in = blocks.next_if_eq(&block).is_some();
            writer.put(u32::from(is_in), 1);
        }
        return;
    }
    writer.put(entry[0].1, layout.block_bits());
    for pair in entry.windows(2) {
        writer.gamma(pair[1].1 - pair[0].1);
    }
}

/// The entries of a bucket, in the order of their fingerprints.
pub(super) struct Entries<'a> {
    layout: Layout,
    reader: Reader<'a>,
    left: u32,
    next: u32,
    blocks: Vec<u32>,
}

impl<'a> Entries<'a> {
    /// Reads a bucket, whose checksum is compared first; `what` names it in errors.
    pub(super) fn new(layout: Layout, what: &str, bucket: &'a [u8]) -> Result<Entries<'a>> {
        let content = bucket
            .split_last_chunk::<CHECKSUM_BYTES>()
            .filter(|(content, sum)| crc32c::crc32c(content) == u32::from_le_bytes(**sum));
        let parts = content.and_then(|(content, _)| content.split_first_chunk::<COUNT_BYTES>());
        let Some((count, bits)) = parts else {
            return Err(Error::Corrupt {
                what: format!("the text index in {what}"),
                detail: "its checksum does not match".to_string(),
            });
        };
        Ok(Entries {
            layout,
            reader: Reader::new(bits),
            left: u32::from_le_bytes(*count),
            next: 0,
            blocks: Vec::new(),
        })
    }

    /// The next fingerprint and its blocks; `None` at the end, which is also where bytes make no sense.
    pub(super) fn next(&mut self) -> Option<(u32, &[u32])> {
        self.left = self.left.checked_sub(1)?;
        let high = u64::from(self.reader.unary()?) << self.layout.rice_bits;
        let gap = high | u64::from(self.reader.get(self.layout.rice_bits)?);
        let fingerprint = u32::try_from(u64::from(self.next) + gap).ok()?;
        self.next = fingerprint.saturating_add(1);
        self.read_blocks()?;
        Some((fingerprint, &self.blocks))
    }

    /// The blocks of `fingerprint`, none where it is absent.
    pub(super) fn find(mut self, fingerprint: u32) -> Vec<u32> {
        while let Some((here, _)) = self.next() {
            if here == fingerprint {
                return self.blocks;
            }
            if here > fingerprint {
                break;
            }
        }
        Vec::new()
    }

    fn read_blocks(&mut self) -> Option<()> {
        let layout = self.layout;
        let count = self.reader.gamma()?;
        (count <= layout.blocks).then_some(())?;
        self.blocks.clear();
        if count == layout.blocks {
            self.blocks.extend(0..count);
            return Some(());
        }
        if layout.is_dense(count) {
            for block in 0..layout.blocks {
                if self.reader.get(1)? == 1 {
                    self.blocks.push(block);
                }
            }
            return Some(());
        }
        let mut block = self.reader.get(layout.block_bits())?;
        self.blocks.push(block);
        for _ in 1..count {
            block = block.checked_add(self.reader.gamma()?)?;
            self.blocks.push(block);
        }
        (block < layout.blocks).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn every_entry_comes_back(
            blocks in 1_u32..300,
            tokens in prop::collection::btree_map(any::<u32>(), prop::collection::btree_set(0_u32..300, 1..40), 0..200),
            promised in 0_usize..1_000_000,
        ) {
            let layout = Layout::of(promised, blocks);
            prop_assert!(layout.is_sound());
            let mut expected: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            let bucket = layout.bucket(tokens.keys().next().copied().unwrap_or(0));
            for (hash, set) in &tokens {
                if layout.bucket(*hash) == bucket {
                    let known = expected.entry(layout.fingerprint(*hash)).or_default();
                    known.extend(set.iter().map(|block| block % blocks));
                    known.sort_unstable();
                    known.dedup();
                }
            }
            let pairs = expected.iter().flat_map(|(f, set)| set.iter().map(|block| (*f, *block)));
            let bytes = write(&layout, &pairs.collect::<Vec<_>>());
            let mut found = BTreeMap::new();
            let mut entries = Entries::new(layout, "a.idx", &bytes).expect("sound");
            while let Some((fingerprint, blocks)) = entries.next() {
                found.insert(fingerprint, blocks.to_vec());
            }
            prop_assert_eq!(&found, &expected);
            for (fingerprint, blocks) in expected {
                let entries = Entries::new(layout, "a.idx", &bytes).expect("sound");
                prop_assert_eq!(entries.find(fingerprint), blocks);
            }
        }

        #[test]
        fn any_bits_end(bits in prop::collection::vec(any::<u8>(), 4..80), blocks in 1_u32..3_000) {
            let mut bytes = bits;
            let checksum = crc32c::crc32c(&bytes);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            let layout = Layout::of(5_000, blocks);
            let mut entries = Entries::new(layout, "a.idx", &bytes).expect("its checksum is right");
            while let Some((_, found)) = entries.next() {
                prop_assert!(found.iter().all(|block| *block < blocks));
            }
        }
    }
}
