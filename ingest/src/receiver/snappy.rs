//! Snappy blocks, as remote write sends them: one block with its length in front.

use super::payload::Payload;
use crate::error::{Error, Result};
use cairn_storage::budget::Reservation;
use snap::raw::{Decoder, decompress_len};

/// A copy of 64 bytes takes 3: a block that says that it makes more than this many times its bytes lies.
const MAX_RATIO: usize = 22;

/// The payload of a block, of at most `limit_bytes`, paid from `memory`; the block's own memory is given back.
pub(super) fn decompress(
    block: Payload,
    limit_bytes: u64,
    mut memory: Reservation,
) -> Result<Payload> {
    let length = decompress_len(&block.bytes).map_err(broken)?;
    if length as u64 > limit_bytes {
        return Err(Error::TooLarge {
            limit_bytes,
            measured: "after decompression",
        });
    }
    if length > block.bytes.len().saturating_mul(MAX_RATIO) {
        return Err(Error::BrokenCompression {
            compression: "snappy",
            detail: format!("its {} bytes cannot make {length}", block.bytes.len()),
        });
    }
    memory.grow(length as u64)?;
    let bytes = Decoder::new()
        .decompress_vec(&block.bytes)
        .map_err(broken)?;
    Ok(Payload {
        bytes: bytes.into(),
        memory,
    })
}

fn broken(error: snap::Error) -> Error {
    Error::BrokenCompression {
        compression: "snappy",
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
