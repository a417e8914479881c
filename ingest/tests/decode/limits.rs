//! What prost cannot tell us: depth, isolation in large requests, lengths that lie, text that is not UTF-8.

use crate::{
    compare::{Tally, check, decoded},
    tree::{self, Field, Wire},
};
use arrow::array::AsArray;
use bytes::Bytes;
use cairn_ingest::otlp::{DECODER_VERSION, DecodeError, decode};
use cairn_storage::{
    append::Reason,
    signal::{Encoding, Signal, Table},
    time::Nanos,
};

fn message(number: u32, content: &[u8]) -> Vec<u8> {
    tree::encode(&[Field::new(number, Wire::Bytes(content.to_vec()))])
}

/// A logs request of these records.
fn logs(records: &[Vec<u8>]) -> Bytes {
    let records: Vec<u8> = records
        .iter()
        .flat_map(|record| message(2, record))
        .collect();
    Bytes::from(message(1, &message(2, &records)))
}

/// An `AnyValue`: text in `depth` arrays or maps, one in the other.
fn nested(depth: usize, map: bool) -> Vec<u8> {
    let mut value = message(1, b"x");
    for _ in 0..depth {
        value = match map {
            true => message(
                6,
                &message(1, &[message(1, b"k"), message(2, &value)].concat()),
            ),
            false => message(5, &message(1, &value)),
        };
    }
    value
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [message(1, key.as_bytes()), message(2, value)].concat()
}

fn timed(mut record: Vec<u8>) -> Vec<u8> {
    record.extend(tree::encode(&[Field::new(
        1,
        Wire::Fixed64(1_700_000_000_000_000_000),
    )]));
    record
}

#[test]
fn check_44_depth_64_is_stored_and_65_rejects_the_record_alone() {
    for map in [false, true] {
        for (depth, stored) in [
            (1, true),
            (63, true),
            (64, true),
            (65, false),
            (66, false),
            (5_000, false),
        ] {
            let value = nested(depth, map);
            for record in [
                timed(message(5, &value)),
                timed(message(6, &attribute("a", &value))),
            ] {
                let decoded = decoded(Signal::Logs, &logs(&[timed(vec![]), record, timed(vec![])]))
                    .expect("framed");
                assert_eq!(decoded.offered, 3);
                assert_eq!(
                    decoded.tables[0].1.num_rows(),
                    if stored { 3 } else { 2 },
                    "depth {depth}"
                );
                let rejected: Vec<_> = decoded
                    .rejected
                    .iter()
                    .map(|r| (r.ordinal, r.reason))
                    .collect();
                assert_eq!(
                    rejected,
                    if stored {
                        vec![]
                    } else {
                        vec![(1, Reason::TooDeep)]
                    }
                );
            }
        }
    }
}

#[test]
fn depth_64_is_written_in_full() {
    let decoded = decoded(Signal::Logs, &logs(&[message(5, &nested(64, false))])).expect("framed");
    let body = decoded.tables[0]
        .1
        .column_by_name("body")
        .expect("column")
        .as_string::<i32>();
    assert_eq!(body.value(0), "[".repeat(64) + "\"x\"" + &"]".repeat(64));
    let attributes = decoded_attributes(&message(6, &attribute("a", &nested(64, true))));
    assert_eq!(
        attributes,
        "{\"a\":".to_string() + &"{\"k\":".repeat(64) + "\"x\"" + &"}".repeat(65)
    );
    assert!(cairn_storage::attributes::decode::is_canonical(&attributes));
}

fn decoded_attributes(record: &[u8]) -> String {
    let decoded = decoded(Signal::Logs, &logs(&[record.to_vec()])).expect("framed");
    let batch = &decoded.tables[0].1;
    batch
        .column_by_name("attributes")
        .expect("column")
        .as_string::<i32>()
        .value(0)
        .to_string()
}

