//! What admission refuses, what goes with it, and that everything else is left alone.

use super::*;
use arrow::{
    array::{
        ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array,
        Int64Array, UInt64Array, new_null_array,
    },
    datatypes::{Field, SchemaRef},
};
use bytes::Bytes;
use cairn_storage::{
    append::Record,
    refuse::refuse,
    schema::{ROW_ORDINAL, batch_schema},
};
use std::sync::Arc;

const NOW: Nanos = Nanos(1_700_000_000_000_000_000);
const SECOND: i64 = 1_000_000_000;

fn limits() -> Limits {
    Limits {
        max_attributes: 3,
        max_key_bytes: 8,
        max_value_bytes: 30,
        max_record_bytes: 60,
        max_age: Some(Duration::from_secs(3600)),
        max_future: Some(Duration::from_secs(60)),
    }
}

/// A batch of `table` with the given columns; the others hold what a record without anything has.
fn batch(table: Table, rows: usize, columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let schema: SchemaRef = batch_schema(table);
    let columns = schema.fields().iter().map(|field| {
        let given = columns.iter().find(|(name, _)| name == field.name());
        given.map_or_else(|| filler(field, rows), |(_, array)| array.clone())
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).expect("the columns fit the schema")
}

fn filler(field: &Field, rows: usize) -> ArrayRef {
    if field.is_nullable() {
        return new_null_array(field.data_type(), rows);
    }
    let text = if field.name().contains("attributes") {
        "{}"
    } else {
        ""
    };
    match field.data_type() {
        DataType::Utf8 => Arc::new(StringArray::from(vec![text; rows])),
        DataType::Dictionary(..) => dictionary(&vec![text; rows]),
        DataType::Timestamp(..) => times(&vec![0; rows]),
        DataType::Int32 => Arc::new(Int32Array::from(vec![0; rows])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![0; rows])),
        DataType::UInt64 => Arc::new(UInt64Array::from(vec![0; rows])),
        DataType::Float64 => Arc::new(Float64Array::from(vec![0.0; rows])),
        DataType::Boolean => Arc::new(BooleanArray::from(vec![false; rows])),
        DataType::FixedSizeBinary(width) => Arc::new(
            FixedSizeBinaryArray::try_from_iter((0..rows).map(|_| vec![0; *width as usize]))
                .expect("all have one width"),
        ),
        other => panic!("no filler for {other}"),
    }
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn dictionary(values: &[&str]) -> ArrayRef {
    Arc::new(
        values
            .iter()
            .copied()
            .collect::<DictionaryArray<Int32Type>>(),
    )
}

/// Instants, in seconds after [`NOW`].
fn times(seconds: &[i64]) -> ArrayRef {
    let nanos = seconds.iter().map(|s| NOW.0 + s * SECOND);
    Arc::new(TimestampNanosecondArray::from_iter_values(nanos).with_timezone("UTC"))
}

fn ordinals(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn ids(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn decoded(tables: Vec<(Table, RecordBatch)>) -> Decoded {
    Decoded {
        tables,
        offered: 10,
        ..Decoded::default()
    }
}

/// What admission and then `storage::refuse` make of `tables`.
fn admitted(tables: Vec<(Table, RecordBatch)>) -> (Decoded, Vec<Refusal>) {
    let mut decoded = decoded(tables);
    let refusals = admit(&decoded, &limits(), NOW);
    let records = refusals
        .iter()
        .map(|r| Record {
            bytes: Bytes::from(vec![r.ordinal as u8]),
            envelope: None,
        })
        .collect();
    refuse(&mut decoded, &refusals, records).expect("the batches fit the schema");
    for rejected in &decoded.rejected {
        assert_eq!(
            *rejected.record,
            [rejected.ordinal as u8],
            "each gets its own bytes"
        );
    }
    (decoded, refusals)
}

fn remaining(decoded: &Decoded, table: Table) -> Vec<u32> {
    let batch = decoded.tables.iter().find(|(t, _)| *t == table);
    batch.map_or(Vec::new(), |(_, batch)| {
        (0..batch.num_rows())
            .map(|row| ordinal(batch, row))
            .collect()
    })
}

fn reasons(refusals: &[Refusal]) -> Vec<(u32, Reason)> {
    refusals
        .iter()
        .map(|refusal| (refusal.ordinal, refusal.reason))
        .collect()
}

/// Admits logs with these columns and compares the refusals; all other rows must remain.
fn check_logs(rows: usize, mut columns: Vec<(&str, ArrayRef)>, expected: &[(u32, Reason)]) {
    columns.push((ROW_ORDINAL, ordinals(&(0..rows as i32).collect::<Vec<_>>())));
    let logs = batch(Table::Logs, rows, columns);
    let (decoded, refusals) = admitted(vec![(Table::Logs, logs.clone())]);
    assert_eq!(reasons(&refusals), expected);
    let rejected: Vec<_> = decoded
        .rejected
        .iter()
        .map(|r| (r.ordinal, r.reason))
        .collect();
    assert_eq!(
        rejected, expected,
        "every refusal is also a rejected record"
    );
    let kept = (0..rows as u32).filter(|row| expected.iter().all(|(refused, _)| refused != row));
    assert_eq!(remaining(&decoded, Table::Logs), kept.collect::<Vec<_>>());
    if expected.is_empty() {
        assert_eq!(decoded.tables, [(Table::Logs, logs)]);
    }
}

#[test]
fn ages() {
    let none =
        |seconds: &[i64]| check_logs(seconds.len(), vec![("timestamp", times(seconds))], &[]);
    none(&[0, -3600, 60]);
    let seconds = [0, -3601, 61, i64::from(i32::MIN), 10];
    let expected = [
        (1, Reason::TooOld),
        (2, Reason::TooFarAhead),
        (3, Reason::TooOld),
    ];
    check_logs(5, vec![("timestamp", times(&seconds))], &expected);
}

#[test]
fn by_default_any_age_is_taken_and_a_day_ahead() {
    let limits = Limits::new(&Config::default());
    let logs = |seconds: &[i64]| {
        let rows = seconds.len();
        let numbers: Vec<i32> = (0..rows as i32).collect();
        let columns = vec![
            ("timestamp", times(seconds)),
            (ROW_ORDINAL, ordinals(&numbers)),
        ];
        decoded(vec![(Table::Logs, batch(Table::Logs, rows, columns))])
    };
    assert_eq!(admit(&logs(&[-1_700_000_000, 0, 86_400]), &limits, NOW), []);
    let refusals = admit(&logs(&[86_401]), &limits, NOW);
    let detail = "its time is 86401 s ahead, 86400 s are taken".to_string();
    assert_eq!(
        refusals,
        [Refusal {
            ordinal: 0,
            reason: Reason::TooFarAhead,
            detail
        }]
    );
}

#[test]
fn attributes() {
    let maps = [
        r#"{"a":1,"b":2,"c":3}"#,
        r#"{"a":1,"b":2,"c":3,"d":4}"#,
        r#"{"12345678":0}"#,
        r#"{"123456789":0}"#,
        r#"{"a":"1234567890123456789012345678"}"#,
        r#"{"a":"12345678901234567890123456789"}"#,
    ];
    let expected = [
        (1, Reason::TooManyAttributes),
        (3, Reason::TooLarge),
        (5, Reason::TooLarge),
    ];
    check_logs(maps.len(), vec![("attributes", texts(&maps))], &expected);
    // A resource is shared: every record of it goes.
    let resources = ["{}", maps[1], "{}", maps[1]];
    let expected = [
        (1, Reason::TooManyAttributes),
        (3, Reason::TooManyAttributes),
    ];
    check_logs(
        4,
        vec![("resource_attributes", dictionary(&resources))],
        &expected,
    );
}

#[test]
fn texts_and_whole_records() {
    let long = "x".repeat(31);
    let at_limit = "x".repeat(30);
    let bodies = [at_limit.as_str(), long.as_str(), "", ""];
    let events = ["", "", long.as_str(), at_limit.as_str()];
    let columns = vec![
        ("body", texts(&bodies)),
        ("event_name", dictionary(&events)),
    ];
    check_logs(4, columns, &[(1, Reason::TooLarge), (2, Reason::TooLarge)]);

    // 30 + 30 bytes are taken, one more is not; none of them is too long by itself.
    let maps = [
        r#"{"a":"1234567890123456789012"}"#,
        r#"{"a":"12345678901234567890123"}"#,
    ];
    let columns = vec![
        ("body", texts(&[&at_limit, &at_limit])),
        ("attributes", texts(&maps)),
    ];
    check_logs(2, columns, &[(1, Reason::TooLarge)]);
}

#[test]
fn a_span_is_refused_with_its_events_and_links_and_for_them() {
    let many = r#"{"a":1,"b":2,"c":3,"d":4}"#;
    let spans = batch(
        Table::Spans,
        3,
        vec![
            ("timestamp", times(&[0, 61, 0])),
            (ROW_ORDINAL, ordinals(&[0, 1, 2])),
        ],
    );
    let events = batch(
        Table::SpanEvents,
        3,
        vec![
            ("attributes", texts(&["{}", "{}", many])),
            (ROW_ORDINAL, ordinals(&[0, 1, 2])),
        ],
    );
    let links = batch(Table::SpanLinks, 2, vec![(ROW_ORDINAL, ordinals(&[1, 2]))]);
    let tables = vec![
        (Table::Spans, spans),
        (Table::SpanEvents, events),
        (Table::SpanLinks, links),
    ];
    let (decoded, refusals) = admitted(tables);
    let expected = [(1, Reason::TooFarAhead), (2, Reason::TooManyAttributes)];
    assert_eq!(reasons(&refusals), expected);
    assert_eq!(remaining(&decoded, Table::Spans), [0]);
    assert_eq!(remaining(&decoded, Table::SpanEvents), [0]);
    let left: Vec<Table> = decoded.tables.iter().map(|(table, _)| *table).collect();
    assert_eq!(
        left,
        [Table::Spans, Table::SpanEvents],
        "a table without rows is left out"
    );
}

#[test]
fn a_series_is_refused_with_its_points_and_points_with_their_exemplars() {
    let many = r#"{"a":1,"b":2,"c":3,"d":4}"#;
    let series = batch(
        Table::Series,
        4,
        vec![
            ("series_id", ids(&[7, 8, 9, 10])),
            ("attributes", texts(&["{}", many, "{}", "{}"])),
        ],
    );
    let samples = batch(
        Table::Samples,
        4,
        vec![
            ("series_id", ids(&[7, 8, 7, 9])),
            ("timestamp", times(&[0, 0, 61, 61])),
            (ROW_ORDINAL, ordinals(&[0, 1, 2, 3])),
        ],
    );
    let histograms = batch(
        Table::Histograms,
        2,
        vec![
            ("series_id", ids(&[8, 10])),
            (ROW_ORDINAL, ordinals(&[4, 5])),
        ],
    );
    let exemplars = batch(
        Table::Exemplars,
        3,
        vec![
            ("series_id", ids(&[7, 7, 10])),
            (ROW_ORDINAL, ordinals(&[0, 2, 5])),
        ],
    );
    let tables = vec![
        (Table::Samples, samples),
        (Table::Series, series),
        (Table::Histograms, histograms),
        (Table::Exemplars, exemplars),
    ];
    let (decoded, refusals) = admitted(tables);
    let expected = [
        (1, Reason::TooManyAttributes),
        (2, Reason::TooFarAhead),
        (3, Reason::TooFarAhead),
        (4, Reason::TooManyAttributes),
    ];
    assert_eq!(reasons(&refusals), expected);
    assert_eq!(remaining(&decoded, Table::Samples), [0]);
    assert_eq!(remaining(&decoded, Table::Histograms), [5]);
    assert_eq!(remaining(&decoded, Table::Exemplars), [0, 5]);
    let (_, series) = decoded
        .tables
        .iter()
        .find(|(table, _)| *table == Table::Series)
        .expect("two are left");
    assert_eq!(
        series_ids(series).values(),
        &[7, 10],
        "series 9 has no point left"
    );
}
