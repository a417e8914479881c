//! Dead letters that are offered again, as a frame of the log holds them: which they are, then the request.
//!
//! The format is in `docs/formats/wal.md`. That a letter became a row, and the row itself, stand in one frame: either
//! both are durable or neither, so a letter never becomes two rows.

use super::error::DecodeError;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use cairn_storage::{
    append::{LetterId, Reason, Replayed},
    time::Nanos,
};

/// The version of the format.
const VERSION: u8 = 1;

/// Bytes of one letter: epoch, sequence, ordinal, reason, place in the request.
const LETTER_BYTES: usize = 8 + 8 + 4 + 1 + 4;

/// Dead letters and the request that they make together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    /// When the records were received first: the time of those that have none of their own.
    pub(crate) received: Nanos,
    pub(crate) letters: Vec<Replayed>,
    /// In OTLP protobuf.
    pub(crate) request: Bytes,
}

impl Offer {
    /// The payload of the frame.
    pub(crate) fn write(&self) -> Bytes {
        let length = 13 + self.letters.len() * LETTER_BYTES + self.request.len();
        let mut payload = BytesMut::with_capacity(length);
        payload.put_u8(VERSION);
        payload.put_i64_le(self.received.0);
        payload.put_u32_le(self.letters.len() as u32);
        for Replayed {
            letter,
            reason,
            ordinal,
        } in &self.letters
        {
            payload.put_u64_le(letter.epoch);
            payload.put_u64_le(letter.sequence);
            payload.put_u32_le(letter.ordinal);
            payload.put_u8(*reason as u8);
            payload.put_u32_le(*ordinal);
        }
        payload.extend_from_slice(&self.request);
        payload.freeze()
    }

    /// What `payload` holds; the request is a slice of it.
    pub(crate) fn read(payload: &Bytes) -> Result<Offer, DecodeError> {
        let mut rest = payload.clone();
        let broken = |what| DecodeError::Malformed { offset: 0, what };
        if rest.remaining() < 13 {
            return Err(broken("the list of dead letters is cut off"));
        }
        if rest.get_u8() != VERSION {
            return Err(broken("the list of dead letters is of another version"));
        }
        let received = Nanos(rest.get_i64_le());
        let count = rest.get_u32_le() as usize;
        if rest.remaining() / LETTER_BYTES < count {
            return Err(broken("the list of dead letters is cut off"));
        }
        let mut letters = Vec::with_capacity(count);
        for _ in 0..count {
            let letter = LetterId {
                epoch: rest.get_u64_le(),
                sequence: rest.get_u64_le(),
                ordinal: rest.get_u32_le(),
            };
            let reason = Reason::from_code(rest.get_u8())
                .ok_or_else(|| broken("the reason of a dead letter is not known"))?;
            let ordinal = rest.get_u32_le();
            letters.push(Replayed {
                letter,
                reason,
                ordinal,
            });
        }
        Ok(Offer {
            received,
            letters,
            request: rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_not() {
        let offer = Offer {
            received: Nanos(-5),
            letters: vec![Replayed {
                letter: LetterId {
                    epoch: 1 << 40,
                    sequence: 2,
                    ordinal: 3,
                },
                reason: Reason::TooOld,
                ordinal: 4,
            }],
            request: Bytes::from_static(b"\x0a\x00"),
        };
        let payload = offer.write();
        assert_eq!(Offer::read(&payload), Ok(offer));
        for length in 0..13 + LETTER_BYTES {
            assert!(Offer::read(&payload.slice(..length)).is_err(), "{length}");
        }
        let mut other = payload.to_vec();
        other[0] = 2;
        assert!(Offer::read(&Bytes::from(other)).is_err());
    }
}
