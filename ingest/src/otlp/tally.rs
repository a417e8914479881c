//! What a request adds up to besides its rows: records offered and rejected, text repaired, keys dropped.

use super::{error::DecodeError, wire::Flaw};
use bytes::Bytes;
use cairn_storage::append::{Reason, Rejected};
use std::borrow::Cow;

/// The most rows of one kind that a request may make: no sender's records are as short as 32 bytes in 64 MiB, and
/// a table of so many rows still takes less than 300 MB.
pub(crate) const MAX_ROWS: usize = 1 << 21;

/// Fails when a request makes too many rows of a kind.
#[inline]
pub(crate) fn limit_rows(of: &'static str, rows: usize) -> Result<(), DecodeError> {
    if rows > MAX_ROWS {
        return Err(DecodeError::TooManyRows {
            of,
            limit: MAX_ROWS,
        });
    }
    Ok(())
}

/// Counts that a rejected record takes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) replaced_text: u64,
    pub(super) duplicate_keys: u64,
    pub(super) invalid_ids: u64,
    pub(super) untimed: bool,
}

/// How text is read: unchecked, since the whole column is checked at the end, or repaired value by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    Unchecked,
    Repair,
}

impl Care {
    /// The text of a field, repaired if that is asked for.
    #[inline(always)]
    pub(super) fn text<'a>(self, text: &'a [u8], counts: &mut Counts) -> Cow<'a, [u8]> {
        match self {
            Care::Unchecked => Cow::Borrowed(text),
            Care::Repair => repaired(text, counts),
        }
    }
}

/// The text with U+FFFD in place of what is not UTF-8.
#[cold]
fn repaired<'a>(text: &'a [u8], counts: &mut Counts) -> Cow<'a, [u8]> {
    match simdutf8::basic::from_utf8(text) {
        Ok(_) => Cow::Borrowed(text),
        Err(_) => {
            counts.replaced_text += 1;
            Cow::Owned(String::from_utf8_lossy(text).into_owned().into_bytes())
        }
    }
}

/// The records of a request that made no row, and how many were offered.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    payload: &'a Bytes,
    offered: u32,
    rejected: Vec<Rejected>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(payload: &'a Bytes) -> Self {
        Ledger {
            payload,
            offered: 0,
            rejected: Vec::new(),
        }
    }

    /// The ordinal of the next record offered.
    #[inline(always)]
    pub(super) fn offer(&mut self) -> u32 {
        let ordinal = self.offered;
        self.offered += 1;
        ordinal
    }

    /// Records offered so far.
    pub(super) fn offered(&self) -> usize {
        self.offered as usize
    }

    /// Rejects a record that was offered as `ordinal`; `what` names its type.
    pub(super) fn reject(&mut self, ordinal: u32, record: &[u8], what: &str, flaw: Flaw) {
        let detail = match flaw.reason() {
            Reason::Malformed => {
                let at = offset(self.payload, record);
                format!("{what} at byte {at} of the request: {}", flaw.what())
            }
            _ => format!("{what}: {}", flaw.what()),
        };
        self.push(ordinal, record, flaw.reason(), detail);
    }

    /// Rejects a record that lacks what makes it one.
    pub(super) fn reject_incomplete(&mut self, ordinal: u32, record: &[u8], detail: &str) {
        self.push(ordinal, record, Reason::Incomplete, detail.to_string());
    }

    fn push(&mut self, ordinal: u32, record: &[u8], reason: Reason, detail: String) {
        let record = match record {
            [] => Bytes::new(),
            _ => self.payload.slice_ref(record),
        };
        self.rejected.push(Rejected {
            ordinal,
            reason,
            detail,
            record,
            // Added at the end, when it is known that there are rejected records at all.
            envelope: None,
        });
    }

    /// Records offered, and those rejected.
    pub(super) fn finish(self) -> (u64, Vec<Rejected>) {
        (u64::from(self.offered), self.rejected)
    }
}

/// Where `part` begins in `payload`.
pub(super) fn offset(payload: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(payload.as_ptr() as usize)
}
