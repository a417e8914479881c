//! The cache over a store whose every request is seen, held back or refused.

mod disk;
pub(crate) mod scripted;

use super::*;
use crate::world::real;
use proptest::prelude::*;
use scripted::{Scripted, Step};
use std::path::Path as Folder;
use tokio::task::yield_now;

const MIB: u64 = 1 << 20;

/// Bytes that differ from those of any other place.
fn content(size: u64) -> Bytes {
    let words =
        (0..size.div_ceil(4)).flat_map(|n| (n as u32).wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(size as usize).collect()
}

fn part(content: &Bytes, range: &Range<u64>) -> Bytes {
    content.slice(range.start as usize..range.end as usize)
}

fn only(range: Range<u64>) -> Vec<Range<u64>> {
    std::iter::once(range).collect()
}

async fn open(
    store: &Arc<Scripted>,
    memory_bytes: u64,
    disk: Option<(&Folder, u64)>,
) -> BlockCache {
    let (folder, disk_bytes) = disk.unwrap_or((Folder::new("/nowhere"), 0));
    let capacity = Capacity {
        memory_bytes,
        disk_bytes,
        folder: folder.join("cache"),
    };
    let telemetry = BucketTelemetry::default();
    let cache = BlockCache::open(store.clone(), &real::world(), telemetry, capacity).await;
    // Not by the clock: until it is open nothing is kept.
    while !cache.tiers.is_open() {
        yield_now().await;
    }
    cache
}

/// An object of `size` bytes in a store, as Parquet with a footer of `footer` bytes.
async fn object(size: u64, footer: u64) -> (Arc<Scripted>, Extent, Bytes) {
    let content = content(size);
    let store = Scripted::with("tenant=a/x.parquet", content.clone()).await;
    let extent = Extent::parquet(&store.path, size, footer);
    (store, extent, content)
}

async fn read(cache: &BlockCache, extent: &Extent, range: Range<u64>) -> Result<Bytes> {
    let counters = ReadCounters::default();
    let mut read = cache.read(extent, &[range], &counters).await?;
    Ok(read.remove(0))
}

#[tokio::test]
async fn neighbours_come_in_one_request_and_then_from_memory() {
    let (store, extent, content) = object(9 * MIB, 1_000).await;
    let cache = open(&store, 64 * MIB, None).await;
    let counters = ReadCounters::default();
    let ranges = [10..20, MIB - 5..3 * MIB + 5, 6 * MIB..6 * MIB + 1];
    for _ in 0..2 {
        let read = cache.read(&extent, &ranges, &counters).await.expect("read");
        for (range, bytes) in ranges.iter().zip(&read) {
            assert_eq!(*bytes, part(&content, range));
        }
        assert_eq!(store.asked(), [0..4 * MIB, 6 * MIB..7 * MIB]);
    }
    assert_eq!(counters.requests.load(Ordering::Relaxed), 2);
    assert_eq!(counters.bytes.load(Ordering::Relaxed), 5 * MIB);
    assert_eq!(counters.cached_blocks.load(Ordering::Relaxed), 5);
    assert_eq!(counters.cached_bytes.load(Ordering::Relaxed), 5 * MIB);
    // The footer comes alone, though the object's end is near.
    read_footer(&cache, &extent, &content).await;
    assert_eq!(store.asked().last(), Some(&(9 * MIB - 1_000..9 * MIB)));
    let tiers = ["memory", "bucket", "shared"].map(|tier| cache.telemetry.blocks(tier));
    assert_eq!(tiers, [5, 6, 0]);
}

#[tokio::test]
async fn a_small_object_comes_whole_and_is_counted_by_what_is_needed() {
    let (store, extent, content) = object(3 * MIB, 1_000).await;
    let cache = open(&store, 64 * MIB, None).await;
    let counters = ReadCounters::default();
    let last = 2 * MIB + 5..2 * MIB + 9;
    for range in [0..7, last.clone(), 1..9, last] {
        let ranges = std::slice::from_ref(&range);
        let read = cache.read(&extent, ranges, &counters).await.expect("read");
        assert_eq!(read[0], part(&content, &range));
        assert_eq!(store.asked(), only(0..3 * MIB - 1_000));
    }
    assert_eq!(counters.cached_blocks.load(Ordering::Relaxed), 3);
    read_footer(&cache, &extent, &content).await;
    // What was forgotten is missing only where it is needed.
    cache.forget_ranges(&extent, &only(0..1));
    cache
        .read(&extent, &only(MIB..MIB + 1), &counters)
        .await
        .expect("read");
    assert_eq!(store.asked().len(), 2);
    cache
        .read(&extent, &only(0..1), &counters)
        .await
        .expect("read");
    assert_eq!(store.asked().last(), Some(&(0..MIB)));
}

async fn read_footer(cache: &BlockCache, extent: &Extent, content: &Bytes) {
    let footer = content.len() as u64 - 1_000..content.len() as u64;
    let bytes = read(cache, extent, footer.clone()).await.expect("read");
    assert_eq!(bytes, part(content, &footer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_readers_of_a_block_make_one_request() {
    let (store, extent, content) = object(9 * MIB, 0).await;
    store.script([Step::Held, Step::Held]);
    let cache = Arc::new(open(&store, 64 * MIB, None).await);
    let readers: Vec<_> = (0..50)
        .map(|number: u64| {
            let (cache, extent, content) = (cache.clone(), extent.clone(), content.clone());
            tokio::spawn(async move {
                // All want block 3, each a part of its own; every fifth one block 4 as well.
                let end = if number.is_multiple_of(5) {
                    4 * MIB + 9
                } else {
                    4 * MIB
                };
                let range = 3 * MIB + number..end;
                let bytes = read(&cache, &extent, range.clone()).await.expect("read");
                assert_eq!(bytes, part(&content, &range));
            })
        })
        .collect();
    while store.asked().is_empty() {
        yield_now().await;
    }
    for _ in 0..100 {
        yield_now().await;
    }
    store.release();
    for reader in readers {
        reader.await.expect("read");
    }
    let mut blocks: Vec<u64> = Vec::new();
    for range in store.asked() {
        blocks.extend(range.start / MIB..range.end.div_ceil(MIB));
    }
    blocks.sort_unstable();
    assert_eq!(blocks, [3, 4], "each block was asked for once");
}

#[tokio::test]
async fn a_reader_that_goes_leaves_its_request_to_the_others() {
    let (store, extent, content) = object(9 * MIB, 0).await;
    store.script([Step::Held]);
    let cache = open(&store, 64 * MIB, None).await;
    let mut first = Box::pin(read(&cache, &extent, 0..10));
    let mut second = Box::pin(read(&cache, &extent, 5..15));
    assert!(futures::poll!(&mut first).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    drop(first);
    store.release();
    assert_eq!(second.await.expect("read"), part(&content, &(5..15)));
    assert_eq!(store.asked(), only(0..MIB));
    // One that nobody waits for any more ends, and the next reader sends its own.
    store.hold();
    store.script([Step::Held]);
    let mut alone = Box::pin(read(&cache, &extent, 5 * MIB..5 * MIB + 1));
    assert!(futures::poll!(&mut alone).is_pending());
    drop(alone);
    read(&cache, &extent, 5 * MIB..5 * MIB + 1)
        .await
        .expect("read");
    assert_eq!(store.asked(), [0..MIB, 5 * MIB..6 * MIB, 5 * MIB..6 * MIB]);
}

#[tokio::test]
async fn a_failed_request_is_not_kept_and_concerns_all_who_wait() {
    let (store, extent, content) = object(9 * MIB, 0).await;
    store.script([Step::HeldAndRefused]);
    let cache = open(&store, 64 * MIB, None).await;
    let mut first = Box::pin(read(&cache, &extent, 0..10));
    let mut second = Box::pin(read(&cache, &extent, 5..15));
    assert!(futures::poll!(&mut first).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    store.release();
    first.await.expect_err("refused");
    second.await.expect_err("refused");
    assert_eq!(store.asked().len(), 1);
    let bytes = read(&cache, &extent, 0..10).await.expect("read");
    assert_eq!(bytes, part(&content, &(0..10)));
    assert_eq!(store.asked().len(), 2);
    store.delete().await;
    let gone = read(&cache, &extent, 5 * MIB..5 * MIB + 1).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_cut_object_is_an_error_and_leaves_nothing() {
    let (store, _, _) = object(3 * MIB, 0).await;
    let cache = open(&store, 64 * MIB, None).await;
    let extent = Extent::parquet(&store.path, 7 * MIB, 0);
    for _ in 0..2 {
        read(&cache, &extent, 0..4 * MIB).await.expect_err("cut");
    }
    assert_eq!(store.asked().len(), 2);
    assert_eq!(cache.memory_bytes(), 0);
}

#[tokio::test]
async fn memory_stays_within_its_limit() {
    let (store, extent, content) = object(40 * MIB, 0).await;
    let cache = open(&store, 8 * MIB, None).await;
    for round in 0..3 {
        for number in (0..40).step_by(4) {
            let range = number * MIB..(number + 4) * MIB;
            let bytes = read(&cache, &extent, range.clone()).await.expect("read");
            assert_eq!(bytes, part(&content, &range));
            let held = cache.memory_bytes();
            assert!(held <= 8 * MIB, "{held} in round {round}");
        }
    }
    assert!(cache.memory_bytes() > 4 * MIB, "and it is used");
}

#[tokio::test]
async fn forgotten_blocks_are_fetched_again() {
    let (store, extent, _) = object(9 * MIB, 100).await;
    let cache = open(&store, 64 * MIB, None).await;
    read(&cache, &extent, 0..9 * MIB).await.expect("read");
    assert_eq!(store.asked().len(), 1);
    cache.forget_ranges(&extent, std::slice::from_ref(&(MIB..MIB + 1)));
    read(&cache, &extent, 0..9 * MIB).await.expect("read");
    assert_eq!(store.asked().last(), Some(&(MIB..2 * MIB)));
    cache.forget(&extent);
    assert_eq!(cache.memory_bytes(), 0);
    read(&cache, &extent, 0..9 * MIB).await.expect("read");
    assert_eq!(store.asked().last(), Some(&(0..9 * MIB)));
}

#[tokio::test]
async fn what_was_fetched_ahead_is_there_for_the_reader() {
    let (store, extent, content) = object(70 * MIB, 0).await;
    let cache = open(&store, 128 * MIB, None).await;
    let counters = ReadCounters::default();
    let next = [5 * MIB..6 * MIB, 9 * MIB..9 * MIB + 5];
    cache.fetch_ahead(&extent, &next, &counters).await;
    assert_eq!(store.asked(), [5 * MIB..6 * MIB, 9 * MIB..10 * MIB]);
    assert_eq!(counters.requests.load(Ordering::Relaxed), 2);
    let read = cache.read(&extent, &next, &counters).await.expect("read");
    assert_eq!(read[1], part(&content, &next[1]));
    assert_eq!(counters.cached_blocks.load(Ordering::Relaxed), 2);
    // Again: nothing is missing. Too much: nothing is begun.
    cache.fetch_ahead(&extent, &next, &counters).await;
    let most = std::slice::from_ref(&(10 * MIB..70 * MIB));
    cache.fetch_ahead(&extent, most, &counters).await;
    assert_eq!(store.asked().len(), 2);
    assert_eq!(counters.ahead_bytes.load(Ordering::Relaxed), 0);
    let tiers = ["ahead", "memory", "bucket"].map(|tier| cache.telemetry.blocks(tier));
    assert_eq!(tiers, [2, 2, 0]);
}

/// Ranges within `size` bytes, some of them empty.
fn ranges(size: u64) -> impl Strategy<Value = Vec<Range<u64>>> {
    let range = (0..=size, 0..=size).prop_map(|(a, b)| a.min(b)..a.max(b));
    proptest::collection::vec(range, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ranges_are_the_bytes_of_the_object(
        (size, footer, reads) in (1..900_000_u64).prop_flat_map(|size| {
            (Just(size), 0..=size, proptest::collection::vec(ranges(size), 1..8))
        }),
        memory_bytes in prop_oneof![Just(1_u64), Just(300_000), Just(64 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (store, parquet, content) = object(size, footer).await;
            // Its blocks are the small ones.
            let index = Extent::index(&store.path, size);
            let cache = open(&store, memory_bytes, None).await;
            let counters = ReadCounters::default();
            for (number, ranges) in reads.iter().enumerate() {
                let extent = if number % 2 == 0 { &index } else { &parquet };
                let read = cache.read(extent, ranges, &counters).await.expect("read");
                assert_eq!(read.len(), ranges.len());
                for (range, bytes) in ranges.iter().zip(&read) {
                    assert_eq!(*bytes, part(&content, range), "{range:?}");
                }
            }
            assert_eq!(counters.requests.load(Ordering::Relaxed), store.asked().len() as u64);
        });
    }
}
