//! `AnyValue` to canonical JSON, without recursion.
//!
//! A message may come in pieces (protobuf merges the occurrences of a singular field), so a value is read from
//! a list of byte slices, which nearly always has one. Open arrays and maps are frames on a stack, at most
//! [`MAX_DEPTH`] of them. A map is written in the order of arrival and put in the order of its keys when it closes.

use super::{
    tally::{Care, Counts},
    wire::{Flaw, Reader, numbers},
};
use cairn_storage::attributes::encode;
use std::borrow::Cow;

/// Arrays and maps inside each other, the outermost one counted: 64 are stored, 65 are not.
pub(crate) const MAX_DEPTH: usize = 64;

/// The most keys that maps of one record may hold; bounds memory, and is far above SDKs' default of 128.
pub(super) const MAX_KEYS: usize = 1 << 16;

/// What an `AnyValue` holds. The bytes of an array or a map are on the stack of pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// Nothing, or a member of the oneof that stands for a value elsewhere (`string_value_strindex`).
    Empty,
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Array,
    Map,
}

impl Value<'_> {
    fn is_container(self) -> bool {
        matches!(self, Value::Array | Value::Map)
    }
}

/// An open array or map.
#[derive(Debug)]
struct Frame<'a> {
    map: bool,
    reader: Reader<'a>,
    /// The pieces of the container on the stack: the next to read, and where they begin.
    next_piece: usize,
    first_piece: usize,
    /// Pieces of the container end here; those of a value being read follow.
    last_piece: usize,
    /// Where its content begins in the output, after the bracket.
    start: usize,
    /// Where its entries begin on the stack of entries.
    first_entry: usize,
}

/// An entry of an open map: its key and where its text is, comma included.
#[derive(Debug)]
struct Entry<'a> {
    key: Cow<'a, [u8]>,
    start: usize,
    end: usize,
}

/// Writes values; keeps its stacks between them.
#[derive(Debug)]
pub(super) struct ValueWriter<'a> {
    pub(super) care: Care,
    pub(super) counts: Counts,
    /// Text was read unchecked that is not UTF-8 and reaches no column, where it would show.
    pub(super) not_text: bool,
    pieces: Vec<&'a [u8]>,
    frames: Vec<Frame<'a>>,
    entries: Vec<Entry<'a>>,
    sorted: Vec<u8>,
}

const LIST_FIELDS: u64 = numbers([1]);
const KEY_VALUE_FIELDS: u64 = numbers([1, 2, 3]);
const ANY_VALUE_FIELDS: u64 = numbers([1, 2, 3, 4, 5, 6, 7, 8]);

impl<'a> ValueWriter<'a> {
    pub(super) fn new(care: Care) -> Self {
        ValueWriter {
            care,
            counts: Counts::default(),
            not_text: false,
            pieces: Vec::new(),
            frames: Vec::new(),
            entries: Vec::new(),
            sorted: Vec::new(),
        }
    }

    /// Forgets what a flaw left behind.
    pub(super) fn reset(&mut self) {
        self.pieces.clear();
        self.frames.clear();
        self.entries.clear();
    }

