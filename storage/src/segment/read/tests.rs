//! Reading through checksums: no flipped byte reaches a row, fetches are few and counted.

mod far;

use crate::{
    error::{Error, Kind},
    segment::{
        read::{ReadCounters, SegmentReader},
        tests::{Bench, cache, checked, rows::Rows, stock},
        window::plan,
        write::Written,
    },
    signal::{Signal, Table},
};
use object_store::{ObjectStoreExt, path::Path};
use parquet::errors::ParquetError;
use std::sync::{Arc, atomic::Ordering};

fn written(bench: &Bench, signal: Signal, rows: usize) -> Written {
    let mut random = Rows::new(11, 1);
    let requests: Vec<_> = (0..3).map(|_| random.request(signal, rows)).collect();
    let mut plans = plan(&requests, signal, 1).expect("a plan");
    bench.write(signal, &requests, plans.remove(0))
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bench = Bench::new();
    let written = written(&bench, Signal::Logs, 30);
    let object = &written.meta.objects[0];
    let segment = bench.uploaded(&written.meta);
    let whole = bench.bytes(&object.file.path);
    let path = Path::from(object.file.path.as_str());
    // The first four bytes are the magic number, which no reader of ranges looks at.
    for at in 4..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        bench
            .wait(segment.store.put(&path, bytes.into()))
            .expect("put");
        let (cache, damage) = cache();
        let read = bench.wait(checked(&segment, Table::Logs, cache, Arc::default()));
        let Err(ParquetError::External(error)) = read else {
            panic!("byte {at} went unnoticed")
        };
        let error = error.downcast_ref::<Error>().expect("our error");
        assert_eq!(error.kind(), Kind::Corrupt, "byte {at}: {error}");
        let damage = damage.lock();
        assert_eq!(damage.len(), 1, "byte {at}");
        assert_eq!(damage[0].segment, segment.meta.id);
        assert_eq!(damage[0].what, object.file.path);
    }
}

#[test]
fn an_object_that_is_short_or_gone_is_reported() {
    let bench = Bench::new();
    let written = written(&bench, Signal::Logs, 30);
    let object = &written.meta.objects[0];
    let segment = bench.uploaded(&written.meta);
    let path = Path::from(object.file.path.as_str());
    let whole = bench.bytes(&object.file.path);
    bench
        .wait(
            segment
                .store
                .put(&path, whole.slice(..whole.len() / 2).into()),
        )
        .expect("put");
    let (cache, damage) = cache();
    bench
        .wait(checked(
            &segment,
            Table::Logs,
            cache.clone(),
            Arc::default(),
        ))
        .expect_err("short");
    bench.wait(segment.store.delete(&path)).expect("delete");
    bench
        .wait(checked(&segment, Table::Logs, cache, Arc::default()))
        .expect_err("gone");
    assert_eq!(damage.lock().len(), 2);
}

#[test]
fn a_seeded_footer_is_the_one_in_the_file() {
    let bench = Bench::new();
    for signal in Signal::ALL {
        let written = written(&bench, signal, 9_000);
        let segment = bench.uploaded(&written.meta);
        for (table, footer) in &written.footers {
            let (cache, _) = cache();
            let reader =
                SegmentReader::new(&segment, *table, cache, Arc::default()).expect("a reader");
            let read = bench.wait(reader.footer()).expect("a footer");
            assert_eq!(read.row_groups(), footer.row_groups());
            assert_eq!(read.column_index(), footer.column_index());
            assert_eq!(read.offset_index(), footer.offset_index());
            assert_eq!(
                read.file_metadata().key_value_metadata(),
                footer.file_metadata().key_value_metadata()
            );
        }
    }
}

#[test]
fn fetches_are_few_and_only_what_is_asked_after_the_first() {
    let bench = Bench::new();
    let written = written(&bench, Signal::Logs, 20_000);
    let object = &written.meta.objects[0];
    let segment = bench.uploaded(&written.meta);
    let (cache, _) = cache();
    cache.insert_footer(&object.file.path, written.footers[0].1.clone());
    let counters = Arc::new(ReadCounters::default());
    let reader = SegmentReader::new(&segment, Table::Logs, cache.clone(), counters.clone())
        .expect("a reader");
    let chunk = written.footers[0].1.row_group(0).column(0).byte_range();
    let whole = chunk.0..chunk.0 + chunk.1;
    let part = chunk.0 + 10..chunk.0 + 20;
    let expected = bench.bytes(&object.file.path);

    let first = bench
        .wait(reader.ranges(vec![part.clone()]))
        .expect("bytes")
        .remove(0);
    assert_eq!(
        first,
        expected.slice(part.start as usize..part.end as usize)
    );
    assert_eq!(counters.requests.load(Ordering::Relaxed), 1);
    assert_eq!(
        counters.bytes.load(Ordering::Relaxed),
        whole.end - whole.start,
        "the whole chunk"
    );

    bench
        .wait(reader.ranges(vec![part.clone(), part.clone()]))
        .expect("bytes");
    assert_eq!(counters.requests.load(Ordering::Relaxed), 2);
    assert_eq!(
        counters.bytes.load(Ordering::Relaxed),
        whole.end - whole.start + 10,
        "the part"
    );

    // The staged copy is another file, whose chunks have not been checked.
    let staged = crate::snapshot::LiveSegment {
        staged: true,
        ..segment.clone()
    };
    let reader =
        SegmentReader::new(&staged, Table::Logs, cache, counters.clone()).expect("a reader");
    bench.wait(reader.ranges(vec![part])).expect("bytes");
    assert_eq!(
        counters.bytes.load(Ordering::Relaxed),
        2 * (whole.end - whole.start) + 10
    );

    let beyond = expected.len() as u64 - 20..expected.len() as u64 - 10;
    assert_eq!(
        bench
            .wait(reader.ranges(vec![beyond]))
            .expect_err("no chunk")
            .kind(),
        Kind::Invalid
    );
}

#[test]
fn a_full_cache_forgets_and_reads_again() {
    let bench = Bench::new();
    let written = written(&bench, Signal::Spans, 50);
    let segment = bench.uploaded(&written.meta);
    let cache = Arc::new(super::ReadCache::new(1, Arc::new(|_| panic!("no damage"))));
    for _ in 0..2 {
        for object in &written.meta.objects {
            let read = bench.wait(checked(
                &segment,
                object.table,
                cache.clone(),
                Arc::default(),
            ));
            assert_eq!(
                read.expect("readable"),
                stock(bench.bytes(&object.file.path))
            );
        }
    }
}
