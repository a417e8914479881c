//! Objects that nobody needs, and objects that are not there.

use super::{expired::later, *};
use crate::catalog::Commit;
use object_store::{ObjectStoreExt, PutPayload, path::Path as ObjectPath};

const DAY: Duration = Duration::from_secs(86_400);

/// Copies every object of the bucket whose path holds `part` to the id of another segment.
async fn strand(fixture: &Fixture, part: &str, id: &str) {
    for path in fixture.objects(part).await {
        let (folder, file) = path.rsplit_once('/').expect("it has a folder");
        let (_, rest) = file.split_once('.').expect("it has an ending");
        let copy = format!("{folder}/{id}.{rest}");
        let found = fixture.bucket.get(&ObjectPath::from(path)).await;
        let bytes = found
            .expect("it is there")
            .bytes()
            .await
            .expect("it is whole");
        let to = ObjectPath::from(copy.as_str());
        fixture
            .bucket
            .put(&to, PutPayload::from(bytes))
            .await
            .expect("written");
    }
}

/// The id of the segment in a path.
fn id_in(path: &str) -> String {
    let (_, file) = path.rsplit_once('/').expect("it has a folder");
    let (id, _) = file.split_once('.').expect("it has an ending");
    id.to_string()
}

/// Has the catalog forget the segment that a path names.
async fn disown(fixture: &Fixture, path: &str) {
    let id: SegmentId = id_in(path).parse().expect("an id");
    let replace = Commit {
        replace: vec![id],
        ..Commit::default()
    };
    let forget = Commit {
        forget: vec![id],
        ..Commit::default()
    };
    for commit in [replace, forget] {
        fixture.catalog.commit(commit).await.expect("it is live");
    }
}

/// A ULID of 2016 and one of the year 10889: an old one, and one that is no older than a day whatever happens.
const OLD: &str = "01arz3ndektsv4rrffq69g5fav";
const YOUNG: &str = "7zzzzzzzzzzzzzzzzzzzzzzzzz";

async fn put_text(fixture: &Fixture, path: &str, text: &'static str) {
    let path = ObjectPath::from(path);
    let bytes = PutPayload::from_static(text.as_bytes());
    let put = fixture.bucket.put(&path, bytes).await;
    put.expect("written");
}

async fn find(fixture: &Fixture, delete: bool) -> Result<OrphansFound> {
    let (world, config) = (fixture.simulation.world(), &fixture.config);
    orphans(&world, config, &*fixture.catalog, &*fixture.bucket, delete).await
}

#[test]
fn what_nobody_needs_is_counted_and_goes_on_demand_only() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
        let own = fixture.objects("tenant=").await;
        append(&store, request("2 b\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
        drop(store);
        let mut lost = fixture.objects("tenant=").await;
        lost.retain(|path| !own.contains(path));
        disown(&fixture, &lost[0]).await;
        fixture.simulation.step_wall_clock(2 * 86_400_000_000_000);
        let store = fixture.open().await;
        // Under way, perhaps; a file of somebody else; and one that may hold rows.
        put_text(&fixture, &lost[0].replace(&id_in(&lost[0]), YOUNG), "young").await;
        put_text(&fixture, "notes.txt", "not ours").await;
        let unreadable = "tenant=default/signal=logs/date=2016-01-01/hour=00/01arz3ndektsv4rrffq69g5fax.logs.parquet";
        put_text(&fixture, unreadable, "PAR1 no more").await;
        let before = fixture.objects("").await;

        let looked = store.reconcile().await.expect("the bucket answers");
        assert_eq!(looked.objects, lost.len() as u64 + 1);
        assert_eq!((looked.foreign_objects, looked.missing_objects), (1, 0));
        assert_eq!(store.health().orphans, Some(looked));
        assert_eq!(store.report().orphans, Some(looked));
        assert_eq!(store.health().problems, [], "it is no problem");
        assert_eq!(fixture.telemetry.orphan_bytes.get(), looked.bytes as i64);
        drop(store);

        let found = find(&fixture, false).await.expect("looked");
        assert_eq!((found.orphans.objects, found.orphans.bytes), (looked.objects, looked.bytes));
        assert_eq!(fixture.objects("").await, before, "nothing goes unasked");
        let found = find(&fixture, true).await.expect("deleted");
        assert_eq!(found.deleted_objects, lost.len() as u64);
        assert_eq!(found.kept.len(), 1, "{:?}", found.kept);
        assert!(found.kept[0].starts_with(unreadable), "{:?}", found.kept);
        let after = fixture.objects("").await;
        let gone: Vec<&String> = before.iter().filter(|path| !after.contains(path)).collect();
        assert_eq!(gone, lost.iter().collect::<Vec<_>>());
        assert!(own.iter().all(|path| after.contains(path)));
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
    });
}

