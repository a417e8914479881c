//! What predicates say, and that every way to hold one against rows says the same.

use super::{
    Condition, Field, Owners, Predicate, letters::Letters, matching::Matcher, owners::RowId, prune,
};
use crate::{
    error::Kind,
    id::{SegmentId, TenantId},
    schema::batch_schema,
    segment::{Bounds, ColumnStats, FileMeta, ObjectMeta, Promoted, SegmentMeta, ValueKind},
    signal::{Signal, Table},
    time::{Nanos, TimeRange},
};
use arrow::{
    array::*,
    compute::cast,
    datatypes::{DataType, Field as ArrowField, Schema},
};
use proptest::prelude::*;
use std::sync::Arc;
use ulid::Ulid;

fn condition(field: Field, values: &[&str]) -> Condition {
    Condition {
        field,
        values: values.iter().map(|value| value.to_string()).collect(),
    }
}

fn column(name: &str) -> Field {
    Field::Column(name.to_string())
}

fn attribute(key: &str) -> Field {
    Field::Attribute(key.to_string())
}

fn predicate(conditions: Vec<Condition>) -> Predicate {
    Predicate {
        from: None,
        before: None,
        conditions,
    }
}

fn check_refused(signal: Signal, predicate: Predicate, part: &str) {
    let error = predicate.normal(signal).expect_err(part);
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn what_is_no_predicate_is_refused_and_says_why() {
    let one = |field: Field| predicate(vec![condition(field, &["1"])]);
    check_refused(Signal::Logs, predicate(Vec::new()), "0 conditions");
    let many = vec![condition(column("body"), &["x"]); 17];
    check_refused(Signal::Logs, predicate(many), "17 conditions");
    let none = predicate(vec![condition(column("body"), &[])]);
    check_refused(Signal::Logs, none, "body has 0 values");
    check_refused(
        Signal::Logs,
        one(column("nobody")),
        "use one of timestamp_origin",
    );
    check_refused(
        Signal::Logs,
        one(column("attributes")),
        "cannot be asked for",
    );
    check_refused(
        Signal::Metrics,
        one(column("description")),
        "use one of series_id",
    );
    check_refused(
        Signal::Logs,
        one(column("trace_id")),
        "32 hexadecimal digits",
    );
    check_refused(Signal::DeadLetters, one(attribute("k")), "no attributes");
    let words = predicate(vec![condition(column("flags"), &["one"])]);
    check_refused(Signal::Logs, words, "an integer");
    let long = "x".repeat(super::predicate::MAX_VALUE_BYTES + 1);
    let long = predicate(vec![condition(column("body"), &[&long])]);
    check_refused(Signal::Logs, long, "delete in several steps");
    let mut empty = one(column("body"));
    (empty.from, empty.before) = (Some(Nanos(2)), Some(Nanos(2)));
    check_refused(Signal::Logs, empty, "is empty");
}

#[test]
fn there_is_one_form_of_what_is_the_same() {
    let id = "0A0b0c0d0e0f0a0b0c0d0e0f0a0b0c0D";
    let values = condition(column("trace_id"), &[id, &id.to_lowercase()]);
    let flags = condition(column("flags"), &["+7", "007"]);
    let normal = predicate(vec![values, flags])
        .normal(Signal::Logs)
        .expect("valid");
    assert_eq!(normal.conditions[0].values, [id.to_lowercase()]);
    assert_eq!(normal.conditions[1].values, ["7"]);
    assert_eq!(normal.sha256().len(), 64);
    let again = normal.clone().normal(Signal::Logs).expect("valid");
    assert_eq!(again.sha256(), normal.sha256());
}

/// The rows of one column of text that meet a predicate.
fn met(predicate: &Predicate, name: &str, array: ArrayRef, promoted: &[Promoted]) -> Vec<bool> {
    let field = ArrowField::new(name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(schema, vec![array]).expect("one column");
    let matcher = Matcher::new(predicate, Signal::Logs, promoted);
    let met = matcher.matches(&batch).expect("readable");
    met.iter().collect()
}

fn texts(values: &[Option<&str>], data_type: &DataType) -> ArrayRef {
    let plain = StringArray::from(values.to_vec());
    cast(&plain, data_type).expect("text")
}

#[test]
fn text_is_the_same_however_it_is_kept() {
    let values = [Some("a"), None, Some("b"), Some("a"), Some("")];
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let wanted = predicate(vec![condition(column("body"), &["a", ""])]);
    for data_type in [
        DataType::Utf8,
        DataType::Utf8View,
        DataType::LargeUtf8,
        dictionary,
    ] {
        let found = met(&wanted, "body", texts(&values, &data_type), &[]);
        assert_eq!(found, [true, false, false, true, true], "{data_type}");
    }
    // A file that is older than the column.
    assert_eq!(
        met(&wanted, "other", texts(&values, &DataType::Utf8), &[]),
        [false; 5]
    );
}

#[test]
fn an_attribute_is_the_same_in_a_column_and_in_the_overflow() {
    let cases: [(&str, ValueKind, ArrayRef); 4] = [
        (
            "\"5\"",
            ValueKind::Text,
            texts(&[Some("5")], &DataType::Utf8View),
        ),
        ("5", ValueKind::Int, Arc::new(Int64Array::from(vec![5]))),
        (
            "5.0",
            ValueKind::Double,
            Arc::new(Float64Array::from(vec![5.0])),
        ),
        (
            "true",
            ValueKind::Bool,
            Arc::new(BooleanArray::from(vec![true])),
        ),
    ];
    for (json, kind, array) in cases {
        let promoted = Promoted {
            key: "k".to_string(),
            kind,
            column: "a.k".to_string(),
        };
        let map = format!("{{\"j\":\"x\",\"k\":{json},\"l\":1}}");
        for value in ["5", "5.0", "true", "x", "1", ""] {
            let wanted = predicate(vec![condition(attribute("k"), &[value])]);
            let in_column = met(
                &wanted,
                "a.k",
                array.clone(),
                std::slice::from_ref(&promoted),
            );
            let in_map = met(
                &wanted,
                "attributes",
                texts(&[Some(&map)], &DataType::Utf8),
                &[],
            );
            assert_eq!(in_column, in_map, "{json} is {value}");
            let text = crate::attributes::convert::json_text(json);
            assert_eq!(
                in_map,
                [text.as_deref() == Some(value)],
                "{json} is {value}"
            );
        }
    }
}

/// Whether a letter of logs with this record goes.
fn letter_goes(predicate: &Predicate, record: &[u8]) -> bool {
    let schema = batch_schema(Table::DeadLetters);
    let columns = schema
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "record" => Arc::new(BinaryArray::from(vec![record])) as ArrayRef,
            "signal" => texts(&[Some("logs")], field.data_type()),
            _ => match field.is_nullable() {
                true => new_null_array(field.data_type(), 1),
                false => cast(&StringArray::from(vec!["0"]), &DataType::Int64)
                    .and_then(|zero| match field.data_type() {
                        DataType::Utf8 | DataType::Dictionary(..) => {
                            cast(&StringArray::from(vec!["-"]), field.data_type())
                        }
                        other => cast(&zero, other),
                    })
                    .expect("a value"),
            },
        });
    let columns: Vec<ArrayRef> = columns.collect();
    let batch = RecordBatch::try_new(schema, columns).expect("the columns");
    let Some(letters) = Letters::new(predicate, Signal::Logs) else {
        return false;
    };
    letters.matches(&batch).expect("readable").value(0)
}

