//! Bytes of a connection -> messages: counted octets and lines, told apart message by message.
//!
//! Source: RFC 6587, 3.4.1 and 3.4.2. A message is counted where digits, a blank and the priority's bracket begin it.

use crate::dialect::syslog::Cut;
use std::ops::Range;

/// The most digits of a count.
const MAX_DIGITS: usize = 10;

/// Cuts what comes in into messages of at most so many bytes.
#[derive(Debug)]
pub(super) struct Framing {
    limit_bytes: usize,
    buffer: Vec<u8>,
    /// What of the buffer is done with.
    at: usize,
    rest_of_last: Rest,
}

/// What is still to come of a message that was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Bytes(usize),
    Line,
}

/// How the next message begins.
enum Head {
    Counted {
        head_bytes: usize,
        bytes: usize,
    },
    Line,
    /// Too little of it is here.
    Unknown,
}

/// A message in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) place: Range<usize>,
    pub(super) cut: Option<Cut>,
}

impl Framing {
    pub(super) fn new(limit_bytes: usize) -> Framing {
        Framing {
            limit_bytes,
            buffer: Vec::new(),
            at: 0,
            rest_of_last: Rest::Nothing,
        }
    }

    /// Takes the next bytes of the connection; all messages up to now must have been taken out.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// What the buffer takes.
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The text of a frame, until more is fed.
    pub(super) fn text(&self, frame: &Frame) -> &[u8] {
        &self.buffer[frame.place.clone()]
    }

    /// The next message that is here whole, or as far as it is kept.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if !self.skip() {
            return None;
        }
        let rest = &self.buffer[self.at..];
        match head(rest)? {
            Head::Unknown => None,
            Head::Counted { head_bytes, bytes } => {
                let kept = bytes.min(self.limit_bytes);
                if rest.len() < head_bytes + kept {
                    return None;
                }
                let start = self.at + head_bytes;
                self.at = start + kept;
                if bytes == kept {
                    return Some(self.whole(start..start + kept));
                }
                self.rest_of_last = Rest::Bytes(bytes - kept);
                Some(self.too_long(start..start + kept))
            }
            Head::Line => {
                let window = &rest[..rest.len().min(self.limit_bytes + 1)];
                let start = self.at;
                match memchr::memchr2(b'\n', 0, window) {
                    Some(length) => {
                        self.at += length + 1;
                        Some(self.whole(start..start + length))
                    }
                    None if window.len() > self.limit_bytes => {
                        self.at += self.limit_bytes;
                        self.rest_of_last = Rest::Line;
                        Some(self.too_long(start..self.at))
                    }
                    None => None,
                }
            }
        }
    }

    /// What is left when the connection has ended: a line without its end, or a part of a counted message.
    pub(super) fn last(&mut self) -> Option<Frame> {
        if !self.skip() {
            return None;
        }
        let (start, end) = (self.at, self.buffer.len());
        let head = head(&self.buffer[start..])?;
        self.at = end;
        match head {
            Head::Counted { head_bytes, .. } => Some(Frame {
                place: (start + head_bytes).min(end)..end,
                cut: Some(Cut::BrokenOff),
            }),
            _ => Some(self.whole(start..end)),
        }
    }

    /// Passes over the rest of a message that was too long and what stands between messages; false while there is more
    /// of the former to come.
    fn skip(&mut self) -> bool {
        let rest = &self.buffer[self.at..];
        let (skipped, left) = match self.rest_of_last {
            Rest::Nothing => (0, Rest::Nothing),
            Rest::Bytes(bytes) if bytes > rest.len() => {
                (rest.len(), Rest::Bytes(bytes - rest.len()))
            }
            Rest::Bytes(bytes) => (bytes, Rest::Nothing),
            Rest::Line => match memchr::memchr2(b'\n', 0, rest) {
                Some(at) => (at + 1, Rest::Nothing),
                None => (rest.len(), Rest::Line),
            },
        };
        self.at += skipped;
        self.rest_of_last = left;
        let between = |byte: &&u8| matches!(byte, b'\n' | b'\r' | 0);
        if left == Rest::Nothing {
            self.at += self.buffer[self.at..].iter().take_while(between).count();
        }
        left == Rest::Nothing
    }

    fn whole(&self, place: Range<usize>) -> Frame {
        let text = &self.buffer[place.clone()];
        let end = |byte: &&u8| matches!(byte, b'\n' | b'\r' | 0);
        let trailing = text.iter().rev().take_while(end).count();
        Frame {
            place: place.start..place.end - trailing,
            cut: None,
        }
    }

    fn too_long(&self, place: Range<usize>) -> Frame {
        Frame {
            place,
            cut: Some(Cut::TooLong {
                limit_bytes: self.limit_bytes,
            }),
        }
    }
}

/// How the message at the front of `text` begins; nothing where there is none.
fn head(text: &[u8]) -> Option<Head> {
    let first = text.first()?;
    if !(b'1'..=b'9').contains(first) {
        return Some(Head::Line);
    }
    let digits = text
        .iter()
        .take(MAX_DIGITS + 1)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits > MAX_DIGITS {
        return Some(Head::Line);
    }
    Some(match (text.get(digits), text.get(digits + 1)) {
        (Some(b' '), Some(b'<')) => {
            let count = text[..digits].iter().fold(0, |count: usize, digit| {
                count
                    .saturating_mul(10)
                    .saturating_add(usize::from(digit - b'0'))
            });
            Head::Counted {
                head_bytes: digits + 1,
                bytes: count,
            }
        }
        (None, _) | (Some(b' '), None) => Head::Unknown,
        _ => Head::Line,
    })
}

#[cfg(test)]
mod tests;
