//! A merge holds the rows of its inputs, all of them and no others, in order, and passes every check of a segment.

use super::{Asked, Merge, Reading, Sifted, wal_ranges};
use crate::{
    attributes::{decode, encode},
    id::{SegmentId, TenantId},
    schema::batch_schema,
    segment::{
        LiveSegment, WalRange,
        tests::{
            Bench, assert_field_ids, assert_series, assert_sorted, cache, checked, expected, found,
            rows::Rows,
        },
        verify,
        window::plan,
        write::{FieldIds, Identity, Written},
    },
    signal::{Signal, Table},
    snapshot::BufferedRequest,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray},
    buffer::BooleanBuffer,
    compute::filter_record_batch,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};
use ulid::Ulid;

fn id(number: u128) -> SegmentId {
    SegmentId(Ulid::from_parts(2, number))
}

/// Merges segments; `None` where they do not fit into the memory.
fn merge(
    bench: &Bench,
    inputs: &[Arc<LiveSegment>],
    number: u128,
    memory_bytes: u64,
    asked: &Asked,
) -> Option<(Written, usize)> {
    let reading = Reading {
        cache: cache().0,
        counters: Arc::default(),
        memory_bytes,
        runtime: None,
    };
    bench.wait(async {
        let merge = Merge::prepare(inputs, &reading, asked)
            .await
            .expect("prepared")?;
        let count = merge.inputs().len();
        Some((write(bench, merge, number).await, count))
    })
}

async fn write(bench: &Bench, merge: Merge, number: u128) -> Written {
    let mut field_ids = FieldIds::new();
    for (table, columns) in merge.promoted() {
        let ids = (1_000..).zip(columns);
        field_ids.extend(ids.map(|(id, column)| ((table, column), id)));
    }
    let inputs = merge.inputs();
    let identity = Identity {
        id: id(number),
        tenant: TenantId::default_tenant(),
        signal: inputs[0].meta.signal,
        level: 1,
        wal: Vec::new(),
        replaces: inputs.iter().map(|input| input.meta.id).collect(),
        siblings: vec![id(number)],
    };
    let written = merge.write(identity, bench.target(), field_ids).await;
    written.expect("merged")
}

/// The segments of some requests, cut at the given hours.
fn segments(
    bench: &Bench,
    signal: Signal,
    requests: &[Arc<BufferedRequest>],
    open_hours: usize,
) -> Vec<Arc<LiveSegment>> {
    let plans = plan(requests, signal, open_hours)
        .expect("a plan")
        .into_iter();
    plans
        .map(|plan| {
            let written = bench.write(signal, requests, plan);
            Arc::new(bench.uploaded(&written.meta))
        })
        .collect()
}

