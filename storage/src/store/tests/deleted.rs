//! Deletions: what they delete is in no view at once and nowhere in the end, and nothing else goes.

mod everywhere;

use super::*;
use crate::{
    deletion::{Condition, Field},
    world::simulated::Stop,
};

/// No file and no object.
const NOWHERE: [String; 0] = [];

/// Who asks for deletions.
const BY: &str = "data protection";

/// Longer than the grace of retired segments.
const GRACE: Duration = Duration::from_secs(700);

fn one_of(field: Field, values: &[&str]) -> Predicate {
    Predicate {
        from: None,
        before: None,
        conditions: vec![Condition {
            field,
            values: values.iter().map(|value| value.to_string()).collect(),
        }],
    }
}

fn bodies(values: &[&str]) -> Predicate {
    one_of(Field::Column("body".to_string()), values)
}

async fn delete(store: &Store, predicate: Predicate) -> Result<Tombstone> {
    let tenant = TenantId::default_tenant();
    store.delete(&tenant, Signal::Logs, predicate, BY).await
}

async fn put(store: &Store, text: &str) {
    append(store, request(text)).await.expect("stored");
}

/// The files of the disk and the objects of the bucket that hold `text`.
async fn holding(fixture: &Fixture, text: &str) -> Vec<String> {
    let disk = fixture.simulation.world().disk;
    let mut folders = vec![fixture.config.data_dir.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for name in disk.list(&folder).expect("listed") {
            let path = folder.join(name.trim_end_matches('/'));
            if name.ends_with('/') {
                folders.push(path);
                continue;
            }
            let file = disk.open_read(&path).expect("opened");
            let length = file.length().expect("known") as usize;
            if holds(&file.read_at(0, length).expect("read"), text) {
                found.push(path.display().to_string());
            }
        }
    }
    for name in fixture.objects("").await {
        let path = object_store::path::Path::from(name.as_str());
        let object = object_store::ObjectStoreExt::get(&*fixture.bucket, &path).await;
        if holds(&object.expect("there").bytes().await.expect("read"), text) {
            found.push(name);
        }
    }
    found
}

/// Lets the background work all of this time: what was rewritten goes after a grace of its own.
async fn later(store: &Store, duration: Duration) {
    let shutdown = CancellationToken::new();
    let over = async {
        store.world().clock.sleep(duration).await;
        shutdown.cancel();
    };
    futures::join!(store.run(shutdown.clone()), over);
}

fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

#[test]
fn rows_are_gone_at_once_from_buffer_and_segments_also_after_a_restart() {
    let fixture = Fixture::new();
    let tombstone = fixture.run(async {
        let store = fixture.open().await;
        put(&store, "1 a\n2 b\n3 c\n").await;
        store.flush_all().await.expect("flushed");
        put(&store, "4 a-2\n5 b\n").await;
        let tombstone = delete(&store, bodies(&["b"])).await.expect("accepted");
        assert_eq!((tombstone.sequence, tombstone.completed), (2, None));
        assert_eq!(
            tombstone.deleted,
            [(Table::Logs, 1)].into(),
            "in the buffer"
        );
        assert_eq!(records(&store, Signal::Logs).await, ["a", "a-2", "c"]);
        // What comes later is not touched.
        put(&store, "6 b\n").await;
        assert_eq!(records(&store, Signal::Logs).await, ["a", "a-2", "b", "c"]);
        tombstone
    });
    fixture.simulation.cut_power();
    let done = fixture.run(async {
        let store = fixture.open().await;
        let expected = ["a", "a-2", "b", "c"];
        assert_eq!(records(&store, Signal::Logs).await, expected);
        let tenant = TenantId::default_tenant();
        assert_eq!(store.tombstones(&tenant), std::slice::from_ref(&tombstone));
        later(&store, GRACE).await;
        assert_eq!(records(&store, Signal::Logs).await, expected);
        let [done] = store.tombstones(&tenant).try_into().expect("one");
        assert_eq!((done.id, &done.predicate), (tombstone.id, &None));
        assert_eq!(done.predicate_sha256, tombstone.predicate_sha256);
        assert_eq!(done.deleted, [(Table::Logs, 2)].into());
        assert!(done.completed.is_some(), "{:?}", store.health());
        assert_eq!(fixture.objects("tombstones").await.len(), 1);
        assert_eq!(store.health().problems, []);
        let told = fixture.catalog.events(0, 100).await.expect("known");
        let told = told
            .iter()
            .filter(|(_, event)| event.kind.contains("deletion"));
        let told: Vec<(&str, String)> = told
            .map(|(_, event)| {
                let body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
                (
                    event.kind.as_str(),
                    format!("{} {}", body["requested_by"], body["rows"]),
                )
            })
            .collect();
        let expected_events = [
            ("cairn.deletion.accepted.v1", format!("\"{BY}\" 1")),
            ("cairn.deletion.completed.v1", format!("\"{BY}\" 2")),
        ];
        assert_eq!(told, expected_events);
        // A retry of what was deleted is known, and brings nothing back.
        let again = append(&store, request("4 a-2\n5 b\n")).await;
        assert!(again.expect("known").deduplicated);
        assert_eq!(records(&store, Signal::Logs).await, expected);
        done
    });
    fixture.catalog.lose();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a", "a-2", "b", "c"]);
        // The ledger outlives the catalog.
        assert_eq!(store.tombstones(&TenantId::default_tenant()), [done]);
        assert_eq!(fixture.verify().await.report.findings, []);
    });
}

