//! The frame around a gRPC message: one byte that says whether it is compressed, four of length, the message.

use crate::error::{Error, Result};
use bytes::{Buf, Bytes};

/// Bytes before the message.
const HEAD_BYTES: usize = 5;

/// Takes the frame off chunks that may be cut anywhere, and sees to it that there is exactly one.
#[derive(Debug, Default)]
pub(super) struct Framing {
    head: [u8; HEAD_BYTES],
    /// How much of `head` is there.
    head_bytes: usize,
    /// What is still to come of the message.
    remaining: usize,
}

/// A piece of the message, possibly empty.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) compressed: bool,
    pub(super) piece: Bytes,
}

impl Framing {
    /// The part of `chunk` that belongs to the message; `None` while the head is not whole. A message whose
    /// declared length is over `limit_bytes` is refused, compressed or not: what is in it would be no less.
    pub(super) fn push(&mut self, mut chunk: Bytes, limit_bytes: u64) -> Result<Option<Frame>> {
        if self.head_bytes < HEAD_BYTES {
            let take = chunk.len().min(HEAD_BYTES - self.head_bytes);
            chunk.copy_to_slice(&mut self.head[self.head_bytes..self.head_bytes + take]);
            self.head_bytes += take;
            if self.head_bytes < HEAD_BYTES {
                return Ok(None);
            }
            let [_, a, b, c, d] = self.head;
            let length = u32::from_be_bytes([a, b, c, d]);
            if u64::from(length) > limit_bytes {
                return Err(Error::TooLarge {
                    limit_bytes,
                    measured: "as the frame declares",
                });
            }
            self.remaining = length as usize;
        }
        if chunk.len() > self.remaining {
            return Err(framing("bytes follow the message"));
        }
        self.remaining -= chunk.len();
        let compressed = match self.head[0] {
            0 => false,
            1 => true,
            _ => return Err(framing("the compressed flag is neither 0 nor 1")),
        };
        Ok(Some(Frame {
            compressed,
            piece: chunk,
        }))
    }

    /// Fails unless the message is whole.
    pub(super) fn finish(&self) -> Result<()> {
        if self.head_bytes == HEAD_BYTES && self.remaining == 0 {
            return Ok(());
        }
        Err(self.unfinished())
    }

    /// What is missing of a message that is not whole.
    pub(super) fn unfinished(&self) -> Error {
        match self.head_bytes {
            0 => framing("there is none"),
            HEAD_BYTES => framing("the message ends early"),
            _ => framing("the head ends early"),
        }
    }
}

/// A message in its frame, not compressed.
pub(super) fn encode(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("an answer has a few kilobytes at most");
    let mut frame = Vec::with_capacity(HEAD_BYTES + message.len());
    frame.push(0);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

fn framing(detail: &str) -> Error {
    Error::Framing {
        detail: detail.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However a frame is cut into chunks, the same message comes out.
    #[test]
    fn every_cut() {
        let frame = encode(b"message");
        for first in 0..=frame.len() {
            for second in first..=frame.len() {
                let mut framing = Framing::default();
                let mut message = Vec::new();
                for chunk in [&frame[..first], &frame[first..second], &frame[second..]] {
                    let chunk = Bytes::copy_from_slice(chunk);
                    if let Some(frame) = framing.push(chunk, 7).unwrap() {
                        assert!(!frame.compressed);
                        message.extend_from_slice(&frame.piece);
                    }
                }
                framing.finish().unwrap();
                assert_eq!(message, b"message", "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn anything_but_one_message() {
        let check = |bytes: &[u8], expected: &str| {
            let mut framing = Framing::default();
            let pushed = framing.push(Bytes::copy_from_slice(bytes), 7);
            let error = pushed
                .map(|_| ())
                .and_then(|()| framing.finish())
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        };
        let frame = encode(b"message");
        check(&[], "there is none");
        check(&frame[..3], "the head ends early");
        check(&frame[..9], "the message ends early");
        check(&[&frame[..], &frame[..]].concat(), "bytes follow");
        check(&encode(b"messages"), "larger than 7 bytes");
        check(&[2, 0, 0, 0, 0], "neither 0 nor 1");
        check(&[0, 255, 255, 255, 255], "larger than 7 bytes");
    }
}
