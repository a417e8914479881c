//! Buckets have one owner and one format.

use super::*;
use crate::objects::faulty::{FaultyStore, ObjectFaults};
use object_store::{ObjectStoreExt, PutPayload, path::Path as ObjectPath};

/// Another machine with the same bucket.
fn beside(fixture: &Fixture) -> Fixture {
    let other = Fixture::with_seed(2);
    Fixture {
        bucket: fixture.bucket.clone(),
        ..other
    }
}

async fn filled(fixture: &Fixture) {
    let store = fixture.open().await;
    append(&store, request("1 a\n")).await.expect("stored");
    store.close().await.expect("closed");
}

async fn put_marker(fixture: &Fixture, text: &'static str) {
    let path = ObjectPath::from("cairn.json");
    let put = fixture
        .bucket
        .put(&path, PutPayload::from_static(text.as_bytes()));
    put.await.expect("put");
}

#[test]
fn a_second_data_folder_is_refused_until_it_takes_over() {
    let fixture = Fixture::new();
    fixture.run(filled(&fixture));
    let other = beside(&fixture);
    other.run(async {
        let error = other.try_open().await.err().expect("another's bucket");
        assert_eq!(error.kind(), Kind::Invalid);
        let text = error.to_string();
        assert!(
            text.contains("cairn.json") && text.contains("--take-over"),
            "{text}"
        );
        other
            .rebuild(Claim::Own)
            .await
            .expect_err("not by accident");
        let rebuilt = other.rebuild(Claim::TakeOver).await.expect("taken over");
        assert_eq!((rebuilt.segments, rebuilt.left_out), (1, vec![]));
        let store = other.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
        let outcome = append(&store, request("2 b\n")).await.expect("stored");
        assert_eq!(outcome.sequence, 2);
        store.close().await.expect("closed");
        assert!(other.verify().await.orphans.is_empty());
    });
    fixture.run(async {
        fixture
            .try_open()
            .await
            .err()
            .expect("no longer its bucket");
    });
}

#[test]
fn a_newer_format_is_refused_by_name_and_left_alone() {
    let fixture = Fixture::new();
    fixture.run(async {
        let newer = "{\"format_version\": 7, \"owner\": {\"of\": \"another shape\"}}";
        put_marker(&fixture, newer).await;
        for claim in [Claim::Own, Claim::TakeOver] {
            let error = fixture.rebuild(claim).await.expect_err("too new");
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains("format 7"), "{error}");
        }
        assert!(fixture.try_open().await.is_err());
        let kept = fixture.bucket.get(&ObjectPath::from("cairn.json")).await;
        assert_eq!(kept.expect("there").bytes().await.expect("read"), newer);
    });
}

#[test]
fn a_damaged_marker_is_reported_and_written_anew_by_its_owner_alone() {
    let fixture = Fixture::new();
    fixture.run(async {
        filled(&fixture).await;
        put_marker(&fixture, "{\"format_ver").await;
        assert!(!fixture.verify().await.is_sound());
        let stranger = beside(&fixture);
        let error = stranger.try_open().await.err().expect("it cannot know");
        assert_eq!(error.kind(), Kind::Corrupt);
        let store = fixture.open().await;
        assert_eq!(store.health().problems[0].part, "bucket");
        drop(store);
        let store = fixture.open().await;
        assert_eq!(store.health().problems, []);
        assert!(fixture.verify().await.is_sound());
    });
}

#[test]
fn the_id_of_the_data_folder_outlives_its_file_or_its_catalog() {
    let fixture = Fixture::new();
    let world = fixture.simulation.world();
    let file = Path::new("/data/owner.json");
    fixture.run(async {
        filled(&fixture).await;
        world.disk.remove(file).expect("removed");
        drop(fixture.open().await);
        fixture.catalog.lose();
        drop(fixture.open().await);
        let bytes = world.disk.status(file).expect("there again").length;
        fixture.simulation.flip(file, bytes / 2, 1);
        drop(fixture.open().await);
    });
    // A catalog from elsewhere says that it is from elsewhere.
    fixture.run(async {
        let other = crate::id::OwnerId(ulid::Ulid(7));
        fixture.catalog.set_owner(other).await.expect("set");
        let error = fixture.try_open().await.err().expect("refused");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("owner.json"), "{error}");
    });
}

#[test]
fn a_bucket_that_is_away_at_the_start_is_asked_before_the_first_upload() {
    let mut fixture = Fixture::new();
    let far = FaultyStore::new(fixture.bucket.clone(), fixture.simulation.world());
    fixture.bucket = Arc::new(far.clone());
    let set_outage = |outage| {
        far.set_faults(ObjectFaults {
            outage,
            ..ObjectFaults::default()
        });
    };
    fixture.run(async {
        set_outage(true);
        // Whether a catalog was lost cannot be told.
        let error = fixture.try_open().await.err().expect("it is away");
        assert_eq!(error.kind(), Kind::Unavailable);
        set_outage(false);
        filled(&fixture).await;
        set_outage(true);
        let store = fixture.open().await;
        assert_eq!(store.health().problems[0].part, "bucket");
        append(&store, request("2 b\n")).await.expect("stored");
        store.flush_all().await.expect_err("it is away");
        set_outage(false);
        store.flush_all().await.expect("it is back");
        assert_eq!(store.health().problems, []);
        drop(store);
        set_outage(true);
        let store = fixture.open().await;
        append(&store, request("3 c\n")).await.expect("stored");
        // Somebody takes the bucket meanwhile.
        set_outage(false);
        let other = beside(&fixture);
        other.rebuild(Claim::TakeOver).await.expect("taken over");
        let error = store.flush_all().await.expect_err("it is another's");
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(fixture.objects("parquet").await.len(), 2);
    });
}
