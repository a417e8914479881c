//! Evicted dead letters do not come back.

use super::*;
use crate::objects::faulty::{FaultyStore, ObjectFaults};

const LIMIT_BYTES: u64 = 40_000;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.config.dead_letter_bytes = LIMIT_BYTES;
    fixture
}

/// Flushes 40 dead letters, one by one.
async fn fill(store: &Store) {
    for number in 0..40 {
        append(store, request(&format!("{number} bad-{number}\n")))
            .await
            .expect("stored");
        store.flush_all().await.expect("flushed");
    }
}

fn kept(store: &Store) -> usize {
    let tenant = TenantId::default_tenant();
    store.snapshot(&tenant, Signal::DeadLetters).segments.len()
}

/// Lets the background work for `seconds`.
async fn background(store: &Store, seconds: u64) {
    let shutdown = CancellationToken::new();
    let over = async {
        store
            .world()
            .clock
            .sleep(Duration::from_secs(seconds))
            .await;
        shutdown.cancel();
    };
    futures::join!(store.run(shutdown.clone()), over);
}

#[test]
fn what_a_process_did_not_delete_the_next_one_deletes() {
    let fixture = fixture();
    let kept_before = fixture.run(async {
        let store = fixture.open().await;
        fill(&store).await;
        kept(&store)
    });
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(kept(&store), kept_before);
        assert!(fixture.objects("dead_letters.parquet").await.len() > kept_before);
        background(&store, 2).await;
        let left = fixture.objects("dead_letters.parquet").await.len();
        assert_eq!(left, kept_before);
        let loaded = fixture.catalog.load().await.expect("loads");
        assert_eq!(loaded.retired, []);
        assert!(fixture.verify().await.orphans.is_empty());
    });
}

#[test]
fn a_rebuild_does_not_revive_them() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store).await;
        let kept_before = kept(&store);
        let all = fixture.objects("dead_letters.parquet").await.len();
        drop(store);
        // With a catalog that knows, and with one that is gone.
        for lost in [false, true] {
            if lost {
                fixture.catalog.lose();
            }
            let rebuilt = fixture.rebuild(Claim::Own).await.expect("rebuilt");
            assert_eq!(rebuilt.segments, kept_before, "lost: {lost}");
            assert_eq!(rebuilt.left_out.len(), all - kept_before);
            assert_eq!(rebuilt.problems, Vec::<String>::new());
        }
        fixture.catalog.lose();
        let store = fixture.open().await;
        assert_eq!(kept(&store), kept_before);
        background(&store, 2).await;
        assert_eq!(
            fixture.objects("dead_letters.parquet").await.len(),
            kept_before
        );
    });
}

#[test]
fn a_deletion_that_fails_is_tried_again_and_holds_nothing_up() {
    let mut fixture = fixture();
    let far = FaultyStore::new(fixture.bucket.clone(), fixture.simulation.world());
    fixture.bucket = Arc::new(far.clone());
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store).await;
        drop(store);
        let store = fixture.open().await;
        far.set_faults(ObjectFaults {
            outage: true,
            ..ObjectFaults::default()
        });
        background(&store, 5).await;
        let problems = store.health().problems;
        assert_eq!(problems[0].part, "bucket", "{problems:?}");
        far.set_faults(ObjectFaults::default());
        drop(store);
        let store = fixture.open().await;
        background(&store, 5).await;
        assert_eq!(store.health().problems, []);
        assert!(fixture.verify().await.orphans.is_empty());
    });
}

#[test]
fn a_lost_answer_of_the_catalog_does_not_stop_eviction() {
    let fixture = fixture();
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store).await;
        let before = kept(&store);
        for number in 40..80 {
            append(&store, request(&format!("{number} bad-{number}\n")))
                .await
                .expect("stored");
            fixture.catalog.set_faults(CatalogFaults {
                refused: 0.0,
                reply_lost: if number < 60 { 0.5 } else { 0.0 },
            });
            // Failures are tried again.
            let _ = store.flush_all().await;
        }
        assert!(kept(&store).abs_diff(before) <= 1);
    });
}
