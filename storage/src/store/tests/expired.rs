//! Retention: what was kept long enough goes, once and for good, and nothing else does.

use super::*;
use crate::{
    config::OwnRetention,
    objects::faulty::{FaultyStore, ObjectFaults},
};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
/// Long enough for a pass, the first of which says that the clock is right.
const SECOND: Duration = Duration::from_secs(1);
const DAY_NANOS: i64 = 86_400_000_000_000;

/// A machine that keeps logs for two days and dead letters for ever.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.config.retention.logs_days = 2;
    fixture.config.retention.dead_letters_days = 0;
    // Merges would keep old rows as long as new ones; what both do together is the simulation's to see.
    fixture.config.compaction_target_bytes = 0;
    fixture
}

/// Lets `duration` pass, the background at work in the last minutes of it.
pub(super) async fn later(store: &Store, duration: Duration) {
    let clock = &store.world().clock;
    let work = duration.min(Duration::from_secs(130));
    clock.sleep(duration - work).await;
    let shutdown = CancellationToken::new();
    let over = async {
        clock.sleep(work).await;
        shutdown.cancel();
    };
    futures::join!(store.run(shutdown.clone()), over);
}

/// A request of one record that happened `age` ago.
fn record(fixture: &Fixture, id: &str, age: Duration) -> Append {
    let time = fixture.simulation.now().minus(age).0;
    Append {
        received: fixture.simulation.now(),
        ..request(&format!("{time} {id}\n"))
    }
}

async fn put(fixture: &Fixture, store: &Store, id: &str, age: Duration) {
    append(store, record(fixture, id, age))
        .await
        .expect("stored");
    store.flush_all().await.expect("flushed");
}

async fn events(fixture: &Fixture, kind: &str) -> Vec<serde_json::Value> {
    let events = fixture.catalog.events(0, 1_000).await.expect("reads");
    let bodies = events.into_iter().filter(|(_, event)| event.kind == kind);
    bodies
        .map(|(_, event)| serde_json::from_str(&event.body).expect("JSON"))
        .collect()
}

#[test]
fn rows_go_from_the_view_then_from_the_bucket_and_are_counted() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        later(&store, SECOND).await;
        let tenant = TenantId::default_tenant();
        put(&fixture, &store, "first", Duration::ZERO).await;
        let bytes = store.report().signals[0].bytes;
        later(&store, DAY + HOUR * 12).await;
        put(&fixture, &store, "second", Duration::ZERO).await;
        later(&store, HOUR * 11).await;
        assert_eq!(
            records(&store, Signal::Logs).await,
            ["first", "second"],
            "too early"
        );
        let expires = store.report().signals[0].next_expiry.expect("it has one");
        later(&store, HOUR + Duration::from_secs(61)).await;
        assert_eq!(records(&store, Signal::Logs).await, ["second"]);
        // The objects stay as long as a query may read them.
        assert_eq!(fixture.objects("logs.parquet").await.len(), 2);
        assert_eq!(
            (
                store.report().retired_segments,
                store.report().retired_bytes
            ),
            (1, bytes)
        );
        later(&store, Duration::from_secs(700)).await;
        assert_eq!(fixture.objects("logs.parquet").await.len(), 1);
        assert_eq!(store.report().retired_segments, 0);
        assert_eq!(store.health().problems, []);
        // Expired rows were stored.
        assert_eq!(fixture.ledger(), [2, 2, 0, 0]);
        let labels = ExpiredLabels::new(&tenant, Signal::Logs, RETENTION);
        let telemetry = &fixture.telemetry;
        assert_eq!(telemetry.expired_rows.get_or_create(&labels).get(), 1);
        assert_eq!(telemetry.expired_bytes.get_or_create(&labels).get(), bytes);
        let told = events(&fixture, "cairn.segment.expired.v1").await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (&told[0]["rows"], &told[0]["signal"]),
            (&1.into(), &"logs".into())
        );
        let ended = told[0]["max_time"].as_i64().expect("a time");
        assert!(expires.0 - ended >= 2 * DAY_NANOS, "it told when");
        assert!(fixture.verify().await.is_sound());
    });
}

