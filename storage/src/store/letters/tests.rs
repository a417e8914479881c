//! Tests of the rows of `dead_letters`.

use super::*;
use crate::append::LetterId;
use arrow::util::pretty::pretty_format_batches;

/// A row of each kind: a rejected record, an undecodable request, a mark.
fn three() -> RecordBatch {
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
            envelope: Some(Arc::new(Envelope {
                resource: Bytes::new(),
                scope: Bytes::from_static(b"\x0a\x00"),
                metric: None,
            })),
        },
        undecodable(Bytes::from_static(b"\xff"), "gone".to_string()),
    ];
    let mark = Replayed {
        letter: LetterId {
            epoch: 7,
            sequence: 8,
            ordinal: 9,
        },
        reason: Reason::TooOld,
        ordinal: 1,
    };
    batch(origin, &records, &[mark]).unwrap().unwrap()
}

/// Columns of these rows as a picture.
fn shown(columns: &[&str]) -> String {
    let batch = three();
    let position = |name: &&str| batch.schema().index_of(name).unwrap();
    let positions: Vec<usize> = columns.iter().map(position).collect();
    let part = batch.project(&positions).unwrap();
    pretty_format_batches(&[part]).unwrap().to_string()
}

#[test]
fn every_record_becomes_one_row_with_its_reason() {
    let expected = "\
+--------+----------+-------------+-----------+--------+-------------+
| signal | outcome  | reason      | encoding  | record | row_ordinal |
+--------+----------+-------------+-----------+--------+-------------+
| spans  | rejected | too_deep    | otlp_json | 0102   | 3           |
| spans  | rejected | undecodable | otlp_json | ff     | 0           |
| spans  | replayed | too_old     | otlp_json |        | 1           |
+--------+----------+-------------+-----------+--------+-------------+";
    let columns = [
        "signal",
        "outcome",
        "reason",
        "encoding",
        "record",
        "row_ordinal",
    ];
    assert_eq!(shown(&columns), expected);
    let expected = "\
+-----------------+--------------+---------------+--------------+-----------------+----------------+------------+
| record_resource | record_scope | record_metric | letter_epoch | letter_sequence | letter_ordinal | size_bytes |
+-----------------+--------------+---------------+--------------+-----------------+----------------+------------+
|                 | 0a00         |               |              |                 |                | 4          |
|                 |              |               |              |                 |                | 1          |
|                 |              |               | 7            | 8               | 9              |            |
+-----------------+--------------+---------------+--------------+-----------------+----------------+------------+";
    let columns = [
        "record_resource",
        "record_scope",
        "record_metric",
        "letter_epoch",
        "letter_sequence",
        "letter_ordinal",
        "size_bytes",
    ];
    assert_eq!(shown(&columns), expected);
    let expected = "\
+----------------------+---------------------------------------+
| timestamp            | detail                                |
+----------------------+---------------------------------------+
| 1970-01-01T00:00:01Z | 65 levels                             |
| 1970-01-01T00:00:01Z | gone                                  |
| 1970-01-01T00:00:01Z | it was offered again and is a row now |
+----------------------+---------------------------------------+";
    let columns = ["timestamp", "detail"];
    assert_eq!(shown(&columns), expected);
}

#[test]
fn what_records_stood_in_is_kept_up_to_a_limit() {
    let origin = Origin {
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        received: Nanos(0),
        fate: Fate::Rejected,
    };
    let resource = Bytes::from(vec![0; MAX_ENVELOPE_BYTES / 2]);
    let rejected = |ordinal| Rejected {
        ordinal,
        reason: Reason::TooOld,
        detail: String::new(),
        record: Bytes::from_static(b"\x01"),
        envelope: Some(Arc::new(Envelope {
            resource: resource.clone(),
            ..Envelope::default()
        })),
    };
    let batch = batch(origin, &[0, 1, 2].map(rejected), &[])
        .unwrap()
        .unwrap();
    let nulls = |name: &str| batch.column_by_name(name).unwrap().null_count();
    assert_eq!((nulls("record"), nulls("record_resource")), (0, 1));
    assert_eq!(nulls("record_scope"), 1);
}

#[test]
fn no_records_make_no_batch() {
    let origin = Origin {
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        received: Nanos(0),
        fate: Fate::Quarantined,
    };
    assert!(batch(origin, &[], &[]).unwrap().is_none());
}
