//! Attribute lists (`repeated KeyValue`) to canonical JSON objects.
//!
//! Records of one kind carry the same keys in the same order. The order to write them in and their escaped
//! texts are kept per list of keys (a *shape*), so that most records cost one comparison a key and no sorting.

use super::{
    tally::{Care, Counts},
    value::{MAX_KEYS, ValueWriter, is_text},
    wire::{Flaw, Reader, numbers},
};
use cairn_storage::attributes::encode;

/// Shapes kept; a power of two. A request has about one a log statement or span kind.
const SHAPES: usize = 64;

/// Lists with more keys are not kept: comparing them costs as much as sorting them.
const MAX_SHAPE_KEYS: usize = 128;

/// One attribute: its key as sent and the bytes that hold its value.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    key: &'a [u8],
    value: Held<'a>,
}

/// Where the value of an attribute is.
#[derive(Debug, Clone, Copy)]
enum Held<'a> {
    /// One `AnyValue`; empty bytes are the empty value, as is none at all.
    Whole(&'a [u8]),
    /// Several, to be merged: the `KeyValue` that holds them.
    Pieces(&'a [u8]),
}

/// How a list of keys is written.
#[derive(Debug, Default)]
struct Shape {
    hash: u64,
    /// The keys as sent, one after the other, and where each ends.
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    /// What to write: the pair, and where in `prefixes` its text ends (separator, key, colon).
    order: Vec<(usize, usize)>,
    prefixes: Vec<u8>,
    /// Pairs that a later one with the same key replaces.
    replaced: Vec<usize>,
    repaired_keys: u64,
}

/// Writes attribute lists; keeps its stacks and shapes between them.
#[derive(Debug)]
pub(super) struct AttributeWriter<'a> {
    pub(super) values: ValueWriter<'a>,
    pairs: Vec<Pair<'a>>,
    hash: u64,
    shapes: Vec<Shape>,
    /// The shape of a list that is not kept.
    passing: Shape,
    scratch: Vec<u8>,
    pieces: Vec<&'a [u8]>,
}

const KEY_VALUE_FIELDS: u64 = numbers([1, 2, 3]);

