//! What ingest hands to the store, and what it gets back: a decoded request and its outcome.

use crate::{
    id::TenantId,
    signal::{Encoding, Signal, Table},
    time::Nanos,
};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use std::sync::Arc;

/// Why a record did not become a row. The names are stable: they stand in metrics and in `dead_letters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// The bytes of the record are not a message of its type.
    Malformed = 1,
    /// Values nested deeper than 64 levels.
    TooDeep = 2,
    /// A time that nanoseconds in 64 bits cannot hold.
    TimeOutOfRange = 3,
    /// Older than the tenant takes.
    TooOld = 4,
    /// Further in the future than the tenant takes.
    TooFarAhead = 5,
    /// More attributes than the limit.
    TooManyAttributes = 6,
    /// A key, value or record longer than the limit.
    TooLarge = 7,
    /// A span or metric without what makes it one (for example a metric without a name or data).
    Incomplete = 8,
    /// The tenant's limit on active series.
    TooManySeries = 9,
    /// The frame was acknowledged and can no longer be decoded as it was (a bug or damage).
    Undecodable = 10,
}

impl Reason {
    /// Every reason, in the order of its code.
    pub const ALL: [Reason; 10] = [
        Reason::Malformed,
        Reason::TooDeep,
        Reason::TimeOutOfRange,
        Reason::TooOld,
        Reason::TooFarAhead,
        Reason::TooManyAttributes,
        Reason::TooLarge,
        Reason::Incomplete,
        Reason::TooManySeries,
        Reason::Undecodable,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed",
            Reason::TooDeep => "too_deep",
            Reason::TimeOutOfRange => "time_out_of_range",
            Reason::TooOld => "too_old",
            Reason::TooFarAhead => "too_far_ahead",
            Reason::TooManyAttributes => "too_many_attributes",
            Reason::TooLarge => "too_large",
            Reason::Incomplete => "incomplete",
            Reason::TooManySeries => "too_many_series",
            Reason::Undecodable => "undecodable",
        }
    }

    /// The reason of a code on disk.
    pub fn from_code(code: u8) -> Option<Reason> {
        Reason::ALL.into_iter().find(|r| *r as u8 == code)
    }
}

/// A record that did not become a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Position in the request, counting every record offered.
    pub ordinal: u32,
    pub reason: Reason,
    /// What was found and what the limit is, for the client and for `dead_letters`.
    pub detail: String,
    /// The bytes of the record, a slice of the payload.
    pub record: Bytes,
    /// What the record stood in, shared by neighbours; `None` where that cannot be told.
    pub envelope: Option<Arc<Envelope>>,
}

/// What a record stands in: with it the record makes a request of its own, so that it can be offered again.
///
/// Each part is a protobuf message that lacks the field the next one goes into.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope {
    /// `ResourceLogs` and its like without scopes: the resource and its schema URL.
    pub resource: Bytes,
    /// `ScopeLogs` and its like without records: the scope and its schema URL.
    pub scope: Bytes,
    /// The `Metric` without data points, where the record is a data point.
    pub metric: Option<Bytes>,
}

/// A record of a request, apart: its bytes and what they stand in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    pub bytes: Bytes,
    pub envelope: Option<Arc<Envelope>>,
}

/// The id of a dead letter: that of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    pub epoch: u64,
    pub sequence: u64,
    pub ordinal: u32,
}

/// A dead letter that this request makes a row of, or rows of where the letter was a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    pub letter: LetterId,
    /// What it was a dead letter for.
    pub reason: Reason,
    /// Where it, or the first of its records, stands in this request.
    pub ordinal: u32,
}

/// A request decoded: rows by table, and the records that made none.
///
/// For metrics a record is a data point: `offered`, ordinals and counts are of data points. An exemplar whose ordinal no
/// data point has came alone and is a record, too.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// Batches with the schema of `schema::batch_schema(table)`; tables without rows are left out.
    pub tables: Vec<(Table, RecordBatch)>,
    pub rejected: Vec<Rejected>,
    /// The dead letters that are offered again with this request; they are marked as replayed in the same step in
    /// which its rows become visible.
    pub replayed: Vec<Replayed>,
    /// Records in the request.
    pub offered: u64,
    /// At least one record has no time of its own, so that a byte-identical request may be another event.
    pub untimed: bool,
    /// Text fields whose invalid UTF-8 was replaced by U+FFFD.
    pub replaced_text: u64,
    /// Keys that stood more than once in one map; the last value was kept.
    pub duplicate_keys: u64,
    /// Ids of wrong length or all zero that were left out of log records and exemplars.
    pub invalid_ids: u64,
}

