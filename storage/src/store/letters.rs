//! Rows of `dead_letters`: every record that was offered and is not a row of its signal, and marks of those that became
//! one since.
//!
//! They are derived from the frame of the request, so they are as durable as its rows and come back at replay
//! with the same ids.

use crate::{
    append::{Envelope, Reason, Rejected, Replayed},
    error::{Error, Result},
    schema,
    signal::{Encoding, Signal, Table},
    time::Nanos,
};
use arrow::{
    array::{
        ArrayRef, BinaryBuilder, Int32Array, Int32Builder, Int64Builder, StringArray,
        StringBuilder, StringDictionaryBuilder, TimestampNanosecondArray,
    },
    datatypes::Int32Type,
    record_batch::RecordBatch,
};
use bytes::Bytes;
use std::sync::Arc;

/// Why the records of one request are dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The client was told.
    Rejected,
    /// The client was told OK.
    Quarantined,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Fate::Rejected => "rejected",
            Fate::Quarantined => "quarantined",
        }
    }
}

/// What all dead letters of one request share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) received: Nanos,
    pub(super) fate: Fate,
}

/// Bytes of what records stood in that one request may add to `dead_letters`: a resource of a mebibyte around each of
/// a million broken records would be a tebibyte.
const MAX_ENVELOPE_BYTES: usize = 16 << 20;

/// The rows of `records`, and a mark for each of `replayed`; `None` where there is nothing.
pub(super) fn batch(
    origin: Origin,
    records: &[Rejected],
    replayed: &[Replayed],
) -> Result<Option<RecordBatch>> {
    let rows = records.len() + replayed.len();
    if rows == 0 {
        return Ok(None);
    }
    let mut letters = Letters::default();
    for rejected in records {
        letters.push(origin.fate, rejected)?;
    }
    for mark in replayed {
        letters.push_mark(mark)?;
    }
    let timestamps = TimestampNanosecondArray::from_value(origin.received.0, rows);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(timestamps.with_timezone("UTC")),
        constant(origin.signal.as_str(), rows)?,
    ];
    columns.extend(letters.finish(constant(origin.encoding.as_str(), rows)?));
    RecordBatch::try_new(schema::batch_schema(Table::DeadLetters), columns)
        .map(Some)
        .map_err(|source| Error::Arrow {
            doing: "making rows of dead_letters",
            source,
        })
}

/// The columns of `dead_letters` that are not the same for a whole request.
#[derive(Default)]
struct Letters {
    outcomes: StringDictionaryBuilder<Int32Type>,
    reasons: StringDictionaryBuilder<Int32Type>,
    details: StringBuilder,
    records: BinaryBuilder,
    /// Resource, scope, metric.
    envelopes: [BinaryBuilder; 3],
    envelope_bytes: usize,
    epochs: Int64Builder,
    sequences: Int64Builder,
    letter_ordinals: Int32Builder,
    sizes: Int64Builder,
    ordinals: Int32Builder,
}

impl Letters {
    fn push(&mut self, fate: Fate, rejected: &Rejected) -> Result<()> {
        self.outcomes.append_value(fate.as_str());
        self.reasons.append_value(rejected.reason.as_str());
        self.details.append_value(&rejected.detail);
        // What cannot be told apart has no bytes.
        let record = Some(&rejected.record).filter(|record| !record.is_empty());
        self.records.append_option(record);
        let envelope_bytes = self.push_envelope(rejected.envelope.as_deref());
        let bytes = rejected.record.len() + envelope_bytes;
        self.sizes.append_value(bytes as i64);
        self.epochs.append_null();
        self.sequences.append_null();
        self.letter_ordinals.append_null();
        self.ordinals.append_value(ordinal(rejected.ordinal)?);
        Ok(())
    }

    fn push_mark(&mut self, mark: &Replayed) -> Result<()> {
        self.outcomes.append_value("replayed");
        self.reasons.append_value(mark.reason.as_str());
        self.details
            .append_value("it was offered again and is a row now");
        self.records.append_null();
        self.push_envelope(None);
        self.sizes.append_null();
        self.epochs.append_value(mark.letter.epoch as i64);
        self.sequences.append_value(mark.letter.sequence as i64);
        self.letter_ordinals
            .append_value(ordinal(mark.letter.ordinal)?);
        self.ordinals.append_value(ordinal(mark.ordinal)?);
        Ok(())
    }

    /// Keeps what a record stood in, as far as there is room; returns the bytes that were kept.
    fn push_envelope(&mut self, envelope: Option<&Envelope>) -> usize {
        let bytes = envelope.map_or(0, |envelope| {
            let metric = envelope.metric.as_ref().map_or(0, Bytes::len);
            envelope.resource.len() + envelope.scope.len() + metric
        });
        let kept = envelope.filter(|_| self.envelope_bytes + bytes <= MAX_ENVELOPE_BYTES);
        if kept.is_some() {
            self.envelope_bytes += bytes;
        }
        let parts = [
            kept.map(|envelope| &envelope.resource),
            kept.map(|envelope| &envelope.scope),
            kept.and_then(|envelope| envelope.metric.as_ref()),
        ];
        for (column, part) in self.envelopes.iter_mut().zip(parts) {
            column.append_option(part);
        }
        kept.map_or(0, |_| bytes)
    }

    /// The columns from `outcome` on; `encoding` is one of them.
    fn finish(mut self, encoding: ArrayRef) -> Vec<ArrayRef> {
        let [mut resources, mut scopes, mut metrics] = self.envelopes;
        vec![
            Arc::new(self.outcomes.finish()),
            Arc::new(self.reasons.finish()),
            Arc::new(self.details.finish()),
            encoding,
            Arc::new(self.records.finish()),
            Arc::new(resources.finish()),
            Arc::new(scopes.finish()),
            Arc::new(metrics.finish()),
            Arc::new(self.epochs.finish()),
            Arc::new(self.sequences.finish()),
            Arc::new(self.letter_ordinals.finish()),
            Arc::new(self.sizes.finish()),
            Arc::new(self.ordinals.finish()),
        ]
    }
}

fn ordinal(ordinal: u32) -> Result<i32> {
    i32::try_from(ordinal)
        .map_err(|_| Error::Internal(format!("record ordinal {ordinal} of one request")))
}

/// The one dead letter of a frame that cannot be decoded any more: its whole payload.
pub(super) fn undecodable(payload: Bytes, detail: String) -> Rejected {
    Rejected {
        ordinal: 0,
        reason: Reason::Undecodable,
        detail,
        record: payload,
        envelope: None,
    }
}

fn constant(text: &str, rows: usize) -> Result<ArrayRef> {
    let keys = Int32Array::from_value(0, rows);
    let values = Arc::new(StringArray::from(vec![text]));
    arrow::array::DictionaryArray::try_new(keys, values)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|source| Error::Arrow {
            doing: "making rows of dead_letters",
            source,
        })
}

#[cfg(test)]
mod tests;