/// Every object of the segment holds what the requests hold, and is as the catalog says.
fn assert_holds(bench: &Bench, written: &Written, requests: &[Arc<BufferedRequest>]) {
    let segment = bench.uploaded(&written.meta);
    let report = bench
        .wait(verify::verify(&bench.world, &*segment.store, &segment.meta))
        .expect("verified");
    assert_eq!(report.findings, Vec::new());
    let mut read: BTreeMap<Table, Vec<String>> = BTreeMap::new();
    for object in &written.meta.objects {
        let batch = bench
            .wait(checked(&segment, object.table, cache().0, Arc::default()))
            .expect("readable");
        assert_sorted(object, &batch);
        assert_field_ids(object.table, &batch);
        read.insert(object.table, found(object, &batch));
    }
    let signal = written.meta.signal;
    for table in signal.tables().iter().filter(|t| **t != Table::Series) {
        let read = read.remove(table).unwrap_or_default();
        assert_eq!(read, expected(*table, requests), "{table}");
    }
    assert_series(bench, &written.meta);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn merges_of_merges_hold_the_rows_of_their_inputs(
        seed in any::<u64>(),
        sizes in proptest::collection::vec((1..4_usize, 1..80_usize), 2..6),
        hours in 1..4_i64,
        open_hours in 0..3_usize,
    ) {
        for signal in Signal::ALL {
            let bench = Bench::new();
            let mut random = Rows::new(seed, hours);
            let mut all = Vec::new();
            let mut inputs = Vec::new();
            for (requests, rows) in &sizes {
                let requests: Vec<_> = (0..*requests).map(|_| random.request(signal, *rows)).collect();
                inputs.extend(segments(&bench, signal, &requests, open_hours));
                all.extend(requests);
            }
            if inputs.len() < 2 {
                continue;
            }
            let asked = Asked::from(["k1".to_string()]);
            // Two at a time, so that merged segments are merged again.
            let mut number = 0;
            let last = loop {
                let pair: Vec<_> = inputs.drain(..2).collect();
                number += 1;
                let (written, count) = merge(&bench, &pair, number, 1 << 30, &asked).expect("it fits");
                assert_eq!(count, 2);
                let rows: u64 = pair.iter().map(|input| input.meta.rows).sum();
                assert_eq!(written.meta.rows, rows);
                if inputs.is_empty() {
                    break written;
                }
                inputs.insert(0, Arc::new(bench.uploaded(&written.meta)));
            };
            assert_holds(&bench, &last, &all);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_is_left_out_is_all_that_is_missing(seed in any::<u64>(), rows in 1..120_usize, many in 1..3_usize) {
        for signal in [Signal::Logs, Signal::Spans, Signal::DeadLetters] {
            let bench = Bench::new();
            let mut random = Rows::new(seed, 1);
            let inputs: Vec<_> = (0..many)
                .flat_map(|_| segments(&bench, signal, &[random.request(signal, rows)], 1))
                .collect();
            check_left_out(&bench, &inputs, seed);
        }
    }
}

/// Leaves out rows by a seed: those that stay are there and nothing tells of the others.
fn check_left_out(bench: &Bench, inputs: &[Arc<LiveSegment>], seed: u64) {
    let mut sifted = Sifted::new();
    let mut expected: BTreeMap<Table, Vec<String>> = BTreeMap::new();
    let mut state = seed | 1;
    for input in inputs {
        for object in &input.meta.objects {
            let whole = bench.wait(checked(input, object.table, cache().0, Arc::default()));
            let whole = whole.expect("readable");
            let kept = BooleanBuffer::collect_bool(whole.num_rows(), |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(11);
                state >> 62 != 0
            });
            let left = filter_record_batch(&whole, &BooleanArray::new(kept.clone(), None));
            let rows = found(object, &left.expect("filtered"));
            expected.entry(object.table).or_default().extend(rows);
            sifted.insert((input.meta.id, object.table), kept);
        }
    }
    expected.retain(|_, rows| !rows.is_empty());
    if expected.is_empty() {
        return;
    }
    let reading = Reading {
        cache: cache().0,
        counters: Arc::default(),
        memory_bytes: 1 << 30,
        runtime: None,
    };
    let written = bench.wait(async {
        let merge = Merge::without(inputs, &sifted, &reading, &Asked::new()).await;
        write(bench, merge.expect("prepared"), 77).await
    });
    let segment = bench.uploaded(&written.meta);
    let report = bench.wait(verify::verify(&bench.world, &*segment.store, &segment.meta));
    assert_eq!(report.expect("verified").findings, Vec::new());
    assert_eq!(written.meta.objects.len(), expected.len());
    for object in &written.meta.objects {
        let batch = bench.wait(checked(&segment, object.table, cache().0, Arc::default()));
        let batch = batch.expect("readable");
        let mut rows = expected.remove(&object.table).expect("it has rows");
        rows.sort();
        let mut read = found(object, &batch);
        read.sort();
        assert_eq!(read, rows, "{}", object.table);
        for promoted in &object.promoted {
            let column = batch.column_by_name(&promoted.column).expect("it is there");
            assert!(
                column.null_count() < batch.num_rows(),
                "{} of nobody",
                promoted.key
            );
        }
        let Some(maps) = batch.column_by_name("attributes") else {
            continue;
        };
        for key in object.overflow_keys.iter().flatten() {
            let has = |row| decode::find(maps.as_string::<i32>().value(row), key).is_some();
            assert!((0..batch.num_rows()).any(has), "{key} of nobody");
        }
    }
}

#[test]
fn many_segments_at_once_and_several_row_groups() {
    for signal in [Signal::Logs, Signal::Metrics] {
        let bench = Bench::new();
        let mut random = Rows::new(5, 1);
        let requests: Vec<_> = (0..9).map(|_| random.request(signal, 9_000)).collect();
        let inputs: Vec<_> = requests
            .chunks(2)
            .flat_map(|requests| segments(&bench, signal, requests, 1))
            .collect();
        let (written, count) = merge(&bench, &inputs, 1, 1 << 30, &Asked::new()).expect("they fit");
        assert_eq!(count, inputs.len());
        assert!(
            written
                .footers
                .iter()
                .any(|(_, footer)| footer.num_row_groups() > 1)
        );
        assert_holds(&bench, &written, &requests);
    }
}

/// A request of log records whose bodies have `bytes` bytes each.
fn long_bodies(random: &mut Rows, rows: usize, bytes: usize) -> Arc<BufferedRequest> {
    let request = loop {
        let request = random.request(Signal::Logs, rows);
        if request
            .batch(Table::Logs)
            .is_some_and(|b| b.num_rows() > rows / 2)
        {
            break request;
        }
    };
    let mut request = BufferedRequest::clone(&request);
    let batch = &request.tables[0].1;
    let at = batch_schema(Table::Logs)
        .index_of("body")
        .expect("a column");
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    let bodies = (0..batch.num_rows()).map(|row| {
        // Not to be compressed: what is read is as large as what is held.
        let mut state = row as u64 + 1;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + (state >> 59) as u8 % 26)
        };
        std::iter::repeat_with(next).take(bytes).collect::<String>()
    });
    columns[at] = Arc::new(StringArray::from_iter_values(bodies));
    request.tables[0].1 = RecordBatch::try_new(batch.schema(), columns).expect("the same schema");
    Arc::new(request)
}