/// A record that admission refused: its ordinal, why, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub ordinal: u32,
    pub reason: Reason,
    pub detail: String,
}

/// One request on its way into the store.
///
/// `decoded` holds the rows that remain after admission and every rejected record, those that
/// admission refused included; `refusals` names the latter again, because replay decodes anew but never
/// admits anew.
#[derive(Debug, Clone)]
pub struct Append {
    pub tenant: TenantId,
    pub signal: Signal,
    pub encoding: Encoding,
    /// The version of the decoder that made `decoded`.
    pub decoder_version: u16,
    pub received: Nanos,
    /// The request as received, after decompression.
    pub payload: Bytes,
    pub decoded: Decoded,
    pub refusals: Vec<Refusal>,
}

/// The answer that the first of byte-identical requests got, and every later one gets.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    pub rejected: u64,
    /// Empty when nothing was rejected and nothing is to be warned of.
    pub message: String,
}

/// Longest detail of a refused record that is repeated in an answer, in bytes.
const MAX_DETAIL_BYTES: usize = 200;

impl Answer {
    /// The answer to a request that was decoded to `decoded`: how many records were refused, why, and the
    /// first of each reason; then what was changed in those that were kept.
    ///
    /// At most one line of about 300 bytes a reason, so that it stays far below the 4 MiB that an OTLP
    /// response may have, however many records were refused.
    pub fn of(decoded: &Decoded) -> Answer {
        let rejected = decoded.rejected.len() as u64;
        let mut message = String::new();
        if rejected > 0 {
            message = format!("{rejected} of {} records were refused:", decoded.offered);
        }
        for reason in Reason::ALL {
            let mut of_reason = decoded.rejected.iter().filter(|r| r.reason == reason);
            if let Some(first) = of_reason.next() {
                let count = 1 + of_reason.count();
                let separator = if message.ends_with(':') { "" } else { ";" };
                message += &format!(
                    "{separator} {count} {}, first record {}: {}",
                    reason.as_str(),
                    first.ordinal,
                    cut(&first.detail)
                );
            }
        }
        let warnings = [
            (
                decoded.replaced_text,
                "texts that are not UTF-8 were kept with U+FFFD in place",
            ),
            (
                decoded.duplicate_keys,
                "keys stood twice in one map and the last value was kept",
            ),
            (
                decoded.invalid_ids,
                "ids of wrong length or all zero were left out",
            ),
        ];
        for (count, what) in warnings.into_iter().filter(|(count, _)| *count > 0) {
            let separator = if message.is_empty() { "" } else { "; " };
            message += &format!("{separator}{count} {what}");
        }
        Answer { rejected, message }
    }
}

/// The start of `detail`, cut where a character ends.
fn cut(detail: &str) -> &str {
    &detail[..detail.floor_char_boundary(MAX_DETAIL_BYTES)]
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A byte-identical request was acknowledged before: nothing was stored now.
    pub deduplicated: bool,
    pub answer: Answer,
    /// The commit sequence: a query that asks for it sees this request.
    pub sequence: u64,
}

/// Decodes a payload again at replay, as the frame says it was decoded.
///
/// The store gets it passed in, so that storage knows no wire format. `version` is the decoder's version
/// in the frame. Errors say what cannot be decoded; the frame's records are then quarantined.
pub trait Decode: Send + Sync {
    /// Decodes `payload`, received at `received`.
    fn decode(
        &self,
        signal: Signal,
        encoding: Encoding,
        version: u16,
        payload: &Bytes,
        received: Nanos,
    ) -> std::result::Result<Decoded, String>;

    /// The records with these ordinals, in the order asked for; for the dead letters of records that admission
    /// refused. May return fewer where they cannot be told.
    fn records(
        &self,
        signal: Signal,
        encoding: Encoding,
        payload: &Bytes,
        ordinals: &[u32],
    ) -> Vec<Record> {
        let _ = (signal, encoding, payload, ordinals);
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