#[test]
fn what_arrives_late_or_has_an_absurd_time_stays_as_long_as_any_other() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        later(&store, SECOND).await;
        put(&fixture, &store, "last-year", DAY * 366).await;
        append(&store, request("0 epoch\n")).await.expect("stored");
        append(&store, request("-1 before\n"))
            .await
            .expect("stored");
        let ahead = fixture.simulation.now().plus(DAY);
        let ahead = format!("{} ahead\n", ahead.0);
        append(&store, request(&ahead)).await.expect("stored");
        store.flush_all().await.expect("flushed");
        later(&store, DAY * 2 - HOUR).await;
        let all = ["ahead", "before", "epoch", "last-year"];
        assert_eq!(records(&store, Signal::Logs).await, all);
        later(&store, HOUR * 2).await;
        assert_eq!(records(&store, Signal::Logs).await, ["ahead"]);
        later(&store, DAY).await;
        assert_eq!(records(&store, Signal::Logs).await, [] as [&str; 0]);
    });
}

#[test]
fn each_signal_and_each_tenant_has_its_days() {
    let mut fixture = fixture();
    let shop: TenantId = "shop".parse().expect("valid");
    let own = OwnRetention {
        logs_days: Some(0),
        dead_letters_days: Some(1),
        ..OwnRetention::default()
    };
    fixture.config.retention_of.insert(shop.clone(), own);
    fixture.run(async {
        let store = fixture.open().await;
        later(&store, SECOND).await;
        let text = format!("{} good\n{0} bad\n", fixture.simulation.now().0);
        append(&store, request(&text)).await.expect("stored");
        let of_shop = Append {
            tenant: shop.clone(),
            ..request(&text)
        };
        append(&store, of_shop).await.expect("stored");
        store.flush_all().await.expect("flushed");
        let segments = |tenant: &TenantId, signal| store.snapshot(tenant, signal).segments.len();
        let all = || {
            let default = TenantId::default_tenant();
            let of = |tenant| [Signal::Logs, Signal::DeadLetters].map(|s| segments(tenant, s));
            [of(&default), of(&shop)]
        };
        assert_eq!(all(), [[1, 1], [1, 1]]);
        later(&store, DAY + HOUR).await;
        assert_eq!(all(), [[1, 1], [1, 0]]);
        later(&store, DAY).await;
        assert_eq!(all(), [[0, 1], [1, 0]]);
        later(&store, DAY * 1_000).await;
        assert_eq!(all(), [[0, 1], [1, 0]], "0 is for ever");
    });
}

#[test]
fn what_a_process_did_not_delete_the_next_one_deletes() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        later(&store, SECOND).await;
        put(&fixture, &store, "old", Duration::ZERO).await;
        later(&store, DAY * 2 + Duration::from_secs(120)).await;
        assert_eq!(records(&store, Signal::Logs).await, [] as [&str; 0]);
    });
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, [] as [&str; 0]);
        assert_eq!(store.report().retired_segments, 1);
        later(&store, Duration::from_secs(2)).await;
        assert_eq!(fixture.objects("logs.parquet").await.len(), 0);
        assert_eq!(fixture.catalog.load().await.expect("loads").retired, []);
        let next = append(&store, request("5 e\n")).await.expect("stored");
        assert!(next.sequence > 1, "sequences go on");
    });
}

#[test]
fn a_rebuild_brings_it_back_until_the_next_pass_and_loses_nothing_else() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        later(&store, SECOND).await;
        let now = fixture.simulation.now();
        // Two segments of one flush, one of which is ahead and stays a day longer.
        let text = format!("{} old\n{} ahead\n", now.0, now.plus(HOUR * 20).0);
        append(&store, request(&text)).await.expect("stored");
        store.flush_all().await.expect("flushed");
        later(&store, DAY * 2 + Duration::from_secs(120)).await;
        assert_eq!(records(&store, Signal::Logs).await, ["ahead"]);
        drop(store);
        fixture.catalog.lose();
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["ahead", "old"]);
        later(&store, SECOND).await;
        assert_eq!(records(&store, Signal::Logs).await, ["ahead"]);
        later(&store, Duration::from_secs(700)).await;
        drop(store);
        // Its objects are gone now, and its sibling is the newest that there is.
        assert_eq!(fixture.objects("logs.parquet").await.len(), 1);
        fixture.catalog.lose();
        let rebuilt = fixture.rebuild(Claim::Own).await.expect("rebuilt");
        assert_eq!((rebuilt.segments, rebuilt.problems), (1, vec![]));
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["ahead"]);
        let next = append(&store, request("5 e\n")).await.expect("stored");
        assert!(next.sequence > 1, "no sequence is given twice");
    });
}

