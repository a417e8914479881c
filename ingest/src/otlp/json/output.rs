//! Protobuf as it is written: within a limit, paid from the request's memory, lengths filled in behind.

use super::{
    error::{Result, Stop},
    lex::{Quoted, unescape},
};
use crate::otlp::wire::{BYTES, key};
use cairn_storage::budget::Reservation;
use std::borrow::Cow;

/// The bytes of a varint of 32 bits.
const MAX_LENGTH_BYTES: usize = 5;

/// Protobuf being written.
pub(crate) struct Output<'m> {
    bytes: Vec<u8>,
    limit_bytes: usize,
    memory: &'m mut Reservation,
    /// Of `memory`: what texts needed that were unescaped aside, one at a time.
    aside_bytes: usize,
}

/// A message that has begun: where its content does, and whether its length has its full width already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    start: usize,
    is_wide: bool,
}

impl<'m> Output<'m> {
    /// An output of at most `limit_bytes`, of a text of `json_bytes`. Memory for it is taken from `memory` as it grows.
    pub(crate) fn new(
        json_bytes: usize,
        limit_bytes: usize,
        memory: &'m mut Reservation,
    ) -> Result<Output<'m>> {
        let mut output = Output {
            bytes: Vec::new(),
            limit_bytes,
            memory,
            aside_bytes: 0,
        };
        // Names of fields make up half of the text at least.
        output.room((json_bytes / 2).min(limit_bytes))?;
        Ok(output)
    }

    /// Makes room for `more` bytes; doubles up to the limit, as a payload does.
    #[inline(always)]
    pub(crate) fn room(&mut self, more: usize) -> Result<()> {
        if self.bytes.capacity() - self.bytes.len() >= more {
            return Ok(());
        }
        self.grow(more)
    }

    #[cold]
    fn grow(&mut self, more: usize) -> Result<()> {
        let needed = self.bytes.len() + more;
        if needed > self.limit_bytes {
            return Err(Box::new(Stop::TooLarge));
        }
        let before = self.bytes.capacity();
        let capacity = needed.max(before * 2).min(self.limit_bytes);
        self.pay(capacity - before)?;
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    /// Takes memory for what is kept beside the output; [`Output::finish`] gives it back.
    pub(crate) fn pay(&mut self, bytes: usize) -> Result<()> {
        let paid = self.memory.grow(bytes as u64);
        paid.map_err(|error| Box::new(Stop::Memory(error)))
    }

    /// Appends a varint, for which there is room.
    #[inline]
    fn push_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A varint by itself: an element of a packed list.
    pub(crate) fn element(&mut self, value: u64) -> Result<()> {
        self.room(10)?;
        self.push_varint(value);
        Ok(())
    }

    /// Eight bytes by themselves: an element of a packed list.
    pub(crate) fn element64(&mut self, bits: u64) -> Result<()> {
        self.room(8)?;
        self.bytes.extend_from_slice(&bits.to_le_bytes());
        Ok(())
    }

    /// A field that is a varint; `key` is number and wire type.
    #[inline]
    pub(crate) fn varint(&mut self, key: u32, value: u64) -> Result<()> {
        self.room(2 + 10)?;
        self.push_varint(key.into());
        self.push_varint(value);
        Ok(())
    }

    #[inline]
    pub(crate) fn fixed64(&mut self, key: u32, bits: u64) -> Result<()> {
        self.room(2 + 8)?;
        self.push_varint(key.into());
        self.bytes.extend_from_slice(&bits.to_le_bytes());
        Ok(())
    }

    #[inline]
    pub(crate) fn fixed32(&mut self, key: u32, bits: u32) -> Result<()> {
        self.room(2 + 4)?;
        self.push_varint(key.into());
        self.bytes.extend_from_slice(&bits.to_le_bytes());
        Ok(())
    }

    /// A field of bytes that are at hand.
    #[inline]
    pub(crate) fn bytes(&mut self, number: u32, bytes: &[u8]) -> Result<()> {
        self.room(2 + MAX_LENGTH_BYTES + bytes.len())?;
        self.push_varint(key(number, BYTES).into());
        self.push_varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// A field of text.
    #[inline]
    pub(crate) fn text(&mut self, number: u32, text: Quoted<'_>) -> Result<()> {
        if !text.escaped {
            return self.bytes(number, text.raw);
        }
        self.written(number, text.raw.len(), |out| {
            unescape(text.raw, out);
            Some(())
        })?;
        Ok(())
    }

    /// A field of at most `most` bytes, which `write` appends; `None` where it does not.
    pub(crate) fn written(
        &mut self,
        number: u32,
        most: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Result<Option<()>> {
        let begun = self.begin(number, false)?;
        self.room(most)?;
        let written = write(&mut self.bytes);
        self.end(begun)?;
        Ok(written)
    }

    /// What a text says, when it is read and not written on. One such text lives at a time.
    #[inline]
    pub(crate) fn aside<'j>(&mut self, text: Quoted<'j>) -> Result<Cow<'j, [u8]>> {
        if !text.escaped {
            return Ok(Cow::Borrowed(text.raw));
        }
        let length = text.raw.len();
        self.pay(length.saturating_sub(self.aside_bytes))?;
        self.aside_bytes = self.aside_bytes.max(length);
        let mut plain = Vec::with_capacity(length);
        unescape(text.raw, &mut plain);
        Ok(Cow::Owned(plain))
    }

    /// Begins a message or a packed list. A wide one has room for any length before it; of others, which are short
    /// as a rule, the content moves when it turns out to be long.
    #[inline]
    pub(crate) fn begin(&mut self, number: u32, is_wide: bool) -> Result<Begun> {
        self.room(2 + MAX_LENGTH_BYTES)?;
        self.push_varint(key(number, BYTES).into());
        let width = if is_wide { MAX_LENGTH_BYTES } else { 1 };
        self.bytes
            .extend_from_slice(&[0; MAX_LENGTH_BYTES][..width]);
        Ok(Begun {
            start: self.bytes.len(),
            is_wide,
        })
    }

    /// Ends what was begun last.
    #[inline]
    pub(crate) fn end(&mut self, begun: Begun) -> Result<()> {
        let start = begun.start;
        let length = self.bytes.len() - start;
        if !begun.is_wide && length < 0x80 {
            self.bytes[start - 1] = length as u8;
            return Ok(());
        }
        self.end_long(begun)
    }

    #[inline(never)]
    fn end_long(&mut self, begun: Begun) -> Result<()> {
        let (start, end) = (begun.start, self.bytes.len());
        let length = end - start;
        if begun.is_wide {
            put_length(&mut self.bytes[start - MAX_LENGTH_BYTES..start], length);
            return Ok(());
        }
        let more = length.ilog2() as usize / 7;
        self.room(more)?;
        self.bytes.resize(end + more, 0);
        self.bytes.copy_within(start..end, start + more);
        put_length(&mut self.bytes[start - 1..start + more], length);
        Ok(())
    }

    /// How much was written up to now.
    pub(crate) fn written_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What was written from byte `start` on.
    pub(crate) fn since(&self, start: usize) -> &[u8] {
        &self.bytes[start..]
    }

    /// Takes back what was written from byte `start` on; what was begun there is given up.
    pub(crate) fn take_back(&mut self, start: usize) {
        self.bytes.truncate(start);
    }

    /// Overwrites the eight bytes that begin at byte `at`.
    pub(crate) fn patch64(&mut self, at: usize, bits: u64) {
        self.bytes[at..at + 8].copy_from_slice(&bits.to_le_bytes());
    }

    /// Appends fields that are encoded already.
    pub(crate) fn raw(&mut self, fields: &[u8]) -> Result<()> {
        self.room(fields.len())?;
        self.bytes.extend_from_slice(fields);
        Ok(())
    }

    /// What was written. Its capacity is all that stays of `memory`.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.memory.resize(self.bytes.capacity() as u64);
        self.bytes
    }
}

/// Writes a length as a varint that fills `bytes`.
fn put_length(bytes: &mut [u8], mut length: usize) {
    let last = bytes.len() - 1;
    for byte in &mut bytes[..last] {
        *byte = length as u8 | 0x80;
        length >>= 7;
    }
    bytes[last] = length as u8;
}
