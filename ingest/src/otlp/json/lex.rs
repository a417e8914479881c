//! JSON text, piece by piece (RFC 8259): nothing is copied, nothing recurses, every error has its byte.
//!
//! Our own, because what the libraries read is not what a telemetry store must take: `jiter` and `serde_json` recurse
//! and stop at 128 or 200 levels, `aws-smithy-json` turns numbers beyond 64 bits and those with exponents into doubles,
//! `struson` and `json-event-parser` refuse text with a lone surrogate or broken UTF-8, where one such text among
//! ten thousand records must not cost them all.

use super::{
    error::{Result, Stop},
    number,
};

/// Brackets open at the same time in what is skipped, a bit each: more than those of the deepest value of an attribute in
/// 64 MiB, so that such a record is rejected alone.
const MAX_OPEN: usize = 1 << 23;

/// A string as it stands in the text, without its quotes. Its escapes are well-formed; its bytes may not be UTF-8.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'j> {
    pub(crate) raw: &'j [u8],
    pub(crate) escaped: bool,
}

/// Reads a JSON text from its front.
#[derive(Debug)]
pub(crate) struct Lexer<'j> {
    json: &'j [u8],
    at: usize,
    open: Open,
}

/// The brackets open in what is skipped: a bit each, set for objects.
#[derive(Debug, Default)]
struct Open {
    words: Vec<u64>,
    count: usize,
}

/// The most bytes that a lexer of `json_bytes` of text takes for itself.
pub(crate) fn own_bytes(json_bytes: usize) -> usize {
    // Vectors double.
    2 * json_bytes.min(MAX_OPEN).div_ceil(64) * size_of::<u64>()
}

impl<'j> Lexer<'j> {
    /// A byte order mark at the front means nothing (RFC 8259, section 8.1).
    pub(crate) fn new(json: &'j [u8]) -> Lexer<'j> {
        let at = if json.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        let open = Open::default();
        Lexer { json, at, open }
    }

    /// Reads `json` from byte `at` on.
    pub(crate) fn at(json: &'j [u8], at: usize) -> Lexer<'j> {
        let open = Open::default();
        Lexer { json, at, open }
    }

    /// The next byte's place.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The first byte of what comes next, behind whitespace; 0 at the end of the text.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> u8 {
        loop {
            match self.json.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return *byte,
                None => return 0,
            }
        }
    }