#[test]
fn a_resource_too_deep_rejects_its_records_and_no_others() {
    let deep = message(1, &message(1, &attribute("a", &nested(65, true))));
    let records = [message(2, &timed(vec![])), message(2, &timed(vec![]))].concat();
    let group = message(1, &[deep, message(2, &records)].concat());
    let payload = Bytes::from([group, logs(&[timed(vec![])]).to_vec()].concat());
    let decoded = decoded(Signal::Logs, &payload).expect("framed");
    assert_eq!((decoded.offered, decoded.tables[0].1.num_rows()), (3, 1));
    let rejected: Vec<_> = decoded
        .rejected
        .iter()
        .map(|r| (r.ordinal, r.reason))
        .collect();
    assert_eq!(rejected, [(0, Reason::TooDeep), (1, Reason::TooDeep)]);
    let ordinal = decoded.tables[0]
        .1
        .column_by_name("row_ordinal")
        .expect("column");
    assert_eq!(
        ordinal
            .as_primitive::<arrow::datatypes::Int32Type>()
            .value(0),
        2
    );
}

#[test]
fn check_14_one_bad_record_in_10000_loses_one_record() {
    let good = timed(message(6, &attribute("k", &message(1, b"value"))));
    for bad in [
        vec![0xff],
        vec![0x0a],
        message(6, &[0x0a, 0x7f]),
        message(5, &[0x0a, 0x05, b'x']),
        timed(vec![0x0c]),
    ] {
        for at in [0, 4_321, 9_999] {
            let mut records = vec![good.clone(); 10_000];
            records[at] = bad.clone();
            let payload = logs(&records);
            let decoded = decoded(Signal::Logs, &payload).expect("framed");
            assert_eq!(
                (decoded.offered, decoded.tables[0].1.num_rows()),
                (10_000, 9_999)
            );
            assert_eq!(decoded.rejected.len(), 1);
            let rejected = &decoded.rejected[0];
            assert_eq!(
                (rejected.ordinal as usize, rejected.reason),
                (at, Reason::Malformed)
            );
            assert_eq!(rejected.record, bad);
            assert!(payload.as_ptr_range().contains(&rejected.record.as_ptr()));
        }
    }
}

#[test]
fn a_bad_point_loses_itself_and_its_exemplars_only() {
    let time = tree::encode(&[Field::new(3, Wire::Fixed64(1))]);
    let good = [time.clone(), message(5, &[])].concat();
    let bad = [time, message(5, &[]), message(5, &[0xff])].concat();
    let points: Vec<u8> = [&good, &bad, &good]
        .iter()
        .flat_map(|point| message(1, point))
        .collect();
    let metric = [message(1, b"m"), message(5, &points)].concat();
    let payload = Bytes::from(message(1, &message(2, &message(2, &metric))));
    let decoded = decoded(Signal::Metrics, &payload).expect("framed");
    assert_eq!(decoded.offered, 3);
    assert_eq!(
        (
            decoded.rejected[0].ordinal,
            decoded.rejected[0].record.as_ref()
        ),
        (1, bad.as_slice())
    );
    let rows: Vec<_> = decoded
        .tables
        .iter()
        .map(|(table, batch)| (*table, batch.num_rows()))
        .collect();
    assert_eq!(
        rows,
        [
            (Table::Samples, 2),
            (Table::Series, 1),
            (Table::Exemplars, 2)
        ]
    );
}

#[test]
fn lengths_that_lie_allocate_nothing_and_are_malformed() {
    for length in [
        &[0xff, 0xff, 0xff, 0xff, 0x7f][..],
        &[0xff; 9][..],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..],
    ] {
        let mut lie = vec![0x0a];
        lie.extend_from_slice(length);
        let whole = decoded(Signal::Logs, &Bytes::from(lie.clone()));
        assert!(
            matches!(whole, Err(DecodeError::Malformed { .. })),
            "{whole:?}"
        );
        let decoded = decoded(Signal::Logs, &logs(&[lie, timed(vec![])])).expect("framed");
        assert_eq!(
            (decoded.rejected.len(), decoded.tables[0].1.num_rows()),
            (1, 1)
        );
    }
}

