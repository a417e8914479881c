//! The catalog in the bucket: when it is copied, what comes back of it, and what a drill tells.

use super::*;
use crate::objects::faulty::{FaultyStore, ObjectFaults};
use object_store::{ObjectStoreExt, path::Path as ObjectPath};

/// A store that merges whenever there are three segments of an hour, and keeps three backups.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.config.compaction_segments = 3;
    fixture.config.catalog_backups = 3;
    fixture
}

/// Another machine with nothing but the bucket.
fn beside(fixture: &Fixture) -> Fixture {
    Fixture {
        bucket: fixture.bucket.clone(),
        config: fixture.config.clone(),
        ..Fixture::with_seed(2)
    }
}

/// Flushes requests of two records each, one by one.
async fn fill(store: &Store, requests: std::ops::Range<u64>) {
    for number in requests {
        let text = format!("{number} a-{number}\n{} b-{number}\n", 1_000 - number);
        append(store, request(&text)).await.expect("stored");
        store.flush_all().await.expect("flushed");
    }
}

/// Lets the background work for `seconds`.
async fn background(store: &Store, seconds: u64) {
    let shutdown = CancellationToken::new();
    let over = async {
        let clock = &store.world().clock;
        clock.sleep(Duration::from_secs(seconds)).await;
        shutdown.cancel();
    };
    futures::join!(store.run(shutdown.clone()), over);
}

async fn drilled(fixture: &Fixture) -> DrillReport {
    let (world, empty) = (fixture.simulation.world(), beside(fixture).catalog);
    let wanted = Wanted {
        catalog: None,
        deep: true,
    };
    let drilled = drill(&world, &fixture.config, &*empty, &*fixture.bucket, wanted);
    drilled.await.expect("the bucket can be asked")
}

/// Rows of the logs by a drill: what is there, and what has to be.
fn logs(report: &DrillReport) -> (u64, u64, Found) {
    let mut tables = report.tables.iter();
    let logs = tables.find(|table| table.table == Table::Logs);
    let logs = logs.expect("logs were compared");
    (logs.rows, logs.at_least, logs.found)
}

async fn overwrite(fixture: &Fixture, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = ObjectPath::from(path);
    let found = fixture.bucket.get(&path).await.expect("there");
    let mut bytes = found.bytes().await.expect("readable").to_vec();
    change(&mut bytes);
    fixture.bucket.put(&path, bytes.into()).await.expect("put");
}

#[test]
fn copies_are_made_when_something_changed_and_the_oldest_go() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        background(&store, 301).await;
        // An empty catalog is one, too.
        assert_eq!(fixture.objects("catalog/").await.len(), 1);
        background(&store, 301).await;
        assert_eq!(fixture.objects("catalog/").await.len(), 1);
        for number in 0..4 {
            fill(&store, number..number + 1).await;
            background(&store, 301).await;
        }
        let names = fixture.objects("catalog/").await;
        let last = ["3", "4", "5"].map(|number| format!("catalog/{number:0>20}.backup"));
        assert_eq!(names, last);
        assert_eq!(fixture.telemetry.backup.counts(), (5, 0));
        assert_eq!(store.health().problems, []);
        drop(store);
        // One that never shut down has all of its time for it.
        let store = fixture.open().await;
        fill(&store, 4..5).await;
        store.close().await.expect("closed");
        assert_eq!(fixture.telemetry.backup.counts(), (6, 0));
    });
    fixture.run(async {
        let verified = fixture.verify().await;
        assert_eq!(verified.orphans, Vec::<String>::new());
        let store = fixture.open().await;
        let looked = store.reconcile().await.expect("looked");
        assert_eq!((looked.foreign_objects, looked.objects), (0, 0));
        store.backup_only_now().await.expect("made");
        let names = fixture.objects("catalog/").await;
        assert_eq!(names, [format!("catalog/{:0>20}.backup", 7)]);
    });
}

#[test]
fn none_is_made_where_it_is_switched_off() {
    let mut fixture = fixture();
    fixture.config.catalog_backup_seconds = 0;
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..2).await;
        background(&store, 700).await;
        store.close().await.expect("closed");
        assert_eq!(fixture.objects("catalog/").await.len(), 0);
        let report = drilled(&fixture).await;
        assert_eq!((report.passed, report.compared_with), (false, "nothing"));
        assert_eq!(report.rows, 4);
    });
}

#[test]
fn a_bucket_that_is_away_is_asked_again_and_holds_nothing_up() {
    let mut fixture = fixture();
    let far = FaultyStore::new(Arc::new(InMemory::new()), fixture.simulation.world());
    fixture.bucket = Arc::new(far.clone());
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..1).await;
        far.set_faults(ObjectFaults {
            outage: true,
            ..ObjectFaults::default()
        });
        background(&store, 310).await;
        let (written, failed) = fixture.telemetry.backup.counts();
        assert_eq!((written, failed), (0, 1));
        let parts: Vec<_> = store.health().problems.into_iter().collect();
        assert!(
            parts.iter().any(|problem| problem.part == "backup"),
            "{parts:?}"
        );
        append(&store, request("7 while away\n"))
            .await
            .expect("stored");
        far.set_faults(ObjectFaults::default());
        background(&store, 40).await;
        assert_eq!(fixture.telemetry.backup.counts().0, 1);
        assert_eq!(store.health().problems, []);
    });
}