#[test]
fn letters_go_by_their_bytes_rather_too_many_than_too_few() {
    let goes = |conditions: Vec<Condition>, record: &str| {
        letter_goes(&predicate(conditions), record.as_bytes())
    };
    let user = || condition(attribute("user"), &["joe", "ann"]);
    assert!(goes(vec![user()], "..user..ann.."));
    assert!(!goes(vec![user()], "..ann..") && !goes(vec![user()], "..user..bob.."));
    let name = || condition(column("service_name"), &["shop"]);
    assert!(goes(vec![user(), name()], "user joe shop"));
    assert!(!goes(vec![user(), name()], "user joe"));
    // A number may have been sent as one, and a text may be that of bytes.
    assert!(goes(
        vec![condition(attribute("user"), &["5"])],
        "user \u{5}"
    ));
    assert!(goes(
        vec![condition(attribute("user"), &["am9l"])],
        "user joe"
    ));
    // What bytes cannot tell is passed over, and alone it takes none.
    let integer = || condition(column("severity_number"), &["9"]);
    assert!(goes(vec![integer(), name()], "shop"));
    assert!(!goes(vec![integer()], "shop"));
    let id = predicate(vec![condition(column("span_id"), &["6162636465666768"])]);
    assert!(letter_goes(&id, b"..abcdefgh..") && letter_goes(&id, b"6162636465666768"));
    assert!(!letter_goes(&id, b"..abcdefg.."));
}

