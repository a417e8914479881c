//! Reads the footers of the newest segments before anybody asks for them.

use super::{Store, state::FOOTER_CACHE_BYTES};
use crate::{
    segment::{LiveSegment, read::ReadCounters},
    signal::{Signal, Table},
};
use futures::{StreamExt, stream};
use std::sync::Arc;

/// Footers that are fetched at the same time: enough to hide the latency of a bucket, few enough to leave its
/// bandwidth to what the start of a server has to do.
const AT_ONCE: usize = 8;

/// Of the bytes that the cache may hold. A footer takes several times its size on disk when it is read, and what
/// queries read later should find room too.
const SHARE: u64 = 16;

/// Reads footers, newest segments first, until a part of the cache is full. Returns how many could be read.
///
/// Damage that it finds is reported as that of any reader is.
pub(super) async fn read_footers(store: &Store) -> usize {
    let mut left = FOOTER_CACHE_BYTES / SHARE;
    let newest = newest(store)
        .into_iter()
        .take_while(|(_, _, footer_bytes)| {
            let fits = *footer_bytes <= left;
            left = left.saturating_sub(*footer_bytes);
            fits
        });
    let counters = Arc::new(ReadCounters::default());
    let read = stream::iter(newest).map(|(segment, table, _)| {
        let reader = store.reader(&segment, table, counters.clone());
        async move { reader?.footer().await }
    });
    let read = read.buffer_unordered(AT_ONCE);
    read.filter(|footer| std::future::ready(footer.is_ok()))
        .count()
        .await
}

/// The objects of all segments with the bytes of their footers, newest first.
fn newest(store: &Store) -> Vec<(Arc<LiveSegment>, Table, u64)> {
    let mut segments: Vec<Arc<LiveSegment>> = Vec::new();
    for tenant in store.tenants() {
        for signal in Signal::ALL {
            segments.extend(store.snapshot(&tenant, signal).segments);
        }
    }
    segments.sort_by_key(|segment| std::cmp::Reverse(segment.meta.time.max));
    let objects = |segment: &Arc<LiveSegment>| {
        let objects = segment.meta.objects.iter();
        objects
            .map(|object| (segment.clone(), object.table, object.footer_bytes))
            .collect::<Vec<_>>()
    };
    segments.iter().flat_map(objects).collect()
}
