//! What an object store promises, on the real disk, and durability under power cuts, on the seeded one.

use super::*;
use crate::world::{
    real,
    simulated::{Ended, Faults, Simulation, Stop},
};
use futures::TryStreamExt;
use object_store::{GetRange, ObjectStoreExt};
use std::collections::{BTreeMap, BTreeSet};

fn path(text: &str) -> ObjectPath {
    ObjectPath::parse(text).expect("well-formed")
}

fn create() -> PutOptions {
    PutMode::Create.into()
}

/// A bucket in a temporary folder of the real disk.
fn bucket() -> (tempfile::TempDir, LocalStore) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = LocalStore::new(real::world(), folder.path().join("bucket"));
    (folder, store)
}

async fn read(store: &LocalStore, location: &str) -> Bytes {
    store
        .get(&path(location))
        .await
        .expect("there")
        .bytes()
        .await
        .expect("readable")
}

async fn names(store: &LocalStore, prefix: Option<&str>) -> BTreeSet<String> {
    let prefix = prefix.map(path);
    let all: Vec<ObjectMeta> = store
        .list(prefix.as_ref())
        .try_collect()
        .await
        .expect("listed");
    all.into_iter()
        .map(|meta| meta.location.to_string())
        .collect()
}

#[tokio::test]
async fn objects_come_back_whole_and_in_ranges() {
    let (_folder, store) = bucket();
    let location = path("tenant=a/signal=logs/x.parquet");
    let parts: Vec<Bytes> = vec!["hello ".into(), "".into(), "world".into()];
    let put = store
        .put(&location, parts.into_iter().collect())
        .await
        .expect("written");
    assert_eq!(read(&store, location.as_ref()).await, "hello world");
    let head = store.head(&location).await.expect("there");
    assert_eq!((head.size, head.e_tag), (11, put.e_tag));
    assert_eq!(
        store.get_range(&location, 2..8).await.expect("read"),
        "llo wo"
    );
    assert_eq!(
        store
            .get_range(&location, 6..99)
            .await
            .expect("cut at the end"),
        "world"
    );
    let ranges = store
        .get_ranges(&location, &[0..1, 4..7])
        .await
        .expect("read");
    assert_eq!(ranges, ["h", "o w"]);
    let suffix = GetOptions::new().with_range(Some(GetRange::Suffix(3)));
    let suffix = store.get_opts(&location, suffix).await.expect("read");
    assert_eq!(suffix.range, 8..11);
    assert_eq!(suffix.bytes().await.expect("read"), "rld");
    store
        .get_range(&location, 11..12)
        .await
        .expect_err("begins behind the end");
    let unchanged = GetOptions {
        if_none_match: head_tag(&store, &location).await,
        ..Default::default()
    };
    let error = store
        .get_opts(&location, unchanged)
        .await
        .expect_err("not modified");
    assert!(
        matches!(error, object_store::Error::NotModified { .. }),
        "{error}"
    );
    let large = Bytes::from(vec![3; 9 << 20]);
    store
        .put(&location, large.clone().into())
        .await
        .expect("overwritten");
    assert_eq!(read(&store, location.as_ref()).await, large);
}

async fn head_tag(store: &LocalStore, location: &ObjectPath) -> Option<String> {
    store.head(location).await.expect("there").e_tag
}

#[tokio::test]
async fn what_is_missing_says_so() {
    let (_folder, store) = bucket();
    store.put(&path("a/b"), "x".into()).await.expect("written");
    for missing in ["a", "a/b/c", "c", "a/c"] {
        let not_found = |error| matches!(error, object_store::Error::NotFound { .. });
        assert!(
            not_found(store.get(&path(missing)).await.expect_err("missing")),
            "{missing}"
        );
        assert!(
            not_found(store.delete(&path(missing)).await.expect_err("missing")),
            "{missing}"
        );
        let renamed = store.rename(&path(missing), &path("d")).await;
        assert!(not_found(renamed.expect_err("missing")), "{missing}");
    }
    assert_eq!(
        names(&store, None).await,
        BTreeSet::from(["a/b".to_string()])
    );
}

#[tokio::test]
async fn lists_go_by_whole_parts_and_hide_what_is_unfinished() {
    let (_folder, store) = bucket();
    assert_eq!(names(&store, None).await, BTreeSet::new());
    for name in ["a/b/1", "a/b/2", "a/bc/3", "a/b4", "e"] {
        store.put(&path(name), name.into()).await.expect("written");
    }
    let mut upload = store.put_multipart(&path("f")).await.expect("begun");
    upload.put_part("x".into()).await.expect("written");
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.to_string())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        names(&store, None).await,
        set(&["a/b/1", "a/b/2", "a/bc/3", "a/b4", "e"])
    );
    assert_eq!(names(&store, Some("a/b")).await, set(&["a/b/1", "a/b/2"]));
    assert_eq!(names(&store, Some("e")).await, set(&[]));
    let listed = store
        .list_with_delimiter(Some(&path("a")))
        .await
        .expect("listed");
    assert_eq!(listed.common_prefixes, [path("a/b"), path("a/bc")]);
    assert_eq!(listed.objects.len(), 1);
    let listed = store.list_with_delimiter(None).await.expect("listed");
    assert_eq!(listed.common_prefixes, [path("a")]);
    store.clear_unfinished().await.expect("cleared");
    upload
        .complete()
        .await
        .expect_err("what was cleared cannot be completed");
}

