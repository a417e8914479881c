//! The records of a request that made no row, and how many were offered.

use super::fault::Fault;
use bytes::Bytes;
use cairn_storage::append::{Reason, Rejected};

/// Counts records and keeps those that are rejected.
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
    #[inline]
    pub(super) fn offer(&mut self) -> u32 {
        let ordinal = self.offered;
        self.offered += 1;
        ordinal
    }

    /// Records offered so far.
    pub(super) fn offered(&self) -> usize {
        self.offered as usize
    }

    /// Rejects a record that was offered as `ordinal`. `of` says what it is, where that is worth a text.
    pub(super) fn reject(&mut self, ordinal: u32, record: &[u8], fault: Fault, of: Option<String>) {
        let detail = match of {
            Some(of) => format!("{of}: {}", fault.what()),
            None => fault.what().to_string(),
        };
        self.push(ordinal, record, (fault.reason(), detail));
    }

    /// Rejects a record for a reason that was found before.
    pub(super) fn push(&mut self, ordinal: u32, record: &[u8], why: (Reason, String)) {
        let record = match record {
            [] => Bytes::new(),
            _ => self.payload.slice_ref(record),
        };
        self.rejected.push(Rejected {
            ordinal,
            reason: why.0,
            detail: why.1,
            record,
            envelope: None,
        });
    }

    /// Records offered, and those rejected.
    pub(super) fn finish(self) -> (u64, Vec<Rejected>) {
        (u64::from(self.offered), self.rejected)
    }
}
