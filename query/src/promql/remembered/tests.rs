//! What was read of segments once is known afterwards, by tenant, and within the limit.

use super::{Learned, SeriesMemory};
use crate::promql::described::Rows;
use arrow::{
    array::{
        ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
    },
    record_batch::RecordBatchOptions,
};
use cairn_storage::id::{SegmentId, TenantId};
use std::sync::Arc;

const LIMIT_BYTES: u64 = 1 << 20;

fn tenant(name: &str) -> TenantId {
    name.parse().expect("an id")
}

fn segment(last: char) -> SegmentId {
    let text = format!("01m8q2rrharbgm52xm55tma45{last}");
    text.parse().expect("a ULID")
}

/// Rows of series (id, metric, attributes) of Prometheus.
fn batch(series: &[(i64, &str, &str)]) -> RecordBatch {
    let texts = |of: &dyn Fn(&(i64, &str, &str)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(series.iter().map(of)))
    };
    let same = |text: &'static str| texts(&|_| text.to_owned());
    let instants = |ms: i64| -> ArrayRef {
        let times = TimestampNanosecondArray::from(vec![ms * 1_000_000; series.len()]);
        Arc::new(times.with_timezone("UTC"))
    };
    let ids = Int64Array::from_iter_values(series.iter().map(|(id, ..)| *id));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("series_id", Arc::new(ids)),
        ("min_timestamp", instants(1)),
        ("max_timestamp", instants(9)),
        ("metric", texts(&|(_, metric, _)| (*metric).to_owned())),
        ("type", same("gauge")),
        ("unit", same("")),
        ("description", same("")),
        ("temporality", same("")),
        (
            "is_monotonic",
            Arc::new(BooleanArray::from(vec![false; series.len()])),
        ),
        ("metadata", same(r#"{"prometheus.type":"gauge"}"#)),
        (
            "attributes",
            texts(&|(.., attributes)| (*attributes).to_owned()),
        ),
        ("resource_attributes", same(r#"{"service.name":"shop"}"#)),
        ("scope_name", same("")),
        ("scope_version", same("")),
        ("scope_schema_url", same("")),
    ];
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| arrow::datatypes::Field::new(*name, column.data_type().clone(), true))
        .collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new())
        .expect("columns of one length")
}

/// Remembers `series` as those of `names` in a segment.
fn remember(
    memory: &SeriesMemory,
    (tenant, segment): (&TenantId, SegmentId),
    series: &[(i64, &str, &str)],
    names: &[&str],
) {
    let batch = batch(series);
    let rows = Rows::of(&batch).expect("all columns are there");
    let mut learned = Learned::default();
    memory.learn(tenant, &rows, |_| Some(segment), &mut learned);
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    memory.keep(tenant, segment, names, &mut learned);
}

/// What is known: labels by metric asked for, and the metrics that are not known.
fn check(
    memory: &SeriesMemory,
    (tenant, segment): (&TenantId, SegmentId),
    names: &[&str],
    expected: (&[&str], &[&str]),
) {
    let recalled = memory.recall(tenant, segment, names.iter().copied());
    let listed = recalled.listed.iter().flat_map(|listed| &listed.series);
    let labels: Vec<String> = listed
        .map(|(_, known)| known.parts[0].1.to_string())
        .collect();
    assert_eq!(
        (labels, recalled.missing),
        (owned(expected.0), owned(expected.1))
    );
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_was_read_is_known_and_a_metric_without_series_too() {
    let (memory, shop) = (SeriesMemory::new(LIMIT_BYTES), tenant("shop"));
    let (one, other) = (segment('0'), segment('1'));
    check(
        &memory,
        (&shop, one),
        &["up", "load"],
        (&[], &["up", "load"]),
    );
    let series = [(1, "up", r#"{"a":"x"}"#), (2, "up", r#"{"a":"y"}"#)];
    remember(&memory, (&shop, one), &series, &["up", "none"]);
    let up = [r#"up{a="x", job="shop"}"#, r#"up{a="y", job="shop"}"#];
    check(
        &memory,
        (&shop, one),
        &["up", "none", "load"],
        (&up, &["load"]),
    );
    check(&memory, (&shop, other), &["up"], (&[], &["up"]));
    check(&memory, (&tenant("mall"), one), &["up"], (&[], &["up"]));
}

#[test]
fn a_series_of_many_segments_is_kept_once() {
    let (memory, shop) = (SeriesMemory::new(LIMIT_BYTES), tenant("shop"));
    let series = [(1, "up", r#"{"a":"x"}"#)];
    let known = ['0', '1'].map(|last| {
        remember(&memory, (&shop, segment(last)), &series, &["up"]);
        let recalled = memory.recall(&shop, segment(last), ["up"].into_iter());
        Arc::clone(&recalled.listed[0].series[0].1)
    });
    assert!(Arc::ptr_eq(&known[0], &known[1]));
    // Described otherwise it is another.
    remember(
        &memory,
        (&shop, segment('2')),
        &[(1, "up", r#"{"a":"z"}"#)],
        &["up"],
    );
    check(
        &memory,
        (&shop, segment('2')),
        &["up"],
        (&[r#"up{a="z", job="shop"}"#], &[]),
    );
    check(
        &memory,
        (&shop, segment('0')),
        &["up"],
        (&[r#"up{a="x", job="shop"}"#], &[]),
    );
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let (memory, shop) = (SeriesMemory::new(16 << 10), tenant("shop"));
    for (number, last) in ('0'..='9').enumerate() {
        let attributes = format!(
            r#"{{"a":"{number}","text":"{}"}}"#,
            last.to_string().repeat(1_500)
        );
        let series = [(number as i64, "up", attributes.as_str())];
        remember(&memory, (&shop, segment(last)), &series, &["up"]);
        check_is_known(&memory, &shop, segment(last), true);
        if number > 0 {
            check_is_known(&memory, &shop, segment('0'), true);
        }
    }
    check_is_known(&memory, &shop, segment('1'), false);
    let held = memory.memory.lock();
    assert!(held.bytes <= 16 << 10, "{} bytes", held.bytes);
}

fn check_is_known(memory: &SeriesMemory, tenant: &TenantId, segment: SegmentId, expected: bool) {
    let recalled = memory.recall(tenant, segment, ["up"].into_iter());
    assert_eq!(recalled.missing.is_empty(), expected, "{segment:?}");
}

#[test]
fn a_memory_of_nothing_has_no_room() {
    let memory = SeriesMemory::new(0);
    assert!(!memory.has_room(1, 1));
    assert!(SeriesMemory::new(LIMIT_BYTES).has_room(100, 100));
    assert!(!SeriesMemory::new(LIMIT_BYTES).has_room(10_000, 10_000));
}
