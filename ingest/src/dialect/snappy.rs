//! A snappy block -> its bytes, within a limit.
//!
//! Source: snappy's `format_description.txt`. The head of a block declares what it decompresses to; that is believed
//! only as far as the bytes of the block could make it.

use super::error::DialectError;
use cairn_storage::budget::Reservation;

/// A copy makes 64 bytes of three at most.
const MAX_GROWTH: usize = 22;

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
    let broken = |detail: String| DialectError::Malformed {
        what: "a snappy block",
        detail,
    };
    let length = snap::raw::decompress_len(block).map_err(|error| broken(error.to_string()))?;
    if length as u64 > limit_bytes {
        return Err(DialectError::TooLarge);
    }
    if length / MAX_GROWTH > block.len() {
        let detail = format!("{length} bytes cannot come of {}", block.len());
        return Err(broken(detail));
    }
    memory.grow(length as u64).map_err(DialectError::Memory)?;
    let memory = memory.split(length as u64);
    let mut bytes = vec![0; length];
    let written = snap::raw::Decoder::new()
        .decompress(block, &mut bytes)
        .map_err(|error| broken(error.to_string()))?;
    bytes.truncate(written);
    Ok(Block {
        bytes,
        _memory: memory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_storage::budget::Budget;

    fn opened(block: &[u8], limit_bytes: u64) -> Result<Vec<u8>, DialectError> {
        let mut memory = Budget::new(1 << 20).empty();
        open(block, limit_bytes, &mut memory).map(|block| block.bytes)
    }

    #[test]
    fn a_block_within_the_limit_and_nothing_else() {
        let plain = vec![7; 100_000];
        let block = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        assert_eq!(opened(&block, 100_000).unwrap(), plain);
        assert!(matches!(
            opened(&block, 99_999),
            Err(DialectError::TooLarge)
        ));
        // 64 KiB declared by four bytes.
        for broken in [&b""[..], b"\x80\x80\x04\x00", &block[..block.len() - 1]] {
            let error = opened(broken, 1 << 20).unwrap_err();
            assert!(matches!(error, DialectError::Malformed { .. }), "{error}");
        }
    }
}
