//! Snappy blocks, as remote write sends them: one block with its length in front.

use super::payload::Payload;
use crate::{
    error::{Error, Result},
    snappy::{self, Refusal},
};
use cairn_storage::budget::Reservation;

/// The payload of a block, of at most `limit_bytes`, paid from `memory`; the block's own memory is given back.
pub(super) fn decompress(
    block: Payload,
    limit_bytes: u64,
    mut memory: Reservation,
) -> Result<Payload> {
    let refused = |refusal| match refusal {
        Refusal::TooLarge => Error::TooLarge {
            limit_bytes,
            measured: "after decompression",
        },
        Refusal::Broken(detail) => Error::BrokenCompression {
            compression: "snappy",
            detail,
        },
    };
    let length = snappy::length(&block.bytes, limit_bytes).map_err(refused)?;
    memory.grow(length as u64)?;
    let bytes = snappy::open(&block.bytes).map_err(refused)?;
    Ok(Payload {
        bytes: bytes.into(),
        memory,
    })
}

#[cfg(test)]
mod tests;
