//! RFC 5424, section 6: header, structured data, message.

use super::Parts;
use crate::dialect::{
    error::DialectError,
    instant,
    record::{ATTRIBUTE, KEY, Records, TEXT, VALUE},
};

/// The longest name of an element or a parameter (section 6.3.2).
const MAX_NAME_BYTES: usize = 32;

/// The member of an `AnyValue` that is a list, and the values of one.
const LIST: u32 = 5;
const ELEMENT: u32 = 1;

/// What stands in structured data.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece<'a> {
    /// An element begins.
    Element(&'a [u8]),
    /// A parameter, its value with its escapes.
    Parameter(&'a [u8], &'a [u8]),
}

/// Walks over structured data.
#[derive(Debug, Clone)]
struct Pieces<'a> {
    rest: &'a [u8],
    inside: bool,
}

/// The parts of what follows the priority; `None` where it is not of RFC 5424.
pub(super) fn read(text: &[u8]) -> Option<Parts<'_>> {
    let mut rest = text.strip_prefix(b"1 ")?;
    let time = match field(&mut rest)? {
        None => None,
        Some(time) => Some(instant::iso8601(time)?),
    };
    let host = field(&mut rest)?;
    let application = field(&mut rest)?;
    let process = field(&mut rest)?;
    let message_id = field(&mut rest)?;
    let (structured, rest) = match rest.strip_prefix(b"-") {
        Some(rest) => (&[][..], rest),
        None => structured(rest)?,
    };
    let message = match rest {
        [] => rest,
        [b' ', message @ ..] => message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message),
        _ => return None,
    };
    Some(Parts {
        time,
        host,
        application,
        process,
        message_id,
        structured,
        is_5424: true,
        message,
    })
}

/// A field of the header and the blank behind it; `-` is none.
fn field<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let end = memchr::memchr(b' ', rest)?;
    let field = &rest[..end];
    *rest = &rest[end + 1..];
    match field {
        [] => None,
        b"-" => Some(None),
        field => Some(Some(field)),
    }
}

/// The structured data at the front of `text`, and what follows it.
fn structured(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut pieces = Pieces::of(text);
    while pieces.inside || pieces.rest.first() == Some(&b'[') {
        pieces.step()?;
    }
    let length = text.len() - pieces.rest.len();
    (length > 0).then(|| text.split_at(length))
}

/// Writes each parameter as an attribute. Neighbours of one name are a list.
pub(super) fn write_structured(data: &[u8], records: &mut Records<'_>) -> Result<(), DialectError> {
    let mut pieces = Pieces::of(data);
    let mut name = Vec::new();
    let mut element: &[u8] = &[];
    while let Some(piece) = pieces.next_piece() {
        name.clear();
        name.extend_from_slice(b"syslog.");
        match piece {
            Piece::Element(id) => {
                element = id;
                name.extend_from_slice(id);
                if !matches!(pieces.clone().next_piece(), Some(Piece::Parameter(..))) {
                    records.attribute(&name, b"")?;
                }
            }
            Piece::Parameter(parameter, value) => {
                name.extend_from_slice(element);
                name.push(b'.');
                name.extend_from_slice(parameter);
                match pieces.next_if(parameter) {
                    None => records.attribute(&name, &plain(value))?,
                    Some(second) => {
                        list(&name, (parameter, value, second), &mut pieces, records)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Writes a parameter that stands several times behind itself.
fn list<'a>(
    name: &[u8],
    (parameter, first, second): (&'a [u8], &'a [u8], &'a [u8]),
    pieces: &mut Pieces<'a>,
    records: &mut Records<'_>,
) -> Result<(), DialectError> {
    let attribute = records.begin(ATTRIBUTE)?;
    records.output.bytes(KEY, name)?;
    let value = records.begin(VALUE)?;
    let content = records.begin(LIST)?;
    let mut next = Some(first);
    let mut following = Some(second);
    while let Some(text) = next {
        let element = records.begin(ELEMENT)?;
        records.output.bytes(TEXT, &plain(text))?;
        records.output.end(element)?;
        next = following.take().or_else(|| pieces.next_if(parameter));
    }
    records.output.end(content)?;
    records.output.end(value)?;
    Ok(records.output.end(attribute)?)
}

/// What a value says: a backslash before `"`, `\` and `]` is none (section 6.3.3).
fn plain(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        let is_escape = matches!(rest.get(at + 1), Some(b'"' | b'\\' | b']'));
        if is_escape {
            plain.push(rest[at + 1]);
            rest = &rest[at + 2..];
        } else {
            plain.push(b'\\');
            rest = &rest[at + 1..];
        }
    }
    plain.extend_from_slice(rest);
    plain
}

impl<'a> Pieces<'a> {
    fn of(rest: &'a [u8]) -> Pieces<'a> {
        Pieces {
            rest,
            inside: false,
        }
    }

    /// The next piece of data that is well-formed.
    fn next_piece(&mut self) -> Option<Piece<'a>> {
        loop {
            match self.step()? {
                Some(piece) => return Some(piece),
                None if self.rest.is_empty() => return None,
                None => {}
            }
        }
    }

    /// The value of the next piece if that is the parameter `name`.
    fn next_if(&mut self, name: &[u8]) -> Option<&'a [u8]> {
        let mut ahead = self.clone();
        match ahead.step()?? {
            Piece::Parameter(same, value) if same == name => {
                *self = ahead;
                Some(value)
            }
            _ => None,
        }
    }

    /// One step: a piece, or the end of an element. `None` where it is not well-formed.
    fn step(&mut self) -> Option<Option<Piece<'a>>> {
        if !self.inside {
            self.rest = self.rest.strip_prefix(b"[")?;
            self.inside = true;
            return Some(Some(Piece::Element(self.name()?)));
        }
        if let Some(rest) = self.rest.strip_prefix(b"]") {
            self.rest = rest;
            self.inside = false;
            return Some(None);
        }
        self.rest = self.rest.strip_prefix(b" ")?;
        let name = self.name()?;
        self.rest = self.rest.strip_prefix(b"=\"")?;
        let mut end = 0;
        while self.rest.get(end)? != &b'"' {
            // Whatever is escaped, the byte behind the backslash is part of the value.
            end += if self.rest[end] == b'\\' { 2 } else { 1 };
        }
        let value = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(Some(Piece::Parameter(name, value)))
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        let is_name = |byte: &&u8| byte.is_ascii_graphic() && !b"=]\"".contains(byte);
        let length = self.rest.iter().take_while(is_name).count();
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        (1..=MAX_NAME_BYTES).contains(&length).then_some(name)
    }
}
