//! Appends canonical JSON to a byte buffer: one function a kind of value.
//!
//! Output is valid UTF-8 whenever the pieces given in are, which their types ensure; the `unchecked_` variants
//! take bytes and leave the check to the caller.

use base64::{Engine, engine::general_purpose::STANDARD};

/// The bits of the NaN that is written as `NaN`; every other one is written with its bits.
pub const CANONICAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

/// Appends `text` as a JSON string.
pub fn text(out: &mut Vec<u8>, text: &str) {
    unchecked_text(out, text.as_bytes());
}

/// [`text`] for a caller that checks the whole output for UTF-8 once, later.
#[inline]
pub fn unchecked_text(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Appends a key of the outermost object with its colon.
pub fn key(out: &mut Vec<u8>, key: &str) {
    text(out, key);
    out.push(b':');
}

/// Appends a key of an object inside a value with its colon: one that begins with `$` gets one more, so that
/// it is never taken for a tag.
pub fn nested_key(out: &mut Vec<u8>, key: &str) {
    unchecked_nested_key(out, key.as_bytes());
}

/// [`nested_key`] for a caller that checks the whole output for UTF-8 once, later.
pub fn unchecked_nested_key(out: &mut Vec<u8>, key: &[u8]) {
    out.push(b'"');
    if key.starts_with(b"$") {
        out.push(b'$');
    }
    escaped(out, key);
    out.extend_from_slice(b"\":");
}

/// Appends an integer.
pub fn int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a double: finite ones as the shortest text that reads back the same, others tagged.
pub fn double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_infinite() {
        let sign = if value < 0.0 { "-" } else { "" };
        out.extend_from_slice(format!("{{\"$double\":\"{sign}Infinity\"}}").as_bytes());
    } else if value.to_bits() == CANONICAL_NAN_BITS {
        out.extend_from_slice(b"{\"$double\":\"NaN\"}");
    } else {
        out.extend_from_slice(format!("{{\"$double\":\"0x{:016x}\"}}", value.to_bits()).as_bytes());
    }
}

/// Appends a boolean.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends bytes, tagged, in padded standard base64.
pub fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(b"{\"$bytes\":\"");
    out.extend_from_slice(STANDARD.encode(value).as_bytes());
    out.extend_from_slice(b"\"}");
}

/// Appends the empty value.
pub fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// Appends the outermost object made of `entries`, which are sorted in place and made unique (the last of
/// equal keys stays); `value` appends one value. Returns how many entries were dropped as duplicates.
///
/// `entries` is a scratch vector that the caller keeps between records.
pub fn object<K: AsRef<str>, V>(
    out: &mut Vec<u8>,
    entries: &mut Vec<(K, V)>,
    mut value: impl FnMut(&mut Vec<u8>, &V),
) -> usize {
    let dropped = sort_unique(entries);
    out.push(b'{');
    for (i, (name, of)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        key(out, name.as_ref());
        value(out, of);
    }
    out.push(b'}');
    dropped
}

/// Sorts by key and keeps the last of equal keys; returns how many were dropped.
pub fn sort_unique<K: AsRef<str>, V>(entries: &mut Vec<(K, V)>) -> usize {
    if entries
        .windows(2)
        .all(|pair| pair[0].0.as_ref() < pair[1].0.as_ref())
    {
        return 0;
    }
    // Stable, so that among equal keys the order of arrival is kept.
    entries.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
    let before = entries.len();
    // `dedup_by` keeps the first of a run; swapping moves the last one's value there.
    entries.dedup_by(|later, kept| {
        let equal = later.0.as_ref() == kept.0.as_ref();
        if equal {
            std::mem::swap(later, kept);
        }
        equal
    });
    before - entries.len()
}

/// Appends the content of a string, escaped.
fn escaped(out: &mut Vec<u8>, mut rest: &[u8]) {
    loop {
        let plain = plain_prefix(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&byte) = rest.get(plain) else { return };
        escape(out, byte);
        rest = &rest[plain + 1..];
    }
}

/// How many bytes from the start need no escape; eight at a time.
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte of `word` that is zero; bytes above the lowest such one may be wrong, which
    // does not matter, as only the lowest counts.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, tail) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let found = control | quote | backslash;
        if found != 0 {
            return i * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let special = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\';
    words.len() * 8 + tail.iter().position(special).unwrap_or(tail.len())
}

#[cold]
fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