#[test]
fn what_a_catalog_has_lost_stays_deleted() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        put(&store, "1 a\n2 b\n").await;
        store.flush_all().await.expect("flushed");
        put(&store, "3 b\n4 c\n").await;
        delete(&store, bodies(&["b"])).await.expect("accepted");
        assert_eq!(fixture.objects("tombstones").await.len(), 1);
    });
    fixture.catalog.lose();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a", "c"]);
        later(&store, GRACE).await;
        assert_eq!(records(&store, Signal::Logs).await, ["a", "c"]);
        assert_eq!(fixture.objects("tombstones").await.len(), 1);
    });
}

#[test]
fn letters_go_with_the_rows_of_their_signal_and_others_stay() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        put(&store, "1 a\n2 bad-marked\n3 bad-other\n").await;
        store.flush_all().await.expect("flushed");
        put(&store, "4 b\n5 bad-marked\n6 bad-other\n").await;
        assert_eq!(records(&store, Signal::DeadLetters).await.len(), 4);
        delete(&store, bodies(&["bad-marked"]))
            .await
            .expect("accepted");
        assert_eq!(records(&store, Signal::DeadLetters).await.len(), 2);
        later(&store, GRACE).await;
        assert_eq!(records(&store, Signal::DeadLetters).await.len(), 2);
        assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
        assert_eq!(holding(&fixture, "bad-marked").await, NOWHERE);
    });
}

#[test]
fn no_byte_is_left_on_disk_or_in_the_bucket() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        put(&store, "1 kept\n2 marked-1\n3 bad-marked-1\n").await;
        store.flush_all().await.expect("flushed");
        put(&store, "4 also-kept\n5 marked-1\n6 bad-marked-1\n").await;
        assert_ne!(holding(&fixture, "marked-1").await, NOWHERE);
        let values = ["marked-1", "bad-marked-1"];
        delete(&store, bodies(&values)).await.expect("accepted");
        later(&store, GRACE).await;
        assert_eq!(holding(&fixture, "marked-1").await, NOWHERE);
        let tenant = TenantId::default_tenant();
        assert!(store.tombstones(&tenant)[0].completed.is_some());
        assert_eq!(records(&store, Signal::Logs).await, ["also-kept", "kept"]);
    });
}

