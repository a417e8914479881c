//! A wall clock that is set while the server runs, by hours and by years: nothing but what is written down as wall time
//! may follow it.

use super::*;
use std::collections::BTreeSet;

const HOUR_NANOS: i64 = 3_600_000_000_000;
const YEAR_NANOS: i64 = 366 * 24 * HOUR_NANOS;

/// What daylight saving, a bad time server and a dead battery do to a clock.
const STEPS_NANOS: [i64; 6] = [
    2 * HOUR_NANOS,
    -4 * HOUR_NANOS,
    YEAR_NANOS,
    -2 * YEAR_NANOS,
    30 * YEAR_NANOS,
    -70 * YEAR_NANOS,
];

/// A request that is received when the machine thinks that it is.
fn request_now(fixture: &Fixture, text: &str) -> Append {
    Append {
        received: fixture.simulation.now(),
        ..request(text)
    }
}

/// Runs the background beside `work`.
async fn beside_background(store: &Store, work: impl Future<Output = ()>) {
    let shutdown = CancellationToken::new();
    let ended = async {
        work.await;
        shutdown.cancel();
    };
    futures::join!(store.run(shutdown.clone()), ended);
}

fn segments(store: &Store) -> usize {
    let tenant = TenantId::default_tenant();
    store.snapshot(&tenant, Signal::Logs).segments.len()
}

#[test]
fn a_flush_comes_at_its_age_whatever_the_clock_says() {
    for step in STEPS_NANOS {
        let mut fixture = Fixture::new();
        fixture.config.small_flush_age_seconds = 60;
        fixture.run(async {
            let store = fixture.open().await;
            let work = async {
                let sent = request_now(&fixture, "1 a\n");
                append(&store, sent).await.expect("stored");
                fixture.simulation.step_wall_clock(step);
                store.world().clock.sleep(Duration::from_secs(57)).await;
                assert_eq!(segments(&store), 0, "{step}: too early");
                store.world().clock.sleep(Duration::from_secs(5)).await;
                assert_eq!(segments(&store), 1, "{step}: too late");
            };
            beside_background(&store, work).await;
        });
    }
}

#[test]
fn a_retry_is_known_for_its_window_whatever_the_clock_says() {
    for step in STEPS_NANOS {
        let mut fixture = Fixture::new();
        fixture.config.retry_window_seconds = 600;
        let text = "1 a\n";
        fixture.run(async {
            let store = fixture.open().await;
            let first = request_now(&fixture, text);
            append(&store, first).await.expect("stored");
            store.flush_all().await.expect("flushed");
            fixture.simulation.step_wall_clock(step);
            // A commit says what the catalog may forget; this one has times of the other clock.
            let other = request_now(&fixture, "2 b\n");
            append(&store, other).await.expect("stored");
            store.flush_all().await.expect("flushed");
            let again = append(&store, request_now(&fixture, text)).await;
            assert!(again.expect("known").deduplicated, "{step}: while it runs");
        });
        fixture.simulation.cut_power();
        fixture.run(async {
            let store = fixture.open().await;
            let again = append(&store, request_now(&fixture, text)).await;
            assert!(
                again.expect("known").deduplicated,
                "{step}: after a restart"
            );
            // A window and the eighth by which it may be longer, and a little.
            store.world().clock.sleep(Duration::from_secs(700)).await;
            let later = append(&store, request_now(&fixture, text)).await;
            assert!(!later.expect("stored").deduplicated, "{step}: for ever");
        });
    }
}

