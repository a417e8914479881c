//! What is told of counts that are as they should be, and of those that are not.

use super::*;
use crate::{
    segment::{FileMeta, ObjectMeta, SEGMENT_FORMAT_VERSION},
    time::{Nanos, TimeRange},
};
use ulid::Ulid;

fn segment(number: u128, table: Table, rows: u64) -> SegmentMeta {
    let id = SegmentId(Ulid(number));
    SegmentMeta {
        id,
        format_version: SEGMENT_FORMAT_VERSION,
        tenant: TenantId::default_tenant(),
        signal: table.signal(),
        level: 0,
        time: TimeRange {
            min: Nanos(0),
            max: Nanos(1),
        },
        rows,
        objects: vec![ObjectMeta {
            table,
            file: FileMeta {
                path: format!("{id}"),
                size_bytes: 100,
                checksum: 0,
            },
            footer_bytes: 10,
            rows,
            columns: Vec::new(),
            promoted: Vec::new(),
            overflow_keys: None,
        }],
        index: None,
        wal: Vec::new(),
        replaces: Vec::new(),
        siblings: Vec::new(),
    }
}

fn check(expected: &Expected, found: &[SegmentMeta], as_told: &[Found]) {
    let tables = compare(expected, found);
    let told: Vec<Found> = tables.iter().map(|table| table.found).collect();
    assert_eq!(told, as_told, "{tables:?}");
}

#[test]
fn rows_are_held_against_a_catalog() {
    let (one, two) = (segment(1, Table::Logs, 5), segment(2, Table::Spans, 3));
    let expected = Expected::of_catalog(&[one.clone(), two.clone()]);
    check(
        &expected,
        &[one.clone(), two.clone()],
        &[Found::All, Found::All],
    );
    // Merged: other segments, the same rows.
    let merged = segment(7, Table::Logs, 5);
    check(&expected, &[merged, two.clone()], &[Found::All, Found::All]);
    check(
        &expected,
        std::slice::from_ref(&two),
        &[Found::Fewer, Found::All],
    );
    let twice = [one.clone(), segment(3, Table::Logs, 1), two.clone()];
    check(&expected, &twice, &[Found::More, Found::All]);
    let stranger = [one, two, segment(4, Table::DeadLetters, 1)];
    check(&expected, &stranger, &[Found::All, Found::All, Found::More]);
}

#[test]
fn a_catalog_that_changes_allows_what_lies_between() {
    let (one, two) = (segment(1, Table::Logs, 5), segment(2, Table::Logs, 3));
    let mut expected = Expected::of_catalog(std::slice::from_ref(&one));
    expected.or(Expected::of_catalog(&[one.clone(), two.clone()]));
    check(&expected, std::slice::from_ref(&one), &[Found::All]);
    check(&expected, &[one.clone(), two.clone()], &[Found::All]);
    check(&expected, std::slice::from_ref(&two), &[Found::Fewer]);
    let more = [one, two, segment(3, Table::Logs, 1)];
    check(&expected, &more, &[Found::More]);
}

#[test]
fn after_a_backup_there_may_be_more_and_never_less() {
    let one = segment(1, Table::Logs, 5);
    let more = [one.clone(), segment(2, Table::Logs, 3)];
    let expected = Expected::of_backup(std::slice::from_ref(&one), true, 1_000);
    check(&expected, &more, &[Found::All]);
    check(&expected, &[segment(3, Table::Logs, 4)], &[Found::Fewer]);
    let expected = Expected::of_backup(std::slice::from_ref(&one), false, 1_000);
    check(&expected, &more, &[Found::More]);
}

#[test]
fn series_are_compared_where_the_segments_are_the_same() {
    let (one, two) = (segment(1, Table::Series, 5), segment(2, Table::Series, 5));
    let expected = Expected::of_catalog(&[one.clone(), two.clone()]);
    check(&expected, &[one, two], &[Found::All]);
    check(
        &expected,
        &[segment(3, Table::Series, 5)],
        &[Found::NotCompared],
    );
}

#[test]
fn many_dead_letters_may_have_been_evicted() {
    let letters = segment(1, Table::DeadLetters, 5);
    let expected = |bound| Expected::of_backup(std::slice::from_ref(&letters), true, bound);
    check(&expected(1_000), &[], &[Found::Fewer]);
    check(&expected(150), &[], &[Found::NotCompared]);
}
