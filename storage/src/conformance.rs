//! What a bucket must do for a store, as one suite that runs on every kind of bucket: the local folder, memory, and a real
//! S3 server (`examples/s3.rs`).
//!
//! First the calls as we make them, then the lives of a store over the bucket: flush, restart, loss of the catalog.

mod lives;

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, path::Path,
};
use std::{collections::BTreeSet, sync::Arc};

pub use lives::Place;

/// A case by name; it panics where the bucket does not do what it must.
pub type Case = (&'static str, BoxFuture<'static, ()>);

/// A bucket that is shared by the cases: each keeps to a folder of its own, and none makes what looks like a segment.
type Bucket = Arc<dyn ObjectStore>;

/// All cases: the calls on `place.bucket`, then the lives of a store over it.
pub fn cases(place: &Place) -> Vec<Case> {
    let bucket = || place.bucket.clone();
    vec![
        (
            "objects come back whole and in ranges",
            whole_and_in_ranges(bucket()).boxed(),
        ),
        ("large objects come back", large(bucket()).boxed()),
        ("what is missing says so", missing(bucket()).boxed()),
        (
            "a second put of the same path replaces",
            put_twice(bucket()).boxed(),
        ),
        (
            "lists go by whole parts and over many pages",
            lists(bucket()).boxed(),
        ),
        ("what is deleted is gone", deleted(bucket()).boxed()),
        ("of many creators one wins", creators(bucket()).boxed()),
        (
            "a store flushes, restarts, and loses its catalog",
            lives::all(place.clone()).boxed(),
        ),
    ]
}

fn path(text: &str) -> Path {
    Path::parse(text).expect("well-formed")
}

async fn read(bucket: &Bucket, location: &Path) -> Bytes {
    let answer = bucket.get(location).await.expect("it is there");
    answer.bytes().await.expect("readable")
}

async fn names(bucket: &Bucket, prefix: &str) -> BTreeSet<String> {
    let listed: Vec<ObjectMeta> = bucket
        .list(Some(&path(prefix)))
        .try_collect()
        .await
        .expect("listed");
    let names = listed.into_iter().map(|meta| meta.location.to_string());
    names.collect()
}

async fn whole_and_in_ranges(bucket: Bucket) {
    let location = path("ranges/tenant=a/signal=logs/x");
    let parts: Vec<Bytes> = vec!["hello ".into(), "".into(), "world".into()];
    let payload: PutPayload = parts.into_iter().collect();
    bucket.put(&location, payload).await.expect("written");
    assert_eq!(read(&bucket, &location).await, "hello world");
    assert_eq!(bucket.head(&location).await.expect("there").size, 11);
    let range = |range| bucket.get_range(&location, range);
    assert_eq!(range(2..8).await.expect("read"), "llo wo");
    assert_eq!(range(6..99).await.expect("cut at the end"), "world");
    range(11..12).await.expect_err("begins behind the end");
    let ranges = bucket.get_ranges(&location, &[0..1, 4..7]).await;
    assert_eq!(ranges.expect("read"), ["h", "o w"]);
}

async fn large(bucket: Bucket) {
    // Larger than a part of a multipart upload, and no two places in it alike.
    let numbers = (0..3_000_000_u32).flat_map(u32::to_le_bytes);
    let bytes: Bytes = numbers.collect::<Vec<u8>>().into();
    let location = path("large/x");
    let put = bucket.put(&location, bytes.clone().into()).await;
    put.expect("written");
    assert_eq!(read(&bucket, &location).await, bytes);
    let middle = 8_388_601..8_388_615;
    let found = bucket.get_range(&location, middle.clone()).await;
    assert_eq!(
        found.expect("read"),
        bytes.slice(middle.start as usize..middle.end as usize)
    );
}

async fn missing(bucket: Bucket) {
    bucket
        .put(&path("missing/a/b"), "x".into())
        .await
        .expect("written");
    for name in ["missing/a", "missing/a/b/c", "missing/c"] {
        let gone = |error: &Error| matches!(error, Error::NotFound { .. });
        let location = path(name);
        let error = bucket.get(&location).await.expect_err("missing");
        assert!(gone(&error), "{name}: {error}");
        let error = bucket.head(&location).await.expect_err("missing");
        assert!(gone(&error), "{name}: {error}");
        let error = bucket.get_ranges(&location, &[0..1, 2..3]).await;
        let error = error.expect_err("missing");
        assert!(gone(&error), "{name}: {error}");
    }
}

/// An upload whose answer was lost is made again: the same bytes to the same path.
async fn put_twice(bucket: Bucket) {
    let location = path("twice/x");
    for text in ["first", "first", "another"] {
        bucket.put(&location, text.into()).await.expect("written");
        assert_eq!(read(&bucket, &location).await, text);
    }
    assert_eq!(names(&bucket, "twice").await.len(), 1);
}

async fn lists(bucket: Bucket) {
    let few = ["a/b/1", "a/b/2", "a/bc/3", "a/b4", "e"].map(|name| format!("lists/{name}"));
    for name in &few {
        let payload = PutPayload::from(name.clone());
        bucket.put(&path(name), payload).await.expect("written");
    }
    let set = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| format!("lists/{name}")).collect()
    };
    assert_eq!(names(&bucket, "lists").await, BTreeSet::from(few));
    assert_eq!(
        names(&bucket, "lists/a/b").await,
        set(&["a/b/1", "a/b/2"]),
        "a prefix is a folder, not the start of a name"
    );
    assert_eq!(names(&bucket, "lists/z").await, set(&[]));
    let listed = bucket
        .list_with_delimiter(Some(&path("lists/a")))
        .await
        .expect("listed");
    assert_eq!(
        listed.common_prefixes,
        [path("lists/a/b"), path("lists/a/bc")]
    );
    assert_eq!(listed.objects.len(), 1);
    // S3 gives a thousand names at once.
    const MANY: usize = 1_100;
    let puts = (0..MANY).map(|number| {
        let (bucket, location) = (bucket.clone(), path(&format!("pages/{number:05}")));
        async move { bucket.put(&location, "x".into()).await.map(drop) }
    });
    let done = futures::stream::FuturesUnordered::from_iter(puts);
    done.try_collect::<()>().await.expect("written");
    assert_eq!(names(&bucket, "pages").await.len(), MANY);
}

async fn deleted(bucket: Bucket) {
    let location = path("deleted/x");
    bucket.put(&location, "x".into()).await.expect("written");
    bucket.delete(&location).await.expect("deleted");
    bucket.get(&location).await.expect_err("it is gone");
    assert_eq!(names(&bucket, "deleted").await, BTreeSet::new());
}

async fn creators(bucket: Bucket) {
    for round in 0..5 {
        let location = path(&format!("creators/{round}"));
        let creators = (0..12).map(|creator| {
            let (bucket, location) = (bucket.clone(), location.clone());
            async move {
                let payload = PutPayload::from(format!("{creator}"));
                let put = bucket.put_opts(&location, payload, PutMode::Create.into());
                match put.await {
                    Ok(_) => Some(creator),
                    Err(Error::AlreadyExists { .. }) => None,
                    Err(error) => panic!("a creator was told {error}"),
                }
            }
        });
        let won = futures::future::join_all(creators).await;
        let won: Vec<u32> = won.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "the creators {won:?} won");
        assert_eq!(read(&bucket, &location).await, format!("{}", won[0]));
    }
}

#[cfg(test)]
mod tests;