/// A merge was given up and its files could not be removed: they go with the deletion.
#[test]
fn what_stayed_in_the_staging_folder_goes() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        put(&store, "1 kept\n2 marked-1\n").await;
        store.flush_all().await.expect("flushed");
        let paths = fixture.objects(".logs.parquet").await;
        let [path] = paths.try_into().expect("one");
        let (folder, _) = path.rsplit_once('/').expect("in a folder");
        let disk = fixture.simulation.world().disk;
        let folder = fixture.config.data_dir.join("staging").join(folder);
        disk.create_directories(&folder).expect("made");
        for name in ["01arz3ndektsv4rrffq69g5fav.logs.parquet", "cut off"] {
            let file = disk.create(&folder.join(name)).expect("made");
            file.write_at(0, b"marked-1").expect("written");
        }
        delete(&store, bodies(&["marked-1"]))
            .await
            .expect("accepted");
        later(&store, GRACE).await;
        assert_eq!(holding(&fixture, "marked-1").await, NOWHERE);
    });
}

#[test]
fn attributes_times_and_whole_segments() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        // One flush of two hours, the second of which goes as a whole.
        put(&store, "1 a\n3600000000001 bb\n3600000000002 cc\n").await;
        store.flush_all().await.expect("flushed");
        // The promoted key says how long an id is; each id is a key of its own as well.
        let two = one_of(Field::Attribute("key".to_string()), &["2"]);
        let early = Predicate {
            before: Some(Nanos(3_600_000_000_001)),
            ..two.clone()
        };
        delete(&store, early).await.expect("accepted");
        assert_eq!(records(&store, Signal::Logs).await, ["a", "bb", "cc"]);
        delete(&store, two).await.expect("accepted");
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
        let own = one_of(Field::Attribute("a".to_string()), &["1"]);
        let error = delete(&store, bodies(&[])).await.expect_err("no values");
        assert_eq!(error.kind(), Kind::Invalid);
        later(&store, GRACE).await;
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
        assert_eq!(fixture.objects(".logs.parquet").await.len(), 1);
        assert_eq!(fixture.verify().await.report.findings, []);
        fixture.catalog.lose();
        drop(store);
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
        delete(&store, own).await.expect("accepted");
        later(&store, GRACE).await;
        assert_eq!(fixture.objects("parquet").await, Vec::<String>::new());
        drop(store);
        fixture.catalog.lose();
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, Vec::<String>::new());
    });
}

#[test]
fn merges_go_on_and_bring_nothing_back() {
    let mut fixture = Fixture::new();
    fixture.config.compaction_segments = 3;
    fixture.run(async {
        let store = fixture.open().await;
        for number in 0..6 {
            put(&store, &format!("{number} a-{number}\n{number} gone\n")).await;
            store.flush_all().await.expect("flushed");
        }
        delete(&store, bodies(&["gone"])).await.expect("accepted");
        assert_eq!(store.compact_all().await.expect("nothing"), 0);
        put(&store, "7 gone\n").await;
        later(&store, GRACE).await;
        store.flush_all().await.expect("flushed");
        store.compact_all().await.expect("merged");
        let expected = ["a-0", "a-1", "a-2", "a-3", "a-4", "a-5", "gone"];
        assert_eq!(records(&store, Signal::Logs).await, expected);
        let tenant = TenantId::default_tenant();
        let [done] = store.tombstones(&tenant).try_into().expect("one");
        assert_eq!(done.deleted, [(Table::Logs, 6)].into());
        assert!(done.completed.is_some());
    });
}

