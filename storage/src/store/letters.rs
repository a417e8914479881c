//! Rows of `dead_letters`: every record that was offered and is not a row of its signal.
//!
//! They are derived from the frame of the request, so they are as durable as its rows and come back at replay
//! with the same ids.

use crate::{
    append::{Reason, Rejected},
    error::{Error, Result},
    schema,
    signal::{Encoding, Signal, Table},
    time::Nanos,
};
use arrow::{
    array::{
        ArrayRef, BinaryBuilder, Int32Array, Int32Builder, StringArray, StringBuilder,
        StringDictionaryBuilder, TimestampNanosecondArray,
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

/// The rows of `records`, or `None` where there are none.
pub(super) fn batch(origin: Origin, records: &[Rejected]) -> Result<Option<RecordBatch>> {
    if records.is_empty() {
        return Ok(None);
    }
    let rows = records.len();
    let mut reasons = StringDictionaryBuilder::<Int32Type>::new();
    let mut details = StringBuilder::new();
    let mut bytes = BinaryBuilder::new();
    let mut ordinals = Int32Builder::with_capacity(rows);
    for rejected in records {
        reasons.append_value(rejected.reason.as_str());
        details.append_value(&rejected.detail);
        // Admission refuses rows and has no bytes of the record.
        bytes.append_option(Some(&rejected.record).filter(|record| !record.is_empty()));
        let ordinal = i32::try_from(rejected.ordinal).map_err(|_| {
            Error::Internal(format!(
                "record ordinal {} of one request",
                rejected.ordinal
            ))
        })?;
        ordinals.append_value(ordinal);
    }
    let timestamps = TimestampNanosecondArray::from_value(origin.received.0, rows);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(timestamps.with_timezone("UTC")),
        constant(origin.signal.as_str(), rows)?,
        constant(origin.fate.as_str(), rows)?,
        Arc::new(reasons.finish()),
        Arc::new(details.finish()),
        constant(origin.encoding.as_str(), rows)?,
        Arc::new(bytes.finish()),
        Arc::new(ordinals.finish()),
    ];
    RecordBatch::try_new(schema::batch_schema(Table::DeadLetters), columns)
        .map(Some)
        .map_err(|source| Error::Arrow {
            doing: "making rows of dead_letters",
            source,
        })
}

/// The one dead letter of a frame that cannot be decoded any more: its whole payload.
pub(super) fn undecodable(payload: Bytes, detail: String) -> Rejected {
    Rejected {
        ordinal: 0,
        reason: Reason::Undecodable,
        detail,
        record: payload,
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
mod tests {
    use super::*;
    use arrow::util::pretty::pretty_format_batches;

    #[test]
    fn every_record_becomes_one_row_with_its_reason() {
        let origin = Origin {
            signal: Signal::Spans,
            encoding: Encoding::OtlpJson,
            received: Nanos(1_000_000_000),
            fate: Fate::Rejected,
        };
        let records = [
            Rejected {
                ordinal: 3,
                reason: Reason::TooDeep,
                detail: "65 levels".to_string(),
                record: Bytes::from_static(b"\x01\x02"),
            },
            undecodable(Bytes::from_static(b"\xff"), "gone".to_string()),
        ];
        let batch = batch(origin, &records).unwrap().unwrap();
        let expected = "\
+----------------------+--------+----------+-------------+-----------+-----------+--------+-------------+
| timestamp            | signal | outcome  | reason      | detail    | encoding  | record | row_ordinal |
+----------------------+--------+----------+-------------+-----------+-----------+--------+-------------+
| 1970-01-01T00:00:01Z | spans  | rejected | too_deep    | 65 levels | otlp_json | 0102   | 3           |
| 1970-01-01T00:00:01Z | spans  | rejected | undecodable | gone      | otlp_json | ff     | 0           |
+----------------------+--------+----------+-------------+-----------+-----------+--------+-------------+";
        assert_eq!(
            pretty_format_batches(&[batch]).unwrap().to_string(),
            expected
        );
    }

    #[test]
    fn no_records_make_no_batch() {
        let origin = Origin {
            signal: Signal::Logs,
            encoding: Encoding::OtlpProtobuf,
            received: Nanos(0),
            fate: Fate::Quarantined,
        };
        assert!(batch(origin, &[]).unwrap().is_none());
    }
}