impl<'a> AttributeWriter<'a> {
    pub(super) fn new(care: Care) -> Self {
        AttributeWriter {
            values: ValueWriter::new(care),
            pairs: Vec::new(),
            hash: 0,
            shapes: std::iter::repeat_with(Shape::default)
                .take(SHAPES)
                .collect(),
            passing: Shape::default(),
            scratch: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// The counts of what was written.
    #[inline(always)]
    pub(super) fn counts(&mut self) -> &mut Counts {
        &mut self.values.counts
    }

    /// Begins a list, and forgets what a flaw left behind.
    #[inline(always)]
    pub(super) fn begin(&mut self) {
        self.pairs.clear();
        self.hash = 0;
    }

    /// Adds a `KeyValue` to the list.
    #[inline]
    pub(super) fn add(&mut self, message: &'a [u8]) -> Result<(), Flaw> {
        let pair = match plain_pair(message) {
            Some(pair) => pair,
            None => read_pair(message)?,
        };
        if self.pairs.len() == MAX_KEYS {
            return Err(Flaw::TooManyKeys);
        }
        self.hash = (self.hash.rotate_left(5) ^ digest(pair.key)).wrapping_mul(MIX);
        self.pairs.push(pair);
        Ok(())
    }

    /// Appends the list as an object.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> Result<(), Flaw> {
        if self.pairs.is_empty() {
            out.extend_from_slice(b"{}");
            return Ok(());
        }
        let shape = if self.pairs.len() > MAX_SHAPE_KEYS {
            self.passing.form(&self.pairs, self.hash, self.values.care);
            &self.passing
        } else {
            // The high bits are the well mixed ones.
            let shape = &mut self.shapes[(self.hash >> (64 - SHAPES.ilog2())) as usize];
            if !shape.fits(&self.pairs, self.hash) {
                shape.form(&self.pairs, self.hash, self.values.care);
            }
            shape
        };
        let mut start = 0;
        for (pair, end) in &shape.order {
            out.extend_from_slice(&shape.prefixes[start..*end]);
            start = *end;
            match self.pairs[*pair].value {
                Held::Whole(message) => self.values.write(out, message)?,
                held => write_pieces(&mut self.values, out, held, &mut self.pieces)?,
            }
        }
        out.push(b'}');
        self.values.counts.replaced_text += shape.repaired_keys;
        if !shape.replaced.is_empty() {
            self.values.counts.duplicate_keys += shape.replaced.len() as u64;
            // They make no text, but must be as well-formed as any other.
            for pair in &shape.replaced {
                self.scratch.clear();
                let held = self.pairs[*pair].value;
                write_pieces(&mut self.values, &mut self.scratch, held, &mut self.pieces)?;
                self.values.not_text |= !is_text(&self.scratch);
            }
        }
        Ok(())
    }

    /// The JSON of the last value of `key`; `None` where the list does not have it.
    pub(super) fn find(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Flaw> {
        let Some(pair) = self.pairs.iter().rfind(|pair| pair.key == key) else {
            return Ok(None);
        };
        self.scratch.clear();
        let counts = self.values.counts;
        write_pieces(
            &mut self.values,
            &mut self.scratch,
            pair.value,
            &mut self.pieces,
        )?;
        // The list counts it when it is written.
        self.values.counts = counts;
        Ok(Some(&self.scratch))
    }
}

impl Shape {
    /// Whether this is the shape of `pairs`.
    #[inline]
    fn fits(&self, pairs: &[Pair<'_>], hash: u64) -> bool {
        if self.hash != hash || self.key_ends.len() != pairs.len() {
            return false;
        }
        let mut start = 0;
        pairs.iter().zip(&self.key_ends).all(|(pair, end)| {
            let same = pair.key == &self.keys[start..*end];
            start = *end;
            same
        })
    }

    /// Makes this the shape of `pairs`.
    fn form(&mut self, pairs: &[Pair<'_>], hash: u64, care: Care) {
        *self = Shape {
            hash,
            ..Shape::default()
        };
        let mut repaired = Counts::default();
        let mut sorted = Vec::with_capacity(pairs.len());
        for (i, pair) in pairs.iter().enumerate() {
            self.keys.extend_from_slice(pair.key);
            self.key_ends.push(self.keys.len());
            sorted.push((care.text(pair.key, &mut repaired), i));
        }
        self.repaired_keys = repaired.replaced_text;
        sorted.sort();
        for (i, (key, pair)) in sorted.iter().enumerate() {
            if sorted.get(i + 1).is_some_and(|next| next.0 == *key) {
                self.replaced.push(*pair);
                continue;
            }
            self.prefixes
                .push(if self.order.is_empty() { b'{' } else { b',' });
            encode::unchecked_text(&mut self.prefixes, key);
            self.prefixes.push(b':');
            self.order.push((*pair, self.prefixes.len()));
        }
    }
}

fn write_pieces<'a>(
    values: &mut ValueWriter<'a>,
    out: &mut Vec<u8>,
    held: Held<'a>,
    pieces: &mut Vec<&'a [u8]>,
) -> Result<(), Flaw> {
    match held {
        Held::Whole(message) => values.write(out, message),
        Held::Pieces(message) => {
            pieces.clear();
            let mut reader = Reader::new(message);
            while !reader.is_empty() {
                match reader.key()? {
                    0x12 => pieces.push(reader.bytes()?),
                    0x0a => drop(reader.bytes()?),
                    // `read_pair` has seen that all fields have their wire types.
                    key => reader.skip(key, 0)?,
                }
            }
            values.write_merged(out, pieces)
        }
    }
}

/// A `KeyValue` of a key and a value, each once, in this order, each shorter than 128 bytes: nearly every one.
#[inline(always)]
fn plain_pair(message: &[u8]) -> Option<Pair<'_>> {
    let [0x0a, length @ 0..0x80, rest @ ..] = message else {
        return None;
    };
    let (key, rest) = rest.split_at_checked(usize::from(*length))?;
    let [0x12, length @ 0..0x80, value @ ..] = rest else {
        return None;
    };
    (value.len() == usize::from(*length)).then_some(Pair {
        key,
        value: Held::Whole(value),
    })
}

#[inline(never)]
fn read_pair(message: &[u8]) -> Result<Pair<'_>, Flaw> {
    let mut pair = Pair {
        key: &[],
        value: Held::Whole(&[]),
    };
    let mut values = 0;
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x0a => pair.key = reader.bytes()?,
            0x12 => {
                values += 1;
                pair.value = Held::Whole(reader.bytes()?);
            }
            // `key_strindex`, which has no meaning outside profiles.
            0x18 => drop(reader.varint()?),
            key => reader.skip(key, KEY_VALUE_FIELDS)?,
        }
    }
    if values > 1 {
        pair.value = Held::Pieces(message);
    }
    Ok(pair)
}

/// An odd constant with its bits spread (2^64 divided by the golden ratio).
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// A few bits of every part of a key; equal keys are compared afterwards, so this need not be a strong hash.
#[inline(always)]
fn digest(key: &[u8]) -> u64 {
    let length = key.len() as u64;
    let ends = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23)
        }
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            _ => key
                .iter()
                .fold(0, |bits, byte| bits << 8 | u64::from(*byte)),
        },
    };
    (ends ^ length.rotate_left(56)).wrapping_mul(MIX)
}