proptest! {
    #[test]
    fn owners_come_back(ids in proptest::collection::vec(any::<RowId>(), 0..50)) {
        let owners = Owners::new(ids.clone());
        let json = serde_json::to_string(&owners).expect("text");
        let back: Owners = serde_json::from_str(&json).expect("the same");
        prop_assert_eq!(&back, &owners);
        prop_assert!(ids.iter().all(|id| back.contains(*id)));
        let sequences = ids.iter().map(|id| id.1);
        prop_assert_eq!(back.sequences(), sequences.clone().min().zip(sequences.max()));
    }
}

/// A segment of logs with bounds of the body, and an attribute `k` in the overflow.
fn segment() -> SegmentMeta {
    let file = FileMeta {
        path: "x".to_string(),
        size_bytes: 1,
        checksum: 0,
    };
    SegmentMeta {
        id: SegmentId(Ulid(1)),
        format_version: 1,
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        level: 0,
        time: TimeRange {
            min: Nanos(10),
            max: Nanos(20),
        },
        rows: 1,
        objects: vec![ObjectMeta {
            table: Table::Logs,
            file,
            footer_bytes: 1,
            rows: 1,
            columns: vec![ColumnStats {
                column: "body".to_string(),
                nulls: 0,
                bounds: Some(Bounds::Text("a".to_string(), "ü".to_string())),
            }],
            promoted: Vec::new(),
            overflow_keys: Some(vec!["k".to_string()]),
        }],
        index: None,
        wal: Vec::new(),
        replaces: Vec::new(),
        siblings: Vec::new(),
    }
}

#[test]
fn a_segment_is_passed_over_only_where_its_bounds_say_so() {
    let meta = segment();
    let may = |conditions: Vec<Condition>| prune::may_hold_rows(&predicate(conditions), &meta);
    assert!(may(vec![condition(column("body"), &["b"])]));
    assert!(
        !may(vec![condition(column("body"), &["A"])]),
        "below the bounds"
    );
    assert!(
        may(vec![condition(column("body"), &["üx"])]),
        "long bounds are cut"
    );
    assert!(
        may(vec![condition(column("service_name"), &["x"])]),
        "no bounds"
    );
    assert!(may(vec![condition(attribute("k"), &["x"])]));
    assert!(
        !may(vec![condition(attribute("j"), &["x"])]),
        "no row has the key"
    );
    assert!(
        may(vec![condition(attribute("ratio\""), &["x"])]),
        "not as it is listed"
    );
    assert!(may(vec![condition(
        Field::Resource("j".to_string()),
        &["x"]
    )]));
    let in_time = |from: i64, before: i64| {
        let mut predicate = predicate(vec![condition(column("body"), &["b"])]);
        (predicate.from, predicate.before) = (Some(Nanos(from)), Some(Nanos(before)));
        prune::may_hold_rows(&predicate, &meta)
    };
    assert!(in_time(20, 21) && in_time(0, 11));
    assert!(
        !in_time(21, 30) && !in_time(0, 10),
        "the end is not part of the range"
    );
}