#[test]
fn a_drill_finds_everything_after_flushes_merges_and_a_lost_data_folder() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..7).await;
        append(&store, request("3 bad-x\n"))
            .await
            .expect("a letter");
        assert_eq!(store.compact_all().await.expect("merged"), 1);
        fill(&store, 7..9).await;
        store.close().await.expect("closed");
        let report = drilled(&fixture).await;
        assert!(report.passed, "{report:#?}");
        assert_eq!(
            (report.compared_with, report.segments_beyond_backup),
            ("backup", 0)
        );
        assert_eq!(logs(&report), (18, 18, Found::All));
    });
    // What comes after the backup is there as far as it is in the bucket.
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 9..11).await;
        assert!(store.compact_all().await.expect("merged") > 0);
        append(&store, request("5 only-in-the-log\n"))
            .await
            .expect("stored");
        let report = drilled(&fixture).await;
        assert!(report.passed, "{report:#?}");
        assert_eq!(logs(&report), (22, 18, Found::All));
        assert!(report.segments_beyond_backup > 0);
        assert!(report.recovery_point_seconds.is_some());
    });
    let other = beside(&fixture);
    other.run(async {
        let rebuilt = other.rebuild(Claim::TakeOver).await.expect("taken over");
        assert_eq!(rebuilt.problems, Vec::<String>::new());
        assert!(rebuilt.backup.is_some());
        let store = other.open().await;
        assert_eq!(records(&store, Signal::Logs).await.len(), 22);
        assert_eq!(records(&store, Signal::DeadLetters).await, ["it is bad"]);
        let report = drilled(&other).await;
        assert!(report.passed, "{report:#?}");
    });
}

#[test]
fn a_damaged_backup_is_named_and_the_one_before_it_is_taken() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..2).await;
        background(&store, 301).await;
        fill(&store, 2..4).await;
        store.close().await.expect("closed");
    });
    fixture.run(async {
        let names = fixture.objects("catalog/").await;
        let [_, newest] = &names[..] else {
            panic!("two backups: {names:?}");
        };
        overwrite(&fixture, newest, |bytes| bytes[40] ^= 1).await;
        let verified = fixture.verify().await;
        assert!(
            verified.problems[0].contains(newest.as_str()),
            "{verified:?}"
        );
        let report = drilled(&fixture).await;
        assert!(report.passed, "{report:#?}");
        let backup = report.backup.as_ref().expect("the one before");
        assert_eq!(backup.sequence, 1);
        assert_eq!(logs(&report), (8, 4, Found::All));
        let [reason] = &report.unusable_backups[..] else {
            panic!("{:?}", report.unusable_backups);
        };
        assert!(reason.contains(newest.as_str()), "{reason}");
        // One of a newer build is passed over by name.
        overwrite(&fixture, newest, |bytes| {
            bytes[40] ^= 1;
            bytes[8] = 9;
            let end = bytes.len() - 4;
            let seal = crc32c::crc32c(&bytes[..end]);
            bytes[end..].copy_from_slice(&seal.to_le_bytes());
        })
        .await;
        let report = drilled(&fixture).await;
        let reason = &report.unusable_backups[0];
        assert!(reason.contains("format version 9"), "{reason}");
        assert!(report.passed, "{report:#?}");
    });
}

#[test]
fn a_drill_tells_of_rows_that_are_gone_and_of_objects_that_are_damaged() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..2).await;
        store.close().await.expect("closed");
        let objects = fixture.objects(".logs.parquet").await;
        overwrite(&fixture, &objects[0], |bytes| bytes[30] ^= 1).await;
        let report = drilled(&fixture).await;
        assert!(!report.passed, "{report:#?}");
        assert_eq!(logs(&report).2, Found::All);
        assert!(report.problems[0].contains(&objects[0]), "{report:#?}");
        let lost = ObjectPath::from(objects[0].as_str());
        fixture.bucket.delete(&lost).await.expect("deleted");
        let report = drilled(&fixture).await;
        assert!(!report.passed);
        assert_eq!(logs(&report), (2, 4, Found::Fewer));
    });
}

#[test]
fn what_only_the_catalog_knew_comes_back_as_far_as_the_backup_goes() {
    let fixture = fixture();
    let (events, fields) = fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..1).await;
        let column = ["a.never-written".to_string()];
        let ids = fixture.catalog.field_ids(Table::Logs, &column).await;
        store.close().await.expect("closed");
        let events = fixture.catalog.events(0, 10).await.expect("readable");
        (events, ids.expect("given"))
    });
    fixture.run(async {
        let store = fixture.open().await;
        // Flushed after the backup: its segment is found, and told again.
        fill(&store, 1..2).await;
    });
    fixture.catalog.lose();
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        let problems = store.health().problems;
        assert!(problems[0].detail.contains("its backup of"), "{problems:?}");
        assert_eq!(records(&store, Signal::Logs).await.len(), 4);
        let again = append(&store, request("0 a-0\n1000 b-0\n")).await;
        assert!(again.expect("answered").deduplicated, "its digest is there");
        let told = fixture.catalog.events(0, 10).await.expect("readable");
        assert_eq!(told[..events.len()], events);
        let [(number, new)] = &told[events.len()..] else {
            panic!("one more: {told:?}");
        };
        assert!(*number > 1 << 20, "{number}");
        assert_eq!(new.kind, SEGMENT_COMMITTED);
        let column = ["a.never-written".to_string()];
        let ids = fixture.catalog.field_ids(Table::Logs, &column).await;
        assert_eq!(ids.expect("known"), fields);
    });
}
