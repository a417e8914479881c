//! The labels of a series: checked, and written as canonical JSON.

use super::{
    fault::{Fault, MAX_LABELS},
    outline::{Form, Outline},
};
use crate::otlp::wire::{Reader, numbers};
use cairn_storage::attributes::encode;

/// The label that names the metric.
const NAME: &[u8] = b"__name__";

/// The label whose value is the service.
const JOB: &[u8] = b"job";

/// The labels of one series or exemplar, as sent.
#[derive(Debug, Default)]
pub(super) struct Labels<'a> {
    pairs: Vec<(&'a [u8], &'a [u8])>,
    /// A name that waits for its value, while references are read.
    half: Option<&'a [u8]>,
}

/// What the labels of a series say besides the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) name: &'a [u8],
    pub(super) job: Option<&'a [u8]>,
}

const LABEL_FIELDS: u64 = numbers([1, 2]);

impl<'a> Labels<'a> {
    pub(super) fn begin(&mut self) {
        self.pairs.clear();
        self.half = None;
    }

    /// Adds a field of labels: one `Label` (version 1) or references to symbols, packed.
    #[inline]
    pub(super) fn add(&mut self, outline: &Outline<'a>, field: &'a [u8]) -> Result<(), Fault> {
        if outline.form == Form::One {
            let pair = match plain_label(field) {
                Some(pair) => pair,
                None => read_label(field)?,
            };
            return self.push(pair);
        }
        let mut reader = Reader::new(field);
        while !reader.is_empty() {
            self.add_reference(outline, reader.varint()?)?;
        }
        Ok(())
    }

    /// Adds one reference to a symbol.
    pub(super) fn add_reference(
        &mut self,
        outline: &Outline<'a>,
        reference: u64,
    ) -> Result<(), Fault> {
        let symbol = outline.symbol(reference)?;
        match self.half.take() {
            None => self.half = Some(symbol),
            Some(name) => self.push((name, symbol))?,
        }
        Ok(())
    }

    fn push(&mut self, pair: (&'a [u8], &'a [u8])) -> Result<(), Fault> {
        if self.pairs.len() == MAX_LABELS {
            return Err(Fault::TooManyLabels);
        }
        self.pairs.push(pair);
        Ok(())
    }

    /// Checks the labels of a series and appends those that are not its name to `out`, sorted by name: vmagent sends them
    /// as they come.
    ///
    /// A label with an empty value is the same as none (Prometheus' data model).
    pub(super) fn write_series(&mut self, out: &mut Vec<u8>) -> Result<Named<'a>, Fault> {
        if self.half.is_some() {
            return Err(Fault::OddReferences);
        }
        let begin = out.len();
        let (mut name, mut job): (&[u8], Option<&[u8]>) = (&[], None);
        let mut last: &[u8] = &[];
        for &(key, value) in &self.pairs {
            // The empty name is what `last` begins with.
            if key <= last {
                match key {
                    [] => return Err(Fault::EmptyName),
                    _ if key == last => return Err(Fault::Duplicate),
                    _ => {}
                }
                out.truncate(begin);
                self.pairs.sort_by_key(|pair| pair.0);
                return self.write_series(out);
            }
            last = key;
            if key == NAME {
                name = value;
                continue;
            }
            if value.is_empty() {
                continue;
            }
            if key == JOB {
                job = Some(value);
            }
            write_pair(out, begin, key, value);
        }
        end_object(out, begin);
        if name.is_empty() {
            return Err(Fault::NoMetric);
        }
        // Between texts stand quotes, so that all is UTF-8 exactly if each of them is.
        if !is_text(&out[begin..]) || !is_text(name) {
            return Err(Fault::NotText);
        }
        Ok(Named { name, job })
    }

    /// Takes the value of `key` out of the labels, if it is the lower-case or upper-case hex of `N` bytes that are not
    /// all zero; zeros where it is not.
    pub(super) fn take_id<const N: usize>(&mut self, key: &[u8]) -> [u8; N] {
        let mut id = [0; N];
        let Some(at) = self.pairs.iter().position(|pair| pair.0 == key) else {
            return id;
        };
        if hex::decode_to_slice(self.pairs[at].1, &mut id).is_err() || id == [0; N] {
            return [0; N];
        }
        self.pairs.remove(at);
        id
    }

    /// Sorts the labels of an exemplar and appends them to `out`. Of equal names the last stays; how many went.
    pub(super) fn write_exemplar(&mut self, out: &mut Vec<u8>) -> Result<u64, Fault> {
        if self.half.is_some() {
            return Err(Fault::OddReferences);
        }
        self.pairs.sort_by_key(|pair| pair.0);
        let begin = out.len();
        let mut dropped = 0;
        for (at, (key, value)) in self.pairs.iter().enumerate() {
            if self.pairs.get(at + 1).is_some_and(|next| next.0 == *key) {
                dropped += 1;
            } else {
                write_pair(out, begin, key, value);
            }
        }
        end_object(out, begin);
        match is_text(&out[begin..]) {
            true => Ok(dropped),
            false => Err(Fault::NotText),
        }
    }

    /// The labels as people read them, for the detail of a rejected record; at most `limit` bytes.
    pub(super) fn shown(&self, limit: usize) -> String {
        let mut text = String::new();
        for (key, value) in &self.pairs {
            let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
            let separator = if text.is_empty() { "" } else { "," };
            text += &format!("{separator}{key}={value:?}");
            if text.len() > limit {
                break;
            }
        }
        let cut = text.floor_char_boundary(limit);
        text.truncate(cut);
        text
    }
}

#[inline]
fn write_pair(out: &mut Vec<u8>, begin: usize, key: &[u8], value: &[u8]) {
    out.push(if out.len() == begin { b'{' } else { b',' });
    encode::unchecked_text(out, key);
    out.push(b':');
    encode::unchecked_text(out, value);
}

fn end_object(out: &mut Vec<u8>, begin: usize) {
    if out.len() == begin {
        out.push(b'{');
    }
    out.push(b'}');
}

#[inline]
fn is_text(text: &[u8]) -> bool {
    simdutf8::basic::from_utf8(text).is_ok()
}

/// A `Label` of a name and a value, each once, in this order, each shorter than 128 bytes: nearly every one.
#[inline(always)]
fn plain_label(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, length @ 0..0x80, rest @ ..] = message else {
        return None;
    };
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let [0x12, length @ 0..0x80, value @ ..] = rest else {
        return None;
    };
    (value.len() == usize::from(*length)).then_some((name, value))
}

#[inline(never)]
fn read_label(message: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x0a => name = reader.bytes()?,
            0x12 => value = reader.bytes()?,
            key => reader.skip(key, LABEL_FIELDS)?,
        }
    }
    Ok((name, value))
}