#[test]
fn a_clock_that_jumps_removes_nothing_until_it_went_on_for_a_day() {
    const YEAR_NANOS: i64 = 366 * DAY_NANOS;
    for jump in [2 * DAY_NANOS, YEAR_NANOS, 30 * YEAR_NANOS] {
        let fixture = fixture();
        let held = |store: &Store| {
            let problems = store.health().problems;
            let parts: Vec<&str> = problems.iter().map(|problem| problem.part).collect();
            parts == ["retention"] && store.report().retention_held.is_some()
        };
        fixture.run(async {
            let store = fixture.open().await;
            later(&store, SECOND).await;
            put(&fixture, &store, "a", Duration::ZERO).await;
            later(&store, HOUR).await;
            fixture.simulation.step_wall_clock(jump);
            later(&store, Duration::from_secs(120)).await;
            assert!(held(&store), "{jump}: {:?}", store.health());
            assert!(store.health().accepting);
            // What is flushed under the wrong clock is no proof that it is right.
            put(&fixture, &store, "b", Duration::ZERO).await;
            later(&store, HOUR * 12).await;
        });
        fixture.simulation.cut_power();
        fixture.run(async {
            let store = fixture.open().await;
            later(&store, HOUR).await;
            assert!(held(&store), "{jump}: a start does not make it right");
            assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
            // Set right: nothing was lost, and all goes on.
            fixture.simulation.step_wall_clock(-jump);
            later(&store, Duration::from_secs(120)).await;
            assert_eq!(store.health().problems, []);
            assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
            // The same jump, and nobody minds it: the clock is right after all.
            fixture.simulation.step_wall_clock(jump);
            later(&store, Duration::from_secs(120)).await;
            assert!(held(&store), "{jump}: {:?}", store.health());
            later(&store, HOUR * 25).await;
            assert_eq!(store.health().problems, []);
            assert_eq!(records(&store, Signal::Logs).await, ["b"], "{jump}");
        });
    }
}

#[test]
fn a_start_with_a_wrong_clock_and_without_a_word_of_the_last_one_removes_nothing() {
    for ahead in [true, false] {
        let fixture = fixture();
        fixture.run(async {
            let store = fixture.open().await;
            // No background, so nothing is written down.
            put(&fixture, &store, "a", Duration::ZERO).await;
        });
        let years = 20 * 366 * DAY_NANOS * if ahead { 1 } else { -1 };
        fixture.simulation.step_wall_clock(years);
        fixture.run(async {
            let store = fixture.open().await;
            later(&store, HOUR).await;
            assert_eq!(records(&store, Signal::Logs).await, ["a"]);
            let parts: Vec<&str> = store.health().problems.iter().map(|p| p.part).collect();
            assert_eq!(parts, if ahead { vec!["retention"] } else { vec![] });
        });
    }
}

#[test]
fn it_waits_for_a_bucket_and_a_catalog_that_fail_and_removes_once() {
    let mut fixture = fixture();
    let far = FaultyStore::new(fixture.bucket.clone(), fixture.simulation.world());
    fixture.bucket = Arc::new(far.clone());
    fixture.run(async {
        let store = fixture.open().await;
        later(&store, SECOND).await;
        for id in ["a", "b", "c"] {
            put(&fixture, &store, id, Duration::ZERO).await;
        }
        far.set_faults(ObjectFaults {
            outage: true,
            ..ObjectFaults::default()
        });
        fixture.catalog.set_faults(CatalogFaults {
            refused: 0.0,
            reply_lost: 0.7,
        });
        later(&store, DAY * 2 + HOUR).await;
        assert_eq!(records(&store, Signal::Logs).await, [] as [&str; 0]);
        later(&store, HOUR).await;
        let parts: Vec<&str> = store.health().problems.iter().map(|p| p.part).collect();
        assert_eq!(parts, ["backup", "bucket"]);
        far.set_faults(ObjectFaults::default());
        fixture.catalog.set_faults(CatalogFaults::default());
        // The back-off of a deletion is longer than the background works at a time.
        for _ in 0..4 {
            later(&store, HOUR).await;
        }
        assert_eq!(store.health().problems, []);
        assert_eq!(store.report().retired_segments, 0);
        assert_eq!(events(&fixture, "cairn.segment.expired.v1").await.len(), 3);
        let labels = ExpiredLabels::new(&TenantId::default_tenant(), Signal::Logs, RETENTION);
        let rows = fixture.telemetry.expired_rows.get_or_create(&labels).get();
        assert_eq!(
            rows, 3,
            "each is counted once, also when an answer was lost"
        );
        assert_eq!(fixture.objects("logs.parquet").await.len(), 0);
    });
}