#[tokio::test]
async fn copies_renames_and_creates_respect_what_is_there() {
    let (_folder, store) = bucket();
    store
        .put_opts(&path("a"), "1".into(), create())
        .await
        .expect("new");
    let exists = |error| matches!(error, object_store::Error::AlreadyExists { .. });
    assert!(exists(
        store
            .put_opts(&path("a"), "2".into(), create())
            .await
            .expect_err("there")
    ));
    assert_eq!(read(&store, "a").await, "1");
    store.copy(&path("a"), &path("x/b")).await.expect("copied");
    assert!(exists(
        store
            .copy_if_not_exists(&path("a"), &path("x/b"))
            .await
            .expect_err("there")
    ));
    let renamed = store.rename_if_not_exists(&path("a"), &path("x/b")).await;
    assert!(exists(renamed.expect_err("there")));
    store
        .rename(&path("a"), &path("y/c"))
        .await
        .expect("renamed");
    let both: BTreeSet<String> = ["x/b", "y/c"].map(String::from).into();
    assert_eq!(names(&store, None).await, both);
    let update = PutMode::Update(object_store::UpdateVersion {
        e_tag: None,
        version: None,
    });
    store
        .put_opts(&path("a"), "1".into(), update.into())
        .await
        .expect_err("not implemented");
}

#[tokio::test]
async fn of_many_creators_one_wins() {
    let (_folder, store) = bucket();
    for round in 0..20 {
        let location = path(&format!("race/{round}"));
        let creators = (0..12).map(|creator| {
            let (store, location) = (store.clone(), location.clone());
            async move {
                let payload = PutPayload::from(format!("{creator}"));
                store
                    .put_opts(&location, payload, create())
                    .await
                    .is_ok()
                    .then_some(creator)
            }
        });
        let won: Vec<u32> = futures::future::join_all(creators)
            .await
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(won.len(), 1);
        assert_eq!(read(&store, location.as_ref()).await, format!("{}", won[0]));
    }
    let left = real::world()
        .disk
        .list(&paths::unfinished(&store.root))
        .expect("listed");
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn parts_make_one_object() {
    let (_folder, store) = bucket();
    let mut upload = store.put_multipart(&path("whole")).await.expect("begun");
    // Written in another order than handed out.
    let (first, second) = (
        upload.put_part("first ".into()),
        upload.put_part("second".into()),
    );
    second.await.expect("written");
    upload.complete().await.expect_err("a part is missing");
    first.await.expect("written");
    store
        .head(&path("whole"))
        .await
        .expect_err("not there before the end");
    upload.complete().await.expect("complete");
    upload.complete().await.expect_err("complete already");
    assert_eq!(read(&store, "whole").await, "first second");
    let mut upload = store.put_multipart(&path("aborted")).await.expect("begun");
    upload.put_part("x".into()).await.expect("written");
    upload.abort().await.expect("aborted");
    upload.complete().await.expect_err("aborted already");
    store.head(&path("aborted")).await.expect_err("not there");
}

#[tokio::test]
async fn nothing_reaches_outside() {
    let (folder, store) = bucket();
    let outside = folder.path().join("outside");
    real::world().disk.create(&outside).expect("made");
    for name in [".unfinished/x", ""] {
        store.put(&path(name), "x".into()).await.expect_err(name);
        store.get(&path(name)).await.expect_err(name);
    }
    for text in [
        "..",
        "../outside",
        "a/../../outside",
        "/../outside",
        "a//b",
        ".",
    ] {
        assert!(ObjectPath::parse(text).is_err(), "{text}");
        let encoded = ObjectPath::from(text);
        let file = paths::file(&store.root, &encoded);
        assert!(
            file.is_err() || file.is_ok_and(|file| file.starts_with(&store.root)),
            "{text}"
        );
    }
    let names = real::world().disk.list(folder.path()).expect("listed");
    assert_eq!(names, ["outside"]);
}

/// Puts objects until stopped; what was acknowledged is noted outside of the life.
async fn putting(
    store: &LocalStore,
    world: &World,
    round: u64,
    done: &Mutex<BTreeMap<String, Bytes>>,
) {
    for index in 0.. {
        let name = format!("r{round}/{}/{index}", index % 3);
        let bytes = Bytes::from(vec![index as u8; (index as usize * 131) % 3000]);
        let options = if index % 2 == 0 {
            create()
        } else {
            PutOptions::default()
        };
        if store
            .put_opts(&path(&name), bytes.clone().into(), options)
            .await
            .is_ok()
        {
            done.lock().insert(name, bytes);
        }
        world.clock.sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[test]
fn what_was_put_survives_power_cuts_and_nothing_is_half() {
    for seed in 0..40 {
        let simulation = Simulation::new(seed);
        let world = simulation.world();
        let store = LocalStore::new(world.clone(), "/data/bucket".into());
        let done = Mutex::new(BTreeMap::new());
        for round in 0..4 {
            simulation.stop_after(5 + simulation.below(300), Stop::PowerCut);
            simulation.set_faults(Faults {
                write: 0.02,
                sync: 0.02,
                names: 0.02,
                ..Default::default()
            });
            let ended = simulation.run(putting(&store, &world, round, &done));
            assert_eq!(ended, Ended::Stopped(Stop::PowerCut));
            simulation.set_faults(Faults::default());
            simulation.run(check(&store, &done, seed));
        }
        assert!(
            done.lock().len() > 5,
            "seed {seed}: hardly anything happened"
        );
    }
}

async fn check(store: &LocalStore, done: &Mutex<BTreeMap<String, Bytes>>, seed: u64) {
    store.clear_unfinished().await.expect("cleared");
    let done = done.lock().clone();
    for (name, bytes) in &done {
        assert_eq!(read(store, name).await, bytes, "seed {seed}: {name}");
    }
    for name in names(store, None).await {
        let index: usize = name
            .rsplit('/')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("ours");
        assert_eq!(
            read(store, &name).await.len(),
            (index * 131) % 3000,
            "seed {seed}: {name}"
        );
    }
}