#[test]
fn what_does_not_fit_into_the_memory_is_left_out() {
    let bench = Bench::new();
    let mut random = Rows::new(9, 1);
    let requests: Vec<_> = (0..4)
        .map(|_| long_bodies(&mut random, 20, 256 << 10))
        .collect();
    let inputs: Vec<_> = requests
        .iter()
        .flat_map(|request| segments(&bench, Signal::Logs, std::slice::from_ref(request), 1))
        .collect();
    assert!(merge(&bench, &inputs, 1, 1 << 20, &Asked::new()).is_none());
    let (written, count) = merge(&bench, &inputs, 2, 40 << 20, &Asked::new()).expect("some fit");
    assert!((2..4).contains(&count), "{count} of 4");
    assert_holds(&bench, &written, &requests[..count]);
}

#[test]
fn what_is_rare_in_each_is_promoted_when_it_is_common_in_all() {
    let bench = Bench::new();
    let mut random = Rows::new(11, 1);
    let mut inputs = Vec::new();
    for number in 0..10 {
        let request = random.request(Signal::Logs, 40);
        let mut request = BufferedRequest::clone(&request);
        let Some(position) = request
            .tables
            .iter()
            .position(|(t, b)| *t == Table::Logs && b.num_rows() > 3)
        else {
            continue;
        };
        let batch = request.tables[position].1.clone();
        let mut map = Vec::new();
        encode::key(&mut map, "order");
        encode::int(&mut map, number);
        let map = format!("{{{}}}", String::from_utf8(map).expect("text"));
        let maps = (0..batch.num_rows()).map(|row| if row < 3 { map.as_str() } else { "{}" });
        let at = batch.schema().index_of("attributes").expect("a column");
        let mut columns = batch.columns().to_vec();
        columns[at] = Arc::new(StringArray::from_iter_values(maps));
        request.tables[position].1 =
            RecordBatch::try_new(batch.schema(), columns).expect("the same schema");
        inputs.extend(segments(&bench, Signal::Logs, &[Arc::new(request)], 1));
    }
    assert!(
        inputs
            .iter()
            .all(|input| input.meta.objects[0].promoted.is_empty())
    );
    let (written, _) = merge(&bench, &inputs, 1, 1 << 30, &Asked::new()).expect("they fit");
    let object = &written.meta.objects[0];
    let columns: Vec<_> = object.promoted.iter().map(|p| p.column.as_str()).collect();
    assert_eq!(columns, ["a.order:int"]);
    assert_eq!(object.overflow_keys, Some(Vec::new()));
}

#[test]
fn stretches_of_the_log_are_one_where_nothing_else_is_between() {
    let range = |first, last| WalRange {
        shard: 0,
        first,
        last,
    };
    let bench = Bench::new();
    let mut random = Rows::new(3, 1);
    let request = std::iter::repeat_with(|| random.request(Signal::Logs, 3))
        .find(|request| !request.tables.is_empty())
        .expect("one with rows");
    let mut one = segments(&bench, Signal::Logs, &[request], 1)[0]
        .meta
        .clone();
    one.wal = vec![range(5, 9), range(1, 2), range(8, 8), range(20, 30)];
    let ranges = |others: &[WalRange]| wal_ranges([&one].into_iter(), others);
    assert_eq!(ranges(&[]), [range(1, 30)]);
    assert_eq!(ranges(&[range(31, 40)]), [range(1, 30)]);
    // The same frames are in a segment of another hour.
    assert_eq!(ranges(&[range(5, 9)]), [range(1, 30)]);
    assert_eq!(ranges(&[range(11, 12)]), [range(1, 9), range(20, 30)]);
    let other_shard = WalRange {
        shard: 1,
        ..range(11, 12)
    };
    assert_eq!(ranges(&[other_shard]), [range(1, 30)]);
}
