//! A walk over JSON text that reads only what is asked for and copies nothing.

use crate::limits;

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Boolean,
    Null,
}

/// What stands between two quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) raw: &'a str,
    pub(super) is_escaped: bool,
}

/// A place in JSON text.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Scan<'a> {
        Scan { text, at: 0 }
    }

    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!(
            "malformed JSON at byte {}: {expected} is expected",
            self.at + 1
        ))
    }

    pub(super) fn kind(&mut self) -> Result<Kind, String> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::Text),
            Some(b't' | b'f') => Ok(Kind::Boolean),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            _ => self.wrong("a value"),
        }
    }

    /// Goes into the object or array that begins here.
    pub(super) fn open(&mut self) {
        self.at += 1;
    }

    /// The next key of an object, and past its colon; `None` at its end.
    pub(super) fn key(&mut self) -> Result<Option<Text<'a>>, String> {
        self.comma(b'{')?;
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                Ok(None)
            }
            Some(b'"') => {
                let key = self.text()?;
                if self.peek() != Some(b':') {
                    return self.wrong("a colon");
                }
                self.at += 1;
                Ok(Some(key))
            }
            _ => self.wrong("a key or }"),
        }
    }

    /// Whether an array goes on.
    pub(super) fn item(&mut self) -> Result<bool, String> {
        self.comma(b'[')?;
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                Ok(false)
            }
            Some(_) => Ok(true),
            None => self.wrong("an item or ]"),
        }
    }

    /// Past the comma between two members; before the first there is none.
    fn comma(&mut self, open: u8) -> Result<(), String> {
        let before = self.text.as_bytes()[..self.at]
            .trim_ascii_end()
            .last()
            .copied();
        match self.peek() {
            Some(b',') if before != Some(open) => {
                self.at += 1;
                match self.peek() {
                    Some(b'}' | b']' | b',') => self.wrong("a member after the comma"),
                    _ => Ok(()),
                }
            }
            Some(b'}' | b']') => Ok(()),
            _ if before == Some(open) => Ok(()),
            _ => self.wrong("a comma"),
        }
    }

    /// Reads the text that begins here.
    pub(super) fn text(&mut self) -> Result<Text<'a>, String> {
        let from = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut is_escaped = false;
        let mut at = from;
        while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
            at += found;
            if bytes[at] == b'"' {
                self.at = at + 1;
                let raw = &self.text[from..at];
                return Ok(Text { raw, is_escaped });
            }
            is_escaped = true;
            at += 2;
        }
        self.wrong("the end of a text")
    }

    /// Passes a value and returns its text.
    pub(super) fn skip(&mut self) -> Result<&'a str, String> {
        let kind = self.kind()?;
        let from = self.at;
        match kind {
            Kind::Object | Kind::Array => self.skip_nested()?,
            Kind::Text => drop(self.text()?),
            Kind::Boolean if self.text[from..].starts_with("true") => self.at += 4,
            Kind::Boolean if self.text[from..].starts_with("false") => self.at += 5,
            Kind::Null if self.text[from..].starts_with("null") => self.at += 4,
            Kind::Boolean | Kind::Null => return self.wrong("true, false or null"),
            Kind::Number => {
                let is_part =
                    |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
                let length = self.text[from..]
                    .find(|c| !is_part(c))
                    .unwrap_or(self.text.len() - from);
                self.at += length;
            }
        }
        Ok(&self.text[from..self.at])
    }

    /// Passes an object or array by its brackets.
    fn skip_nested(&mut self) -> Result<(), String> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(b'{') => open.push(b'}'),
                Some(b'[') => open.push(b']'),
                Some(byte @ (b'}' | b']')) => {
                    if open.pop() != Some(byte) {
                        return self.wrong("another bracket");
                    }
                }
                Some(b'"') => {
                    self.text()?;
                    continue;
                }
                Some(_) => {}
                None => return self.wrong("the end of an object or array"),
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(());
            }
            if open.len() > limits::JSON_DEPTH {
                return Err(format!("deeper than {}", limits::JSON_DEPTH));
            }
        }
    }
}

/// Appends a text without its escapes; false if one of them is wrong.
pub(in crate::pipeline) fn unescape(raw: &str, text: &mut String) -> bool {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(kind) = rest.chars().next() else {
            return false;
        };
        rest = &rest[kind.len_utf8()..];
        let character = match kind {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' | '\'' => kind,
            'u' => match unicode(&mut rest) {
                Some(character) => character,
                None => return false,
            },
            _ => return false,
        };
        text.push(character);
    }
    text.push_str(rest);
    true
}

/// Reads the digits after `\u`, and the second half of a pair.
fn unicode(rest: &mut &str) -> Option<char> {
    let mut digits = || -> Option<u32> {
        let found = rest.get(..4)?;
        let value = found
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(found, 16));
        *rest = &rest[4..];
        value?.ok()
    };
    let first = digits()?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix("\\u")?;
    let found = rest.get(..4)?;
    let second = u32::from_str_radix(found, 16)
        .ok()
        .filter(|second| (0xdc00..0xe000).contains(second))?;
    *rest = &rest[4..];
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}
