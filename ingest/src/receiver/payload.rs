//! The bytes of a request as they gather: decompressed, counted against the limit and the budget.

use super::compression::{Compression, Inflater};
use crate::error::{Error, Result};
use bytes::Bytes;
use cairn_storage::budget::{Budget, Reservation};

/// What one step of decompression makes at most: small enough that a bomb is noticed before it is kept.
const STEP_BYTES: usize = 32 << 10;

/// After this much decompression other tasks get their turn: about half a millisecond.
const TURN_BYTES: usize = 256 << 10;

/// A request's bytes, whole, and the memory reserved for them.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    pub(crate) memory: Reservation,
}

/// Gathers a payload chunk by chunk. Memory grows with the bytes that came, never with a number declared.
pub(crate) struct Gathering {
    limit_bytes: usize,
    inflater: Option<Inflater>,
    step: Box<[u8]>,
    content: Content,
    /// For `content`; goes on with it.
    memory: Reservation,
    /// For the decompressor; given back with it.
    working_memory: Reservation,
}

/// Most requests come in one chunk without compression: then nothing is copied.
enum Content {
    One(Bytes),
    Many(Vec<u8>),
}

impl Gathering {
    /// Starts a payload of at most `limit_bytes` after decompression, paid from `budget`.
    pub(crate) fn new(
        compression: Compression,
        limit_bytes: u64,
        budget: &Budget,
    ) -> Result<Gathering> {
        let mut working_memory = budget.reserve(0)?;
        let inflater = compression.inflater(&mut working_memory)?;
        let step_bytes = if inflater.is_some() { STEP_BYTES } else { 0 };
        working_memory.grow(step_bytes as u64)?;
        Ok(Gathering {
            limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX),
            inflater,
            step: vec![0; step_bytes].into_boxed_slice(),
            content: Content::One(Bytes::new()),
            memory: budget.reserve(0)?,
            working_memory,
        })
    }

    /// Takes the next chunk as it came off the wire.
    pub(crate) async fn push(&mut self, chunk: Bytes) -> Result<()> {
        let Some(mut inflater) = self.inflater.take() else {
            return self.keep(chunk);
        };
        let mut input = &chunk[..];
        let mut since_turn = 0;
        loop {
            let made = inflater.step(&mut input, &mut self.step, &mut self.working_memory)?;
            self.extend(made)?;
            if input.is_empty() && made < self.step.len() {
                break;
            }
            since_turn += made;
            if since_turn >= TURN_BYTES {
                since_turn = 0;
                tokio::task::yield_now().await;
            }
        }
        self.inflater = Some(inflater);
        Ok(())
    }

    /// The bytes gathered up to now, decompressed.
    pub(super) fn gathered_bytes(&self) -> u64 {
        match &self.content {
            Content::One(bytes) => bytes.len() as u64,
            Content::Many(bytes) => bytes.len() as u64,
        }
    }

    /// The payload; fails when compressed data broke off.
    pub(crate) fn finish(self) -> Result<Payload> {
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        let bytes = match self.content {
            Content::One(bytes) => bytes,
            Content::Many(bytes) => Bytes::from(bytes),
        };
        Ok(Payload {
            bytes,
            memory: self.memory,
        })
    }

    /// Keeps a chunk of a body that is not compressed.
    fn keep(&mut self, chunk: Bytes) -> Result<()> {
        if let Content::One(first) = &mut self.content
            && first.is_empty()
        {
            within(self.limit_bytes, chunk.len())?;
            self.memory.grow(chunk.len() as u64)?;
            *first = chunk;
            return Ok(());
        }
        let limit_bytes = self.limit_bytes;
        let content = many(&mut self.content);
        within(limit_bytes, content.len() + chunk.len())?;
        make_room(content, chunk.len(), limit_bytes, &mut self.memory)?;
        content.extend_from_slice(&chunk);
        Ok(())
    }

    /// Keeps the first `made` bytes of the step.
    fn extend(&mut self, made: usize) -> Result<()> {
        let content = many(&mut self.content);
        within(self.limit_bytes, content.len() + made)?;
        make_room(content, made, self.limit_bytes, &mut self.memory)?;
        content.extend_from_slice(&self.step[..made]);
        Ok(())
    }
}

fn many(content: &mut Content) -> &mut Vec<u8> {
    if let Content::One(first) = content {
        *content = Content::Many(first.to_vec());
    }
    match content {
        Content::Many(bytes) => bytes,
        Content::One(_) => unreachable!("it was replaced above"),
    }
}

fn within(limit_bytes: usize, length: usize) -> Result<()> {
    if length <= limit_bytes {
        return Ok(());
    }
    Err(Error::TooLarge {
        limit_bytes: limit_bytes as u64,
        measured: "after decompression",
    })
}

/// Doubles up to the limit, so that the capacity is what is reserved and never twice the limit.
fn make_room(
    content: &mut Vec<u8>,
    more: usize,
    limit_bytes: usize,
    memory: &mut Reservation,
) -> Result<()> {
    let needed = content.len() + more;
    if needed > content.capacity() {
        let capacity = needed
            .max(content.capacity() * 2)
            .max(4096)
            .min(limit_bytes.max(needed));
        memory.grow((capacity as u64).saturating_sub(memory.bytes()))?;
        content.reserve_exact(capacity - content.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