    /// Appends the value of one `AnyValue` message.
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, message: &'a [u8]) -> Result<(), Flaw> {
        // What most values are: a text shorter than 128 bytes, a number, and nothing else.
        match message {
            [0x0a, length @ 0..0x80, text @ ..] if text.len() == usize::from(*length) => {
                self.write_text(out, text);
                return Ok(());
            }
            [0x18, value @ 0..0x80] => {
                encode::int(out, i64::from(*value));
                return Ok(());
            }
            [0x18, low @ 0x80..=0xff, high @ 0..0x80] => {
                encode::int(out, i64::from(*low & 0x7f) | i64::from(*high) << 7);
                return Ok(());
            }
            [0x21, bytes @ ..] => {
                if let Ok(bits) = <[u8; 8]>::try_from(bytes) {
                    encode::double(out, f64::from_le_bytes(bits));
                    return Ok(());
                }
            }
            _ => {}
        }
        let value = self.read(&[message])?;
        self.write_value(out, value)
    }

    /// Appends the value of one `AnyValue` message that comes in pieces.
    pub(super) fn write_merged(
        &mut self,
        out: &mut Vec<u8>,
        pieces: &[&'a [u8]],
    ) -> Result<(), Flaw> {
        let value = self.read(pieces)?;
        self.write_value(out, value)
    }

    /// What one `AnyValue` message that comes in pieces holds; pass it to [`ValueWriter::write_value`].
    pub(super) fn read(&mut self, message: &[&'a [u8]]) -> Result<Value<'a>, Flaw> {
        let first = self.pieces.len();
        let mut value = Value::Empty;
        for piece in message {
            value = self.read_piece(piece, value, first)?;
        }
        Ok(value)
    }

    /// Appends `value`, which has just been read.
    pub(super) fn write_value(&mut self, out: &mut Vec<u8>, value: Value<'a>) -> Result<(), Flaw> {
        if !value.is_container() {
            self.write_scalar(out, value);
            return Ok(());
        }
        self.open(out, value, 0)?;
        while let Some(frame) = self.frames.last_mut() {
            match next_element(frame, &self.pieces)? {
                None => self.close(out),
                Some(element) if frame.map => self.write_entry(out, element)?,
                Some(element) => self.write_element(out, element)?,
            }
        }
        // The comma that follows every element of a container.
        out.pop();
        Ok(())
    }

    /// Reads the fields of a piece of an `AnyValue` whose value so far is `value` and whose containers' pieces
    /// begin at `first`. The last member of the oneof wins; arrays and maps that follow their like are merged.
    fn read_piece(
        &mut self,
        piece: &'a [u8],
        mut value: Value<'a>,
        first: usize,
    ) -> Result<Value<'a>, Flaw> {
        let mut reader = Reader::new(piece);
        while !reader.is_empty() {
            let next = match reader.key()? {
                0x0a => Value::Text(reader.bytes()?),
                0x10 => Value::Bool(reader.varint()? != 0),
                0x18 => Value::Int(reader.varint()? as i64),
                0x21 => Value::Double(reader.double()?),
                key @ (0x2a | 0x32) => {
                    let next = if key == 0x2a {
                        Value::Array
                    } else {
                        Value::Map
                    };
                    if next != value {
                        self.pieces.truncate(first);
                    }
                    self.pieces.push(reader.bytes()?);
                    value = next;
                    continue;
                }
                0x3a => Value::Bytes(reader.bytes()?),
                0x40 => {
                    reader.varint()?;
                    Value::Empty
                }
                key => {
                    reader.skip(key, ANY_VALUE_FIELDS)?;
                    continue;
                }
            };
            self.pieces.truncate(first);
            value = next;
        }
        Ok(value)
    }

    #[inline]
    fn write_text(&mut self, out: &mut Vec<u8>, text: &'a [u8]) {
        match self.care {
            Care::Unchecked => encode::unchecked_text(out, text),
            Care::Repair => encode::unchecked_text(out, &self.care.text(text, &mut self.counts)),
        }
    }

    fn write_scalar(&mut self, out: &mut Vec<u8>, value: Value<'a>) {
        match value {
            Value::Text(text) => self.write_text(out, text),
            Value::Bool(value) => encode::boolean(out, value),
            Value::Int(value) => encode::int(out, value),
            Value::Double(value) => encode::double(out, value),
            Value::Bytes(bytes) => encode::bytes(out, bytes),
            Value::Empty | Value::Array | Value::Map => encode::null(out),
        }
    }

    /// Opens a container whose pieces begin at `first_piece`.
    fn open(
        &mut self,
        out: &mut Vec<u8>,
        value: Value<'a>,
        first_piece: usize,
    ) -> Result<(), Flaw> {
        if self.frames.len() == MAX_DEPTH {
            return Err(Flaw::TooDeep);
        }
        let map = value == Value::Map;
        out.push(if map { b'{' } else { b'[' });
        self.frames.push(Frame {
            map,
            reader: Reader::new(&[]),
            next_piece: first_piece,
            first_piece,
            last_piece: self.pieces.len(),
            start: out.len(),
            first_entry: self.entries.len(),
        });
        Ok(())
    }

    /// Appends an element, or opens it.
    fn write_element(&mut self, out: &mut Vec<u8>, element: &'a [u8]) -> Result<(), Flaw> {
        let first = self.pieces.len();
        let value = self.read_piece(element, Value::Empty, first)?;
        self.write_or_open(out, value, first)
    }

    fn write_or_open(
        &mut self,
        out: &mut Vec<u8>,
        value: Value<'a>,
        first: usize,
    ) -> Result<(), Flaw> {
        if value.is_container() {
            return self.open(out, value, first);
        }
        self.write_scalar(out, value);
        out.push(b',');
        Ok(())
    }

    /// Appends an entry of the open map, or its key and opens its value.
    fn write_entry(&mut self, out: &mut Vec<u8>, message: &'a [u8]) -> Result<(), Flaw> {
        let first = self.pieces.len();
        let mut key: &[u8] = &[];
        let mut value = Value::Empty;
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                0x0a => key = reader.bytes()?,
                0x12 => value = self.read_piece(reader.bytes()?, value, first)?,
                0x18 => drop(reader.varint()?),
                other => reader.skip(other, KEY_VALUE_FIELDS)?,
            }
        }
        if self.entries.len() == MAX_KEYS {
            return Err(Flaw::TooManyKeys);
        }
        let key = self.care.text(key, &mut self.counts);
        let start = out.len();
        encode::unchecked_nested_key(out, &key);
        self.end_entry(start);
        self.entries.push(Entry {
            key,
            start,
            end: start,
        });
        self.write_or_open(out, value, first)
    }

    /// Notes that the last entry of the open map ends at `end`.
    fn end_entry(&mut self, end: usize) {
        let first = self.frames.last().map_or(0, |frame| frame.first_entry);
        if let Some(entry) = self.entries[first..].last_mut() {
            entry.end = end;
        }
    }

    /// Closes the innermost container, with a comma behind it.
    fn close(&mut self, out: &mut Vec<u8>) {
        self.end_entry(out.len());
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if frame.map {
            self.sort(out, &frame);
        }
        self.pieces.truncate(frame.first_piece);
        self.entries.truncate(frame.first_entry);
        let bracket = if frame.map { b'}' } else { b']' };
        if out.len() > frame.start {
            // In place of the last element's comma.
            out.pop();
        }
        out.extend_from_slice(&[bracket, b',']);
    }

    /// Puts the entries of a map that closes in the order of their keys, the last of equal ones only.
    fn sort(&mut self, out: &mut Vec<u8>, frame: &Frame<'a>) {
        let entries = &mut self.entries[frame.first_entry..];
        if entries.is_sorted_by(|a, b| a.key < b.key) {
            return;
        }
        // Stable, so that of equal keys the last one to arrive is the last one here.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        self.sorted.clear();
        for (i, entry) in entries.iter().enumerate() {
            if entries.get(i + 1).is_some_and(|next| next.key == entry.key) {
                self.counts.duplicate_keys += 1;
                self.not_text |= !is_text(&out[entry.start..entry.end]);
            } else {
                self.sorted.extend_from_slice(&out[entry.start..entry.end]);
            }
        }
        out.truncate(frame.start);
        out.extend_from_slice(&self.sorted);
    }
}

/// Whether text that reaches no column is UTF-8.
pub(super) fn is_text(text: &[u8]) -> bool {
    simdutf8::basic::from_utf8(text).is_ok()
}

/// The next element of a container: field 1 of `ArrayValue` and `KeyValueList` alike.
fn next_element<'a>(frame: &mut Frame<'a>, pieces: &[&'a [u8]]) -> Result<Option<&'a [u8]>, Flaw> {
    loop {
        if frame.reader.is_empty() {
            if frame.next_piece == frame.last_piece {
                return Ok(None);
            }
            frame.reader = Reader::new(pieces[frame.next_piece]);
            frame.next_piece += 1;
            continue;
        }
        match frame.reader.key()? {
            0x0a => return frame.reader.bytes().map(Some),
            key => frame.reader.skip(key, LIST_FIELDS)?,
        }
    }
}