    /// Reads `byte` if it is what comes next.
    #[inline(always)]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte && self.at < self.json.len();
        self.at += usize::from(is_next);
        is_next
    }

    /// An error at what comes next: `wanted` was expected.
    #[cold]
    pub(crate) fn unexpected(&mut self, wanted: &str) -> Box<Stop> {
        let found = match self.peek() {
            _ if self.at >= self.json.len() => "the end of the text".to_string(),
            byte @ b'!'..=b'~' => format!("{:?}", char::from(byte)),
            byte => format!("byte 0x{byte:02x}"),
        };
        Stop::at(self.at, format!("expected {wanted}, found {found}"))
    }

    /// Moves to the next member or element of a container that `close` ends; false at its end, which is then read.
    #[inline(always)]
    pub(crate) fn next(&mut self, is_first: bool, close: u8) -> Result<bool> {
        if self.take(close) {
            return Ok(false);
        }
        if is_first || self.take(b',') {
            return Ok(true);
        }
        Err(match close {
            b'}' => self.unexpected("a comma or the end of the object"),
            _ => self.unexpected("a comma or the end of the array"),
        })
    }

    /// The name of a member, and the colon behind it.
    #[inline(always)]
    pub(crate) fn name(&mut self) -> Result<Quoted<'j>> {
        if self.peek() != b'"' {
            return Err(self.unexpected("a name in quotes"));
        }
        let name = self.string()?;
        if self.take(b':') {
            return Ok(name);
        }
        Err(self.unexpected("a colon"))
    }

    /// A string, whose quote comes next.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Quoted<'j>> {
        let start = self.at + 1;
        let mut escaped = false;
        let mut at = start;
        loop {
            at += plain_length(&self.json[at..]);
            match self.json.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at = self.check_escape(at)?;
                }
                Some(byte) => {
                    let what = format!(
                        "byte 0x{byte:02x} in a string: control characters must be escaped"
                    );
                    return Err(Stop::at(at, what));
                }
                None => return Err(Stop::at(self.json.len(), "the text ends within a string")),
            }
        }
        self.at = at + 1;
        Ok(Quoted {
            raw: &self.json[start..at],
            escaped,
        })
    }

    /// The place behind the escape at `at`.
    fn check_escape(&self, at: usize) -> Result<usize> {
        match self.json.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.json.get(at + 2..at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
                _ => Err(Stop::at(at, "\\u without four hexadecimal digits")),
            },
            _ => Err(Stop::at(at, "an escape that JSON does not have")),
        }
    }

    /// The text of a number, which comes next.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<&'j [u8]> {
        let rest = &self.json[self.at..];
        let Some(length) = number::length(rest) else {
            return Err(Stop::at(self.at, "a number that JSON does not allow"));
        };
        self.at += length;
        Ok(&rest[..length])
    }

    /// Reads `true`, `false` or `null`, whose first byte comes next.
    #[inline]
    pub(crate) fn word(&mut self, word: &str) -> Result<()> {
        if !self.json[self.at..].starts_with(word.as_bytes()) {
            let what = "expected a JSON value, found a word that is none";
            return Err(Stop::at(self.at, what));
        }
        self.at += word.len();
        Ok(())
    }

    /// Fails unless there is nothing left.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.peek();
        if self.at == self.json.len() {
            return Ok(());
        }
        Err(self.unexpected("the end of the text"))
    }

    /// Reads a value and forgets it; it must be JSON, however deep.
    pub(crate) fn skip(&mut self) -> Result<()> {
        debug_assert_eq!(self.open.count, 0, "a value is skipped whole");
        loop {
            if self.skip_start()? {
                continue;
            }
            // A value has ended, and with it perhaps what holds it.
            loop {
                let Some(is_object) = self.open.last() else {
                    return Ok(());
                };
                let close = if is_object { b'}' } else { b']' };
                if self.next(false, close)? {
                    if is_object {
                        self.name()?;
                    }
                    break;
                }
                self.open.pop();
            }
        }
    }

    /// Reads a scalar or an empty container (false), or what stands before the first value in a container (true).
    fn skip_start(&mut self) -> Result<bool> {
        match self.peek() {
            b'"' => drop(self.string()?),
            b'-' | b'0'..=b'9' => drop(self.number()?),
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            open @ (b'{' | b'[') => {
                self.at += 1;
                let is_object = open == b'{';
                if !self.take(if is_object { b'}' } else { b']' }) {
                    if !self.open.push(is_object) {
                        let what = format!("nested deeper than {MAX_OPEN} levels");
                        return Err(Stop::at(self.at, what));
                    }
                    if is_object {
                        self.name()?;
                    }
                    return Ok(true);
                }
            }
            _ => return Err(self.unexpected("a JSON value")),
        }
        Ok(false)
    }
}

impl Open {
    /// False where there are too many.
    fn push(&mut self, is_object: bool) -> bool {
        if self.count == MAX_OPEN {
            return false;
        }
        let (word, bit) = (self.count / 64, self.count % 64);
        if word == self.words.len() {
            self.words.push(0);
        }
        self.words[word] = self.words[word] & !(1 << bit) | u64::from(is_object) << bit;
        self.count += 1;
        true
    }

    fn last(&self) -> Option<bool> {
        let last = self.count.checked_sub(1)?;
        Some(self.words[last / 64] >> (last % 64) & 1 == 1)
    }

    fn pop(&mut self) {
        self.count -= 1;
    }
}

/// How many bytes stand before the first quote, backslash or control character.
#[inline]
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    let (words, _) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest top bit that is set marks the first zero byte of `x`; ones above it may be wrong.
        let zero = |x: u64| x.wrapping_sub(ONES) & !x & TOPS;
        let quote = zero(word ^ QUOTES);
        let backslash = zero(word ^ BACKSLASHES);
        let control = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        let found = quote | backslash | control;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let start = words.len() * 8;
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let rest = &text[start..];
    start + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// Appends what a string says. It is never longer than `raw`. A lone surrogate becomes 0xff, which is no UTF-8, so
/// that the decoder replaces and counts it like any other text that is none.
pub(crate) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let plain = match rest[at + 1] {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                rest = unescape_unit(&rest[at..], out);
                continue;
            }
            same => same,
        };
        out.push(plain);
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
}

/// Appends the character of the `\uXXXX` or the pair of them at the front of `text`; returns what follows.
fn unescape_unit<'j>(text: &'j [u8], out: &mut Vec<u8>) -> &'j [u8] {
    let first = unit(text).unwrap_or(0);
    let rest = &text[6..];
    let (code, rest) = match (first, unit(rest)) {
        (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (code, &rest[6..])
        }
        _ => (first, rest),
    };
    match char::from_u32(code) {
        Some(character) => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        None => out.push(0xff),
    }
    rest
}

/// The number of the `\uXXXX` at the front of `text`, if there is one.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(digits, 16).ok()
}