#[test]
fn broken_framing_is_told_with_its_place() {
    let mut payload = logs(&[timed(vec![])]).to_vec();
    let whole = payload.len();
    payload.extend([0x0a, 0x03, 0x12, 0x7f, 0x00]);
    let error = decoded(Signal::Logs, &Bytes::from(payload)).expect_err("broken");
    assert!(
        matches!(error, DecodeError::Malformed { offset, .. } if offset >= whole && offset <= whole + 4),
        "{error}"
    );
}

#[test]
fn check_40_overlong_and_overflowing_varints() {
    let padded = Field {
        padding: 9,
        ..Field::new(2, Wire::Varint(9))
    };
    let decoded_ok =
        decoded(Signal::Logs, &logs(&[timed(tree::encode(&[padded]))])).expect("framed");
    let severity = decoded_ok.tables[0]
        .1
        .column_by_name("severity_number")
        .expect("column");
    assert_eq!(
        severity
            .as_primitive::<arrow::datatypes::Int32Type>()
            .value(0),
        9
    );
    for varint in [
        vec![0x80; 10],
        [vec![0xff; 9], vec![0x02]].concat(),
        vec![0x80; 9],
    ] {
        let record = [vec![0x10], varint].concat();
        let decoded = decoded(Signal::Logs, &logs(&[record])).expect("framed");
        assert_eq!(decoded.rejected[0].reason, Reason::Malformed);
    }
}

#[test]
fn check_40_groups_are_skipped_to_depth_128() {
    for (depth, stored) in [
        (1, true),
        (100, true),
        (128, true),
        (129, false),
        (100_000, false),
    ] {
        let mut record = timed(vec![]);
        record.extend(std::iter::repeat_n([0xfb, 0x01], depth).flatten());
        record.extend(std::iter::repeat_n([0xfc, 0x01], depth).flatten());
        let decoded = decoded(Signal::Logs, &logs(&[record])).expect("framed");
        assert_eq!(decoded.rejected.is_empty(), stored, "depth {depth}");
    }
}

#[test]
fn check_40_text_that_is_not_utf8_is_replaced_and_counted() {
    // One character split over two records: neither half is text, though the column as a whole would be.
    let halves = [
        timed(message(5, &message(1, b"a\xc3"))),
        timed(message(5, &message(1, b"\xa9b"))),
    ];
    let decoded = decoded(Signal::Logs, &logs(&halves)).expect("framed");
    let body = decoded.tables[0]
        .1
        .column_by_name("body")
        .expect("column")
        .as_string::<i32>();
    assert_eq!((body.value(0), body.value(1)), ("a\u{fffd}", "\u{fffd}b"));
    assert_eq!(decoded.replaced_text, 2);
    let mut tally = Tally::default();
    check(Signal::Logs, logs(&halves).to_vec(), &mut tally);
    assert_eq!(tally.with_repaired, 1);
    // Two keys that are the same once repaired: the last value wins.
    let twice = [
        message(6, &attribute_bytes(b"k\xff", b"1")),
        message(6, &attribute_bytes(b"k\xfe", b"2")),
    ]
    .concat();
    assert_eq!(decoded_attributes(&twice), "{\"k\u{fffd}\":\"2\"}");
}

fn attribute_bytes(key: &[u8], value: &[u8]) -> Vec<u8> {
    [message(1, key), message(2, &message(1, value))].concat()
}

#[test]
fn too_many_records_or_keys_are_refused_in_bounded_memory() {
    let records = Bytes::from(message(1, &message(2, &[0x12, 0x00].repeat((1 << 21) + 1))));
    let error = decoded(Signal::Logs, &records).expect_err("too many");
    assert!(matches!(error, DecodeError::TooManyRows { .. }), "{error}");
    let events = message(2, &[0x5a, 0x00].repeat((1 << 21) + 1));
    let error = decoded(
        Signal::Spans,
        &Bytes::from(message(1, &message(2, &events))),
    )
    .expect_err("too many");
    assert!(matches!(error, DecodeError::TooManyRows { .. }), "{error}");
    for record in [
        [0x32, 0x00].repeat((1 << 16) + 1),
        message(5, &message(6, &[0x0a, 0x00].repeat((1 << 16) + 1))),
    ] {
        let decoded = decoded(Signal::Logs, &logs(&[record, timed(vec![])])).expect("framed");
        assert_eq!(
            decoded
                .rejected
                .iter()
                .map(|r| r.reason)
                .collect::<Vec<_>>(),
            [Reason::TooManyAttributes]
        );
        assert_eq!(decoded.tables[0].1.num_rows(), 1);
    }
}

