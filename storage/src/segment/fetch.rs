//! Fetches ranges of an object, in few requests, and counts them.

pub use crate::objects::counters::ReadCounters;

use crate::{
    error::{Error, Result},
    objects::cache::{BlockCache, Extent},
};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use std::{ops::Range, sync::Arc};

/// Ranges closer than this are fetched in one request: on an object store a request costs more than these bytes.
const GAP_BYTES: u64 = 64 << 10;
/// A request grows to this size at most, so that large reads still run side by side.
const REQUEST_BYTES: u64 = 16 << 20;

/// An object to be read, through the cache where it is far away.
#[derive(Clone)]
pub(crate) struct Source {
    store: Arc<dyn ObjectStore>,
    path: Path,
    cached: Option<(Arc<BlockCache>, Extent)>,
}

impl Source {
    /// The object at `path` of `store`, and the cache that it is read through.
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        path: Path,
        cached: Option<(Arc<BlockCache>, Extent)>,
    ) -> Source {
        Source {
            store,
            path,
            cached,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The cache, and how it cuts the object.
    pub(crate) fn cached(&self) -> Option<&(Arc<BlockCache>, Extent)> {
        self.cached.as_ref()
    }

    /// The bytes of each of `ranges`, in their order.
    pub(crate) async fn fetch(
        &self,
        ranges: &[Range<u64>],
        counters: &ReadCounters,
    ) -> Result<Vec<Bytes>> {
        let is_within = |extent: &Extent| ranges.iter().all(|r| r.end <= extent.size());
        let cached = self.cached.as_ref();
        let Some((cache, extent)) = cached.filter(|(_, extent)| is_within(extent)) else {
            return fetch(&*self.store, &self.path, ranges, counters).await;
        };
        let source = match cache.read(extent, ranges, counters).await {
            Ok(bytes) => return Ok(bytes),
            Err(source) => source,
        };
        match self.store.head(&self.path).await {
            // A cut object has no whole blocks at its end, and may have what is asked for.
            Ok(meta) if meta.size < extent.size() => {
                fetch(&*self.store, &self.path, ranges, counters).await
            }
            _ => Err(Error::Objects {
                doing: "reading a segment",
                source,
            }),
        }
    }

    /// What `check` makes of the bytes of one range.
    pub(crate) async fn fetch_checked<T>(
        &self,
        range: Range<u64>,
        counters: &ReadCounters,
        check: impl Fn(Bytes) -> Result<T>,
    ) -> Result<T> {
        let ranges = std::slice::from_ref(&range);
        let bytes = self.fetch(ranges, counters).await?.remove(0);
        let error = match check(bytes) {
            Err(error @ Error::Corrupt { .. }) => error,
            checked => return checked,
        };
        match self.fetch_anew(range, counters).await? {
            Some(bytes) => check(bytes),
            None => Err(error),
        }
    }

    /// The bytes of a range from the store itself, after those that came through the cache were found to be damaged;
    /// `None` where no cache can be blamed.
    pub(crate) async fn fetch_anew(
        &self,
        range: Range<u64>,
        counters: &ReadCounters,
    ) -> Result<Option<Bytes>> {
        let Some((cache, extent)) = &self.cached else {
            return Ok(None);
        };
        cache.forget_ranges(extent, std::slice::from_ref(&range));
        let bytes = fetch_one(&*self.store, &self.path, range, counters).await?;
        Ok(Some(bytes))
    }
}

/// The bytes of each of `ranges`, in their order.
pub(crate) async fn fetch(
    store: &dyn ObjectStore,
    path: &Path,
    ranges: &[Range<u64>],
    counters: &ReadCounters,
) -> Result<Vec<Bytes>> {
    let requests = merge(ranges);
    let bytes = requests.iter().map(|range| range.end - range.start).sum();
    counters.count_requests(requests.len() as u64, bytes);
    let fetched = match store.get_ranges(path, &requests).await {
        Ok(fetched) => fetched,
        Err(source) => return Err(explained(store, path, &requests, source).await),
    };
    ranges
        .iter()
        .map(|range| cut(path, range, &requests, &fetched))
        .collect()
}

/// The bytes of one range, in one request.
pub(crate) async fn fetch_one(
    store: &dyn ObjectStore,
    path: &Path,
    range: Range<u64>,
    counters: &ReadCounters,
) -> Result<Bytes> {
    let mut bytes = fetch(store, path, std::slice::from_ref(&range), counters).await?;
    Ok(bytes.remove(0))
}

/// Stores say that a range lies beyond the end of an object in words of their own: asks for the length, to tell a cut
/// object from one that is out of reach.
async fn explained(
    store: &dyn ObjectStore,
    path: &Path,
    requests: &[Range<u64>],
    source: object_store::Error,
) -> Error {
    let last = requests.last().map_or(0, |range| range.end);
    match store.head(path).await {
        Ok(meta) if meta.size < last => Error::Corrupt {
            what: path.to_string(),
            detail: format!("it ends at {} and is read up to {last}", meta.size),
        },
        _ => Error::Objects {
            doing: "reading a segment",
            source,
        },
    }
}

/// The part of what was fetched that `range` names.
fn cut(
    path: &Path,
    range: &Range<u64>,
    requests: &[Range<u64>],
    fetched: &[Bytes],
) -> Result<Bytes> {
    let at = requests.partition_point(|request| request.start <= range.start) - 1;
    let from = (range.start - requests[at].start) as usize;
    let to = (range.end - requests[at].start) as usize;
    if to > fetched[at].len() {
        let detail = format!(
            "it ends at {} and is read up to {}",
            requests[at].start + fetched[at].len() as u64,
            range.end
        );
        return Err(Error::Corrupt {
            what: path.to_string(),
            detail,
        });
    }
    Ok(fetched[at].slice(from..to))
}

/// Requests that cover `ranges`, sorted and apart.
fn merge(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if joins(last, &range) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether `next`, which starts no earlier, is fetched together with `last`.
fn joins(last: &Range<u64>, next: &Range<u64>) -> bool {
    let overlaps = next.start < last.end;
    let near = next.start <= last.end + GAP_BYTES && next.end - last.start <= REQUEST_BYTES;
    overlaps || near
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use std::sync::atomic::Ordering;

    #[test]
    fn near_ranges_are_one_request() {
        let gap = GAP_BYTES;
        assert_eq!(
            merge(&[10..20, 0..10, 20 + gap..30 + gap]),
            vec![0..30 + gap]
        );
        assert_eq!(
            merge(&[0..10, 11 + gap..20 + gap]),
            vec![0..10, 11 + gap..20 + gap]
        );
        assert_eq!(merge(&[0..10, 5..7, 5..30]), vec![0..30]);
        let large = REQUEST_BYTES;
        assert_eq!(
            merge(&[0..large, large..large + 1]),
            vec![0..large, large..large + 1]
        );
    }

    #[tokio::test]
    async fn each_range_gets_its_bytes() {
        let store = InMemory::new();
        let path = Path::from("a");
        let content: Vec<u8> = (0..=255).collect();
        store.put(&path, content.into()).await.expect("put");
        let counters = ReadCounters::default();
        let ranges = [200..210, 0..3, 1..2, 255..256];
        let fetched = fetch(&store, &path, &ranges, &counters)
            .await
            .expect("fetch");
        for (range, bytes) in ranges.iter().zip(&fetched) {
            let expected: Vec<u8> = (range.start as u8..=(range.end - 1) as u8).collect();
            assert_eq!(bytes.as_ref(), expected);
        }
        assert_eq!(counters.requests.load(Ordering::Relaxed), 1);
        assert_eq!(counters.bytes.load(Ordering::Relaxed), 256);
        // Beyond the end: the object was cut, whatever the store calls it.
        for range in [250..300, 300..310] {
            let cut = fetch_one(&store, &path, range, &counters).await;
            assert!(matches!(cut, Err(Error::Corrupt { .. })), "{cut:?}");
        }
    }
}