#[test]
fn ids_never_repeat_when_the_clock_goes_back() {
    let fixture = Fixture::new();
    let (mut names, mut sequences, mut epochs) = (BTreeSet::new(), Vec::new(), Vec::new());
    for life in 0..6 {
        fixture.run(async {
            let store = fixture.open().await;
            for number in 0..4 {
                // Back to the same instant each time, so that nothing but chance and order tells ids apart.
                fixture.simulation.wall_clock().set_error(-30 * YEAR_NANOS);
                let sent = request_now(&fixture, &format!("{number} {life}-{number}\n"));
                let outcome = append(&store, sent).await.expect("stored");
                sequences.push(outcome.sequence);
                store.flush_all().await.expect("flushed");
            }
            let tenant = TenantId::default_tenant();
            let snapshot = store.snapshot(&tenant, Signal::Logs);
            names.extend(snapshot.segments.iter().map(|segment| segment.meta.id));
            assert_eq!(records(&store, Signal::Logs).await.len(), 4 * (life + 1));
            let read = rows(&store, &tenant, Signal::Logs).await.expect("readable");
            let ids: BTreeSet<_> = read.0.iter().map(|row| row.id).collect();
            assert_eq!(ids.len(), read.0.len(), "row ids are unique");
            epochs.push(read.0.iter().map(|row| row.id.0).max().expect("has rows"));
        });
        fixture
            .simulation
            .wall_clock()
            .set_error(life as i64 * -YEAR_NANOS);
        fixture.simulation.cut_power();
    }
    assert_eq!(names.len(), 24, "every segment has a name of its own");
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

#[test]
fn a_lost_catalog_and_a_clock_in_the_past_give_no_sequence_twice() {
    let fixture = Fixture::new();
    let before = fixture.run(async {
        let store = fixture.open().await;
        let first = append(&store, request_now(&fixture, "1 a\n")).await;
        store.flush_all().await.expect("flushed");
        first.expect("stored").sequence
    });
    fixture.catalog.lose();
    fixture.simulation.step_wall_clock(-50 * YEAR_NANOS);
    fixture.run(async {
        let store = fixture.open().await;
        let second = append(&store, request_now(&fixture, "2 b\n")).await;
        assert!(second.expect("stored").sequence > before);
        assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
    });
}

#[test]
fn a_disk_that_failed_is_tried_again_in_time() {
    for step in STEPS_NANOS {
        let fixture = Fixture::new();
        fixture.run(async {
            let store = fixture.open().await;
            let fail = |probability| {
                fixture.simulation.set_faults(Faults {
                    sync: probability,
                    ..Faults::default()
                });
            };
            fail(1.0);
            for _ in 0..3 {
                let refused = append(&store, request_now(&fixture, "1 a\n")).await;
                assert_eq!(refused.expect_err("it fails").kind(), Kind::Unavailable);
            }
            assert!(!store.health().accepting);
            fixture.simulation.step_wall_clock(step);
            fail(0.0);
            store.world().clock.sleep(Duration::from_secs(6)).await;
            assert!(store.health().accepting, "{step}: {:?}", store.health());
            let taken = append(&store, request_now(&fixture, "1 a\n")).await;
            taken.expect("the disk works");
        });
    }
}

#[test]
fn evicted_objects_stay_as_long_as_a_query_may_read_them() {
    for step in STEPS_NANOS {
        let mut fixture = Fixture::new();
        fixture.config.dead_letter_bytes = 40_000;
        fixture.run(async {
            let store = fixture.open().await;
            for number in 0..40 {
                let letter = request_now(&fixture, &format!("{number} bad-{number}\n"));
                append(&store, letter).await.expect("stored");
                store.flush_all().await.expect("flushed");
            }
            let tenant = TenantId::default_tenant();
            let kept = store.snapshot(&tenant, Signal::DeadLetters).segments.len();
            fixture.simulation.step_wall_clock(step);
            let all = fixture.objects("dead_letters.parquet").await.len();
            assert!(all > kept, "some are evicted");
            let work = async {
                store.world().clock.sleep(Duration::from_secs(500)).await;
                let left = fixture.objects("dead_letters.parquet").await.len();
                assert_eq!(left, all, "{step}: too early");
                store.world().clock.sleep(Duration::from_secs(200)).await;
                let left = fixture.objects("dead_letters.parquet").await.len();
                assert_eq!(left, kept, "{step}: too late");
            };
            beside_background(&store, work).await;
        });
    }
}
