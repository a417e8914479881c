//! How an object is cut into blocks.

use object_store::path::Path;
use std::{collections::BTreeSet, ops::Range, sync::Arc};

/// Blocks of column chunks. A request costs some ten milliseconds, in which a connection carries about this much.
const DATA_BLOCK_BYTES: u64 = 1 << 20;

/// Blocks of index sidecars, of which a query reads single rows of some hundred bytes.
const INDEX_BLOCK_BYTES: u64 = 64 << 10;

/// An object of at most so many blocks is fetched whole.
const WHOLE_BLOCKS: u64 = 4;

/// An object of a segment, as the cache cuts it: aligned blocks, and what follows the column chunks as one more block,
/// because it is read by those who need nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    pub(super) path: Path,
    /// The path, as the keys of its blocks share it.
    pub(super) name: Arc<str>,
    size: u64,
    /// Where the last block begins, `size` where there is none of its own.
    tail: u64,
    block_bytes: u64,
}

impl Extent {
    /// A Parquet object of `size` bytes, whose last `footer_bytes` are no column chunks.
    pub(crate) fn parquet(path: &Path, size: u64, footer_bytes: u64) -> Extent {
        Extent {
            path: path.clone(),
            name: path.as_ref().into(),
            size,
            tail: size.saturating_sub(footer_bytes),
            block_bytes: DATA_BLOCK_BYTES,
        }
    }

    /// An index sidecar of `size` bytes.
    pub(crate) fn index(path: &Path, size: u64) -> Extent {
        Extent {
            path: path.clone(),
            name: path.as_ref().into(),
            size,
            tail: size,
            block_bytes: INDEX_BLOCK_BYTES,
        }
    }

    /// The bytes of the object as the catalog knows them.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Blocks before the tail.
    fn aligned(&self) -> u64 {
        self.tail.div_ceil(self.block_bytes)
    }

    /// The number of every block.
    pub(super) fn all(&self) -> Range<u64> {
        0..self.aligned() + u64::from(self.tail < self.size)
    }

    /// The bytes of block `number`.
    pub(super) fn block(&self, number: u64) -> Range<u64> {
        if number >= self.aligned() {
            return self.tail..self.size;
        }
        let start = number * self.block_bytes;
        start..(start + self.block_bytes).min(self.tail)
    }

    /// The number of the block that byte `at` is in.
    fn number_of(&self, at: u64) -> u64 {
        match at < self.tail {
            true => at / self.block_bytes,
            false => self.aligned(),
        }
    }

    /// The blocks that hold `range`, which lies within the object.
    pub(super) fn covering(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return 0..0;
        }
        self.number_of(range.start)..self.number_of(range.end - 1) + 1
    }

    /// The blocks that hold `ranges`.
    pub(super) fn needed(&self, ranges: &[Range<u64>]) -> BTreeSet<u64> {
        ranges.iter().flat_map(|r| self.covering(r)).collect()
    }

    /// The blocks to fetch when one of them is: those of a small object, without its tail.
    pub(super) fn together(&self) -> Range<u64> {
        let aligned = self.aligned();
        0..if aligned <= WHOLE_BLOCKS { aligned } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn blocks_are_apart_and_make_the_object() {
        let path = Path::from("a");
        let whole = |extent: &Extent| {
            let mut at = 0;
            for number in extent.all() {
                let block = extent.block(number);
                assert_eq!(block.start, at);
                assert!(block.end > at);
                at = block.end;
            }
            assert_eq!(at, extent.size());
        };
        for size in [1, 100, MIB, MIB + 1, 7 * MIB + 5] {
            whole(&Extent::index(&path, size));
            for footer in [0, 1, size / 2, size] {
                whole(&Extent::parquet(&path, size, footer));
            }
        }
    }

    #[test]
    fn ranges_need_the_blocks_that_they_are_in() {
        let path = Path::from("a");
        let needed = |extent: &Extent, from: u64, to: u64| {
            let needed = extent.needed(std::slice::from_ref(&(from..to)));
            needed.into_iter().collect::<Vec<u64>>()
        };
        let small = Extent::parquet(&path, 3 * MIB, 10);
        assert_eq!(needed(&small, 5, 6), [0]);
        assert_eq!(needed(&small, 3 * MIB - 10, 3 * MIB), [3]);
        assert_eq!(small.together(), 0..3);
        let large = Extent::parquet(&path, 9 * MIB, 10);
        assert_eq!(needed(&large, MIB - 1, MIB + 1), [0, 1]);
        assert_eq!(needed(&large, 9 * MIB - 11, 9 * MIB), [8, 9]);
        assert!(needed(&large, 7, 7).is_empty());
        assert!(large.together().is_empty());
    }
}