/// Stops the process at every call to the disk while a deletion is made so; afterwards what was deleted is in no view, and
/// what stays is there once, in the catalog as it is and in one that is made anew from the bucket.
#[test]
fn a_crash_at_any_point_brings_nothing_back_and_takes_nothing_else() {
    let mut points = 0;
    for (stop, local) in [
        (Stop::Kill, true),
        (Stop::PowerCut, false),
        (Stop::PowerCut, true),
    ] {
        for calls in 1.. {
            let mut fixture = Fixture::with_seed(calls);
            let mut local_bucket = None;
            if local {
                fixture.config.bucket = "local".to_string();
                let root = fixture.config.data_dir.join("bucket");
                let bucket = Arc::new(LocalStore::new(fixture.simulation.world(), root));
                fixture.bucket = bucket.clone();
                local_bucket = Some(bucket);
            }
            fixture.run(async {
                let store = fixture.open().await;
                put(&store, "1 a\n2 gone\n3600000000001 gone\n").await;
                store.flush_all().await.expect("flushed");
                put(&store, "4 b\n5 gone\n").await;
                delete(&store, bodies(&["gone"])).await.expect("accepted");
            });
            let ended = fixture.simulation.run(async {
                let store = fixture.open().await;
                fixture.simulation.stop_after(calls, stop);
                store.erase().await
            });
            fixture.simulation.cancel_stop();
            points += 1;
            if let Some(bucket) = local_bucket {
                // As every start does.
                let clear = async move { bucket.clear_unfinished().await };
                fixture.run(clear).expect("cleared");
            }
            fixture.run(check_after_a_crash(&fixture));
            if matches!(ended, Ended::Finished(Ok(_))) {
                break;
            }
        }
    }
    assert!(points > 60, "{points}");
}

async fn check_after_a_crash(fixture: &Fixture) {
    let expected = ["a", "b"];
    let store = fixture.open().await;
    assert_eq!(records(&store, Signal::Logs).await, expected);
    drop(store);
    fixture.catalog.lose();
    let store = fixture.open().await;
    assert_eq!(records(&store, Signal::Logs).await, expected);
    later(&store, GRACE).await;
    assert_eq!(records(&store, Signal::Logs).await, expected);
    let all = store.tombstones(&TenantId::default_tenant());
    assert!(
        all.iter().all(|t| t.completed.is_some()),
        "{all:?} {:?}",
        store.health()
    );
    assert_eq!(holding(fixture, "gone").await, NOWHERE);
    drop(store);
    fixture.catalog.lose();
    let store = fixture.open().await;
    assert_eq!(records(&store, Signal::Logs).await, expected);
}

/// Replies of the catalog get lost, and the bucket fails: what was accepted is deleted in the end.
#[test]
fn lost_replies_and_a_bucket_that_fails() {
    use crate::objects::faulty::{FaultyStore, ObjectFaults};
    for seed in 0..20 {
        let mut fixture = Fixture::with_seed(seed);
        let bucket = FaultyStore::new(fixture.bucket.clone(), fixture.simulation.world());
        fixture.bucket = Arc::new(bucket.clone());
        fixture.run(async {
            let store = fixture.open().await;
            put(&store, "1 a\n2 gone\n3600000000001 gone\n").await;
            store.flush_all().await.expect("flushed");
            put(&store, "4 b\n5 gone\n").await;
            fixture.catalog.set_faults(CatalogFaults {
                refused: 0.3,
                reply_lost: 0.3,
            });
            bucket.set_faults(ObjectFaults {
                outage: false,
                refused: 0.3,
                reply_lost: 0.2,
                repeated: 0.2,
            });
            while delete(&store, bodies(&["gone"])).await.is_err() {}
            assert_eq!(
                records_beside_faults(&store).await,
                ["a", "b"],
                "seed {seed}"
            );
            later(&store, Duration::from_secs(120)).await;
            bucket.set_faults(ObjectFaults::default());
            fixture.catalog.set_faults(CatalogFaults::default());
            assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
            later(&store, GRACE * 2).await;
            assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
            let all = store.tombstones(&TenantId::default_tenant());
            assert!(
                all.iter().all(|t| t.completed.is_some()),
                "{:?}",
                store.health()
            );
            assert_eq!(holding(&fixture, "gone").await, NOWHERE, "seed {seed}");
        });
    }
}

/// As [`records`], again and again until the bucket gives everything.
async fn records_beside_faults(store: &Store) -> Vec<String> {
    loop {
        let tenant = TenantId::default_tenant();
        if let Ok((rows, _)) = rows(store, &tenant, Signal::Logs).await {
            let mut records: Vec<String> = rows.into_iter().map(|row| row.record).collect();
            records.sort();
            return records;
        }
    }
}
