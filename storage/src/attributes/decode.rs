//! Reads canonical JSON objects without building a tree: entries in key order, one key, one string.
//!
//! Input is canonical JSON that this crate wrote (chunk checksums stand between it and the disk). On anything else
//! reading ends early; it never panics. [`is_canonical`] tells whether a text is an object in canonical form.

use super::{encode, tagged::Tagged};
use memchr::memchr2;
use std::{borrow::Cow, cmp::Ordering};

/// An entry of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key as it stands between its quotes.
    pub raw_key: &'a str,
    /// Whether `raw_key` holds escapes.
    pub escaped: bool,
    /// The value's JSON.
    pub value: &'a str,
    /// Whether `value` is a string that holds escapes.
    pub value_escaped: bool,
}

impl<'a> Entry<'a> {
    /// The key; allocates only if it has escapes.
    pub fn key(&self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw_key))
        } else {
            Cow::Borrowed(self.raw_key)
        }
    }
}

/// The entries of an object, in the order of their keys.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    json: &'a str,
    /// Where the next entry's key (or the end of the object) is.
    at: usize,
}

/// The entries of the object `json`.
pub fn entries(json: &str) -> Entries<'_> {
    Entries {
        json,
        at: usize::from(json.starts_with('{')),
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let bytes = self.json.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let (key_end, escaped) = string_end(bytes, self.at)?;
        if bytes.get(key_end) != Some(&b':') {
            return None;
        }
        let (value_end, value_escaped) = value_end(bytes, key_end + 1)?;
        let entry = Entry {
            raw_key: self.json.get(self.at + 1..key_end - 1)?,
            escaped,
            value: self.json.get(key_end + 1..value_end)?,
            value_escaped,
        };
        self.at = if bytes.get(value_end) == Some(&b',') {
            value_end + 1
        } else {
            bytes.len()
        };
        Some(entry)
    }
}

/// The JSON of the value of `key`; stops at the first greater key.
pub fn find<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    for entry in entries(json) {
        let order = if entry.escaped {
            entry.key().as_bytes().cmp(key.as_bytes())
        } else {
            entry.raw_key.as_bytes().cmp(key.as_bytes())
        };
        match order {
            Ordering::Less => {}
            Ordering::Equal => return Some(entry.value),
            Ordering::Greater => return None,
        }
    }
    None
}

/// The text of a JSON string with its quotes; allocates only if it has escapes. `None` for anything else.
pub fn string(json: &str) -> Option<Cow<'_, str>> {
    let (end, escaped) = string_end(json.as_bytes(), 0)?;
    if !json.starts_with('"') || end != json.len() {
        return None;
    }
    let raw = &json[1..end - 1];
    Some(if escaped {
        Cow::Owned(unescape(raw))
    } else {
        Cow::Borrowed(raw)
    })
}

/// The elements of the array `json`; nothing for anything else.
pub fn elements(json: &str) -> impl Iterator<Item = &str> {
    let bytes = json.as_bytes();
    let mut at = if bytes.first() == Some(&b'[') {
        1
    } else {
        bytes.len()
    };
    std::iter::from_fn(move || {
        if at >= bytes.len() || bytes[at] == b']' {
            return None;
        }
        let (end, _) = value_end(bytes, at)?;
        let element = json.get(at..end)?;
        at = if bytes.get(end) == Some(&b',') {
            end + 1
        } else {
            bytes.len()
        };
        Some(element)
    })
}

/// Where the string that starts at `at` (its opening quote) ends, past its closing quote, and whether it has
/// escapes.
#[inline]
fn string_end(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut position = at + 1;
    let mut escaped = false;
    loop {
        position += memchr2(b'"', b'\\', bytes.get(position..)?)?;
        if bytes[position] == b'"' {
            return Some((position + 1, escaped));
        }
        escaped = true;
        position += 2;
    }
}

/// Where the value that starts at `at` ends, and whether it is a string with escapes. At least one byte long.
#[inline]
fn value_end(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    match bytes.get(at)? {
        b'"' => string_end(bytes, at),
        b'{' | b'[' => nested_end(bytes, at).map(|end| (end, false)),
        _ => {
            let ends = |b: &u8| matches!(b, b',' | b'}' | b']');
            let length = bytes[at..]
                .iter()
                .position(ends)
                .unwrap_or(bytes.len() - at);
            (length > 0).then_some((at + length, false))
        }
    }
}

/// Where the array or object that starts at `at` ends; iterative, so depth costs no stack.
fn nested_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut position = at;
    loop {
        match bytes.get(position)? {
            b'"' => {
                position = string_end(bytes, position)?.0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        position += 1;
        if depth == 0 {
            return Some(position);
        }
    }
}

/// The text of the content of a JSON string.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let mut after = rest[at + 1..].chars();
        match after.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let digits = after.as_str().get(..4).unwrap_or_default();
                let code = u32::from_str_radix(digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                after = after
                    .as_str()
                    .get(digits.len()..)
                    .unwrap_or_default()
                    .chars();
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = after.as_str();
    }
    text.push_str(rest);
    text
}

/// Whether `json` is an object in canonical form, down to the last nested value.
pub fn is_canonical(json: &str) -> bool {
    let mut again = Vec::with_capacity(json.len());
    rewrite(&mut again, json, true).is_some() && again == json.as_bytes()
}

/// Writes the value `json` anew, part by part; equal output means that every part was canonical. Depth is
/// bounded by what decoders let in (64).
fn rewrite(out: &mut Vec<u8>, json: &str, outermost: bool) -> Option<()> {
    match json.as_bytes().first()? {
        b'{' => rewrite_object(out, json, outermost)?,
        b'[' if !outermost => {
            out.push(b'[');
            for (i, element) in elements(json).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                rewrite(out, element, false)?;
            }
            out.push(b']');
        }
        _ if outermost => return None,
        b'"' => encode::text(out, &string(json)?),
        b't' => encode::boolean(out, true),
        b'f' => encode::boolean(out, false),
        b'n' => encode::null(out),
        _ if json.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => {
            encode::double(out, json.parse().ok().filter(|d: &f64| d.is_finite())?);
        }
        _ => encode::int(out, json.parse().ok()?),
    }
    Some(())
}

fn rewrite_object(out: &mut Vec<u8>, json: &str, outermost: bool) -> Option<()> {
    if !outermost && let Some(tagged) = Tagged::parse(json) {
        tagged.write(out);
        return Some(());
    }
    out.push(b'{');
    let mut previous: Option<String> = None;
    for entry in entries(json) {
        let key = entry.key().into_owned();
        if let Some(before) = &previous {
            out.push(b',');
            (before.as_bytes() < key.as_bytes()).then_some(())?;
        }
        // A nested key with a single `$` is a tag, and this object is none.
        (outermost || !key.starts_with('$') || key.starts_with("$$")).then_some(())?;
        encode::key(out, &key);
        rewrite(out, entry.value, false)?;
        previous = Some(key);
    }
    out.push(b'}');
    Some(())
}
