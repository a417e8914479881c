//! A snappy block -> its bytes, within a limit.
//!
//! Source: snappy's `format_description.txt`. The head of a block declares what it decompresses to; that is believed
//! only as far as the bytes of the block could make it. Callers reserve the memory between the two steps.

use snap::raw::{Decoder, decompress_len};

/// A copy makes 64 bytes of three at most.
const MAX_GROWTH: usize = 22;

/// Why a block is not decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It would have more bytes than the limit.
    TooLarge,
    /// It is no block, with the reason.
    Broken(String),
}

/// The bytes that `block` declares to have, `limit_bytes` at most.
pub(crate) fn length(block: &[u8], limit_bytes: u64) -> Result<usize, Refusal> {
    let length = decompress_len(block).map_err(broken)?;
    if length as u64 > limit_bytes {
        return Err(Refusal::TooLarge);
    }
    if length > block.len().saturating_mul(MAX_GROWTH) {
        let detail = format!("its {} bytes cannot make {length}", block.len());
        return Err(Refusal::Broken(detail));
    }
    Ok(length)
}

/// The bytes of a block whose [`length`] was looked at.
pub(crate) fn open(block: &[u8]) -> Result<Vec<u8>, Refusal> {
    Decoder::new().decompress_vec(block).map_err(broken)
}

fn broken(error: snap::Error) -> Refusal {
    Refusal::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_within_the_limit_and_nothing_else() {
        let plain = vec![7; 100_000];
        let block = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        assert_eq!(length(&block, 100_000), Ok(100_000));
        assert_eq!(open(&block), Ok(plain));
        assert_eq!(length(&block, 99_999), Err(Refusal::TooLarge));
        // 64 KiB declared by four bytes.
        for broken in [&b"\x80\x80\x04\x00"[..], &[0xff; 12]] {
            assert!(matches!(length(broken, 1 << 20), Err(Refusal::Broken(_))));
        }
        assert!(matches!(
            open(&block[..block.len() - 1]),
            Err(Refusal::Broken(_))
        ));
    }
}
