//! Reading through the cache of a bucket that is far away.

use super::*;
use crate::{
    objects::cache::{
        BlockCache, Capacity,
        tests::scripted::{Scripted, Step},
    },
    segment::{LiveSegment, read::ReadCache},
    telemetry::BucketTelemetry,
};
use object_store::ObjectStore;

fn blocks(bench: &Bench, store: &Arc<dyn ObjectStore>) -> Arc<BlockCache> {
    let capacity = Capacity {
        memory_bytes: 256 << 20,
        disk_bytes: 0,
        folder: "/nowhere".into(),
    };
    let telemetry = BucketTelemetry::default();
    let opened = BlockCache::open(store.clone(), &bench.world, telemetry, capacity);
    Arc::new(bench.wait(opened))
}

/// Readers that know nothing yet but the blocks.
fn readers(blocks: &Arc<BlockCache>) -> Arc<ReadCache> {
    let cache = ReadCache::new(64 << 20, Arc::new(|damage| panic!("{damage:?}")));
    Arc::new(cache.with_blocks(Some(blocks.clone())))
}

fn load(count: &std::sync::atomic::AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[test]
fn what_was_read_once_takes_no_request() {
    let bench = Bench::new();
    for signal in Signal::ALL {
        let written = written(&bench, signal, 9_000);
        let segment = bench.uploaded(&written.meta);
        let blocks = blocks(&bench, &segment.store);
        for is_first in [true, false] {
            let counters = Arc::new(ReadCounters::default());
            let readers = readers(&blocks);
            for object in &written.meta.objects {
                let (readers, counters) = (readers.clone(), counters.clone());
                let read = bench.wait(checked(&segment, object.table, readers, counters));
                let expected = stock(bench.bytes(&object.file.path));
                assert_eq!(read.expect("readable"), expected);
            }
            bench
                .wait(readers.index(&segment, &counters))
                .expect("readable");
            assert_eq!(load(&counters.requests) > 0, is_first, "{signal}");
            assert_eq!(load(&counters.bytes) > 0, is_first, "{signal}");
            assert!(load(&counters.cached_blocks) > 0 || is_first, "{signal}");
        }
        // Staged files are read where they lie, and deleted ones are forgotten.
        let counters = Arc::new(ReadCounters::default());
        let staged = LiveSegment {
            staged: true,
            ..segment.clone()
        };
        let table = written.meta.objects[0].table;
        bench
            .wait(checked(&staged, table, readers(&blocks), counters.clone()))
            .expect("readable");
        assert!(load(&counters.requests) > 0);
        assert_eq!(load(&counters.cached_blocks), 0);
        readers(&blocks).forget_segment(&written.meta);
        assert_eq!(blocks.memory_bytes(), 0, "{signal}");
    }
}

#[test]
fn damage_in_the_cache_is_not_taken_for_damage_in_the_bucket() {
    let bench = Bench::new();
    let written = written(&bench, Signal::Logs, 3_000);
    let file = &written.meta.objects[0].file;
    let whole = bench.bytes(&file.path);
    let expected = stock(whole.clone());
    let path = Path::from(file.path.as_str());
    for at in (4..whole.len()).step_by(whole.len() / 50) {
        let segment = bench.uploaded(&written.meta);
        let mut bytes = whole.to_vec();
        bytes[at] ^= 4;
        // The cache was filled when the object looked like this.
        let damaged = bench.uploaded(&written.meta);
        bench
            .wait(damaged.store.put(&path, bytes.clone().into()))
            .expect("put");
        let blocks = blocks(&bench, &damaged.store);
        let read = |readers| bench.wait(checked(&segment, Table::Logs, readers, Arc::default()));
        assert_eq!(read(readers(&blocks)).expect("readable"), expected, "{at}");
        // Where both are damaged, it is the object.
        bench
            .wait(segment.store.put(&path, bytes.into()))
            .expect("put");
        let (cache, damage) = cache();
        let cache = Arc::into_inner(cache).expect("nobody else has it");
        read(Arc::new(cache.with_blocks(Some(blocks)))).expect_err("damaged");
        assert_eq!(damage.lock().len(), 1, "{at}");
    }
}

#[test]
fn the_next_row_group_is_fetched_ahead_until_the_reader_goes() {
    let bench = Bench::new();
    let written = written(&bench, Signal::Logs, 60_000);
    let file = &written.meta.objects[0].file;
    let footer = written.footers[0].1.clone();
    assert!(file.size_bytes > 6 << 20, "{} bytes", file.size_bytes);
    let whole = bench.bytes(&file.path);
    let store = bench.wait(Scripted::with(&file.path, whole.clone()));
    let segment = LiveSegment {
        meta: written.meta.clone(),
        store: store.clone(),
        staged: false,
    };
    let blocks = blocks(&bench, &segment.store);
    let readers = readers(&blocks);
    readers.insert_footer(&file.path, footer.clone());
    let counters = Arc::new(ReadCounters::default());
    let reader = SegmentReader::new(&segment, Table::Logs, readers.clone(), counters.clone())
        .expect("a reader");
    let bytes = |group: usize, column: usize| {
        let (start, length) = footer.row_group(group).column(column).byte_range();
        start..start + length
    };
    let columns = 0..footer.row_group(0).num_columns();
    let column = columns.max_by_key(|column| bytes(0, *column).end - bytes(0, *column).start);
    let column = column.expect("columns");
    // A row group whose chunk shares no block with that of the next one.
    let block = |at: u64| at >> 20;
    let apart =
        |group: &usize| block(bytes(*group, column).end) < block(bytes(group + 1, column).start);
    let mut groups = 0..footer.num_row_groups() - 1;
    let group = groups.find(apart).expect("row groups that lie apart");
    let (this, next) = (bytes(group, column), bytes(group + 1, column));
    bench.wait(async {
        let part = this.start..this.start + 1;
        reader.ranges(vec![part]).await.expect("read");
        let alone = store.asked().len();
        settle().await;
        assert_eq!(store.asked().len(), alone, "single rows are looked for");
        store.script([Step::Held]);
        reader.ranges(vec![this.clone()]).await.expect("read");
        settle().await;
        assert_eq!(store.asked().len(), alone + 1, "the next row group");
        assert!(load(&counters.ahead_bytes) > 0);
        let clone = reader.clone();
        drop(reader);
        settle().await;
        assert!(load(&counters.ahead_bytes) > 0, "its clone still reads");
        drop(clone);
        settle().await;
        assert_eq!(load(&counters.ahead_bytes), 0, "nobody reads any more");

        let reader = SegmentReader::new(&segment, Table::Logs, readers, counters.clone());
        let reader = reader.expect("a reader");
        reader.ranges(vec![this.clone()]).await.expect("read");
        settle().await;
        let fetched = store.asked().len();
        let read = reader.ranges(vec![next.clone()]).await.expect("read");
        let expected = whole.slice(next.start as usize..next.end as usize);
        assert_eq!(read[0], expected);
        assert_eq!(store.asked().len(), fetched, "it was there");
    });
}

/// Lets other tasks come to where they wait.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