#[test]
fn check_54_entity_references_are_a_column() {
    let entity = [
        message(1, b"https://x/1"),
        message(2, b"service"),
        message(3, b"service.name"),
        message(3, b"service.namespace"),
        message(4, b"a\"b"),
    ]
    .concat();
    let payload = |entities: Vec<u8>| {
        let records = message(2, &message(2, &timed(vec![])));
        Bytes::from(message(1, &[message(1, &entities), records].concat()))
    };
    let decoded_one = decoded(
        Signal::Logs,
        &payload([message(3, &entity), message(3, &[])].concat()),
    )
    .expect("framed");
    let batch = &decoded_one.tables[0].1;
    let column = batch.column_by_name("resource_entity_refs");
    let text = arrow::compute::cast(column.expect("column"), &arrow::datatypes::DataType::Utf8)
        .expect("text");
    assert_eq!(
        text.as_string::<i32>().value(0),
        "[{\"description_keys\":[\"a\\\"b\"],\"id_keys\":[\"service.name\",\"service.namespace\"],\
         \"schema_url\":\"https://x/1\",\"type\":\"service\"},{}]"
    );
    // Two bytes each on the wire: without a limit 64 MiB of them would be a hundred in memory.
    for (count, reasons) in [(1_024, vec![]), (1_025, vec![Reason::TooLarge])] {
        let decoded = decoded(Signal::Logs, &payload([0x1a, 0x00].repeat(count))).expect("framed");
        let found: Vec<_> = decoded.rejected.iter().map(|r| r.reason).collect();
        assert_eq!(found, reasons, "{count} entities");
    }
}

#[test]
fn check_40_each_piece_of_a_message_is_a_message() {
    let name = message(1, b"scope");
    // A field of four bytes of which one is there: end to end with the next piece it would be whole.
    let cut = vec![0x75, b'n'];
    for (pieces, stored) in [
        ([name.clone(), name.clone()], true),
        ([cut.clone(), name.clone()], false),
        ([name, cut], false),
    ] {
        let pieces = pieces.iter().flat_map(|piece| message(1, piece));
        let group: Vec<u8> = pieces.chain(message(2, &timed(vec![]))).collect();
        let mut tally = Tally::default();
        let payload = message(1, &message(2, &group));
        check(Signal::Logs, payload, &mut tally);
        assert_eq!(tally.with_rejected == 0, stored, "{tally:?}");
    }
}

#[test]
fn many_keys_are_written_in_order() {
    let keys: Vec<String> = (0..1_000)
        .map(|i| format!("key{}", (i * 7919) % 1_000))
        .collect();
    let record: Vec<u8> = keys
        .iter()
        .flat_map(|key| message(6, &attribute(key, &message(1, b"v"))))
        .collect();
    let mut tally = Tally::default();
    check(
        Signal::Logs,
        logs(&[record.clone(), record]).to_vec(),
        &mut tally,
    );
    assert_eq!((tally.whole, tally.rows), (1, 2));
}

#[test]
fn what_is_not_decoded_says_so() {
    let at = |signal, encoding, version| decode(signal, encoding, version, &Bytes::new(), Nanos(1));
    let version = DECODER_VERSION;
    assert!(matches!(
        at(Signal::Logs, Encoding::OtlpJson, version),
        Err(DecodeError::Encoding { .. })
    ));
    assert!(matches!(
        at(Signal::DeadLetters, Encoding::OtlpProtobuf, version),
        Err(DecodeError::Signal { .. })
    ));
    assert!(matches!(
        at(Signal::Logs, Encoding::OtlpProtobuf, 99),
        Err(DecodeError::Version { version: 99, .. })
    ));
    let empty =
        at(Signal::Spans, Encoding::OtlpProtobuf, version).expect("an empty request is one");
    assert_eq!((empty.offered, empty.tables.len()), (0, 0));
}