#[test]
fn a_store_that_runs_looks_once_a_day() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
        let run = async |duration| {
            later(&store, duration).await;
            store.health().orphans
        };
        assert_eq!(run(Duration::from_secs(600)).await, None);
        let first = run(Duration::from_secs(1_000)).await.expect("it looked");
        assert_eq!(first.objects, 0);
        strand(&fixture, "logs.parquet", OLD).await;
        assert_eq!(run(DAY / 2).await, Some(first));
        assert_eq!(run(DAY / 2).await.expect("it looked").objects, 1);
    });
}

#[test]
fn what_is_missing_is_told_and_the_rest_is_read() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        for text in ["1 a\n", "2 b\n"] {
            append(&store, request(text)).await.expect("stored");
            store.flush_all().await.expect("flushed");
        }
        let path = fixture.objects("logs.parquet").await.remove(0);
        fixture
            .bucket
            .delete(&ObjectPath::from(path.as_str()))
            .await
            .expect("deleted");
        let looked = store.reconcile().await.expect("the bucket answers");
        assert_eq!(looked.missing_objects, 1);
        let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
        assert_eq!((snapshot.segments.len(), snapshot.missing.len()), (1, 1));
        let problems = store.health().problems;
        assert_eq!((problems.len(), problems[0].part), (1, "segment"));
        drop(store);
        assert_eq!(find(&fixture, false).await.expect("looked").missing, [path]);
        assert!(!fixture.verify().await.is_sound());
    });
}

#[test]
fn retired_and_staged_segments_are_no_orphans() {
    let mut fixture = Fixture::new();
    fixture.config.retention.logs_days = 1;
    fixture.run(async {
        let store = fixture.open().await;
        later(&store, Duration::from_secs(1)).await;
        append(&store, request("1 a\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
        later(&store, DAY + Duration::from_secs(120)).await;
        assert_eq!(store.report().retired_segments, 1);
        assert_eq!(store.reconcile().await.expect("looked").objects, 0);
        drop(store);
        assert_eq!(
            find(&fixture, true).await.expect("looked").orphans.objects,
            0
        );
    });
}

#[test]
fn nothing_is_deleted_where_the_catalog_may_not_know_all() {
    let fixture = Fixture::new();
    let before = fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
        drop(store);
        fixture.simulation.step_wall_clock(2 * 86_400_000_000_000);
        let before = fixture.objects("").await;
        // Lost: everything would be an orphan.
        fixture.catalog.lose();
        let found = find(&fixture, false).await.expect("looked");
        assert!(found.orphans.objects > 0);
        let refused = find(&fixture, true).await.expect_err("it is lost");
        assert_eq!(refused.kind(), Kind::Invalid);
        assert!(refused.to_string().contains("rebuild"), "{refused}");
        before
    });
    // Another data folder's bucket.
    let mut other = Fixture::with_seed(2);
    other.run(async { drop(other.open().await) });
    other.bucket = fixture.bucket.clone();
    let refused = other.run(find(&other, true)).expect_err("it is not ours");
    assert_eq!(refused.kind(), Kind::Invalid);
    fixture.run(async { assert_eq!(fixture.objects("").await, before) });
}

#[test]
fn a_report_says_the_same_while_it_runs_and_offline() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        let text = "1 a\n2 b\n3600000000001 c\n4 bad\n";
        append(&store, request(text)).await.expect("stored");
        store.flush_all().await.expect("flushed");
        let online = store.report();
        let logs = &online.signals[0];
        assert_eq!(
            (logs.signal, logs.segments, logs.rows),
            (Signal::Logs, 2, 3)
        );
        assert_eq!(
            (logs.oldest, logs.newest),
            (Some(Nanos(1)), Some(Nanos(3_600_000_000_001)))
        );
        assert_eq!((logs.levels.len(), logs.levels[0].rows), (1, 3));
        assert_eq!(logs.retention_days, Some(30));
        let left = logs
            .next_expiry
            .expect("it has one")
            .since(fixture.simulation.now());
        assert!(
            left > DAY * 29 && left <= DAY * 30,
            "from their arrival: {left:?}"
        );
        assert_eq!(online.signals[1].signal, Signal::DeadLetters);
        assert!(online.wal_bytes > 0);
        drop(store);
        let (world, config) = (fixture.simulation.world(), &fixture.config);
        let offline = report(&world, config, &*fixture.catalog)
            .await
            .expect("it reads");
        assert_eq!(offline.signals, online.signals);
        // Files are made before there are frames for them.
        assert!(offline.wal_bytes >= online.wal_bytes);
        assert_eq!(offline.staged_bytes, 0);
        let json = serde_json::to_value(&offline).expect("JSON");
        assert_eq!(
            json["signals"][0]["oldest"],
            "1970-01-01T00:00:00.000000001Z"
        );
        assert_eq!(json["signals"][0]["tenant"], "default");
        assert_eq!(json["orphans"], serde_json::Value::Null);
    });
}
