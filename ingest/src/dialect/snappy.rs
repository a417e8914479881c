//! A snappy block of Loki's push -> its bytes, which are reserved first.

use super::error::DialectError;
use crate::snappy::{self, Refusal};
use cairn_storage::budget::Reservation;

/// A decompressed block and what its bytes take of the budget.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    _memory: Reservation,
}

/// Decompresses `block` to `limit_bytes` at most, in memory of its own beside `memory`.
pub(super) fn open(
    block: &[u8],
    limit_bytes: u64,
    memory: &mut Reservation,
) -> Result<Block, DialectError> {
    let refused = |refusal| match refusal {
        Refusal::TooLarge => DialectError::TooLarge,
        Refusal::Broken(detail) => DialectError::Malformed {
            what: "a snappy block",
            detail,
        },
    };
    let length = snappy::length(block, limit_bytes).map_err(refused)? as u64;
    memory.grow(length).map_err(DialectError::Memory)?;
    let memory = memory.split(length);
    Ok(Block {
        bytes: snappy::open(block).map_err(refused)?,
        _memory: memory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_storage::budget::Budget;

    #[test]
    fn a_block_is_opened_in_memory_of_its_own() {
        let plain = vec![7; 100_000];
        let block = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        let opened = |limit_bytes, budget| {
            let mut memory = Budget::new(budget).empty();
            open(&block, limit_bytes, &mut memory).map(|block| block.bytes)
        };
        assert_eq!(opened(100_000, 1 << 20).unwrap(), plain);
        assert!(matches!(
            opened(99_999, 1 << 20),
            Err(DialectError::TooLarge)
        ));
        assert!(matches!(
            opened(100_000, 1_000),
            Err(DialectError::Memory(_))
        ));
    }
}
