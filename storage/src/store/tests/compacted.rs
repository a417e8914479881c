//! Merged segments hold what their inputs held, whatever happens on the way.

use super::*;
use crate::{segment::SegmentMeta, world::simulated::Stop};
use object_store::ObjectStoreExt;

/// A store that merges whenever there are three segments of an hour.
fn fixture(seed: u64) -> Fixture {
    let mut fixture = Fixture::with_seed(seed);
    fixture.config.compaction_segments = 3;
    fixture
}

/// Flushes requests of two records each, one by one, as segments of one hour.
async fn fill(store: &Store, requests: std::ops::Range<u64>) {
    for number in requests {
        let text = format!("{number} a-{number}\n{} b-{number}\n", 1_000 - number);
        append(store, request(&text)).await.expect("stored");
        store.flush_all().await.expect("flushed");
    }
}

fn expected(requests: std::ops::Range<u64>) -> Vec<String> {
    let records = requests.flat_map(|number| [format!("a-{number}"), format!("b-{number}")]);
    let mut records: Vec<String> = records.collect();
    records.sort();
    records
}

fn live(store: &Store) -> Vec<SegmentMeta> {
    let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
    let segments = snapshot.segments.iter();
    segments.map(|segment| segment.meta.clone()).collect()
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

#[test]
fn many_become_one_and_what_they_were_goes_at_the_next_start() {
    let fixture = fixture(1);
    let ids = fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..7).await;
        let before = rows(&store, &TenantId::default_tenant(), Signal::Logs).await;
        let before = before.expect("readable").0;
        assert_eq!(live(&store).len(), 7);
        // A query that has begun reads what it saw.
        let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
        assert_eq!(store.compact_all().await.expect("merged"), 1);
        let [merged] = live(&store).try_into().expect("one segment");
        assert_eq!((merged.level, merged.rows), (1, 14));
        assert_eq!(merged.replaces.len(), 7);
        assert_eq!((merged.wal[0].first, merged.wal[0].last), (1, 7));
        let after = rows(&store, &TenantId::default_tenant(), Signal::Logs).await;
        assert_eq!(after.expect("readable").0, before, "rows and their ids");
        assert_eq!(fixture.objects(".logs.parquet").await.len(), 8);
        for segment in &snapshot.segments {
            let reader = store.reader(segment, Table::Logs, Arc::default());
            reader
                .expect("a reader")
                .footer()
                .await
                .expect("it is still there");
        }
        assert_eq!(store.compact_all().await.expect("nothing to do"), 0);
        let events = fixture.catalog.events(0, 100).await.expect("readable");
        let last = &events.last().expect("an event").1;
        assert!(last.body.contains(&merged.id.to_string()), "{}", last.body);
        merged.replaces
    });
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, expected(0..7));
        background(&store, 2).await;
        assert_eq!(fixture.objects(".logs.parquet").await.len(), 1);
        assert_eq!(fixture.catalog.load().await.expect("loads").retired, []);
        assert!(fixture.verify().await.orphans.is_empty());
        assert_eq!(ids.len(), 7);
        // A merge of merges.
        fill(&store, 7..15).await;
        assert!(store.compact_all().await.expect("merged") > 0);
        assert!(live(&store).iter().any(|meta| meta.level > 0));
        assert_eq!(records(&store, Signal::Logs).await, expected(0..15));
        let verified = fixture.verify().await;
        assert_eq!(verified.report.findings, []);
    });
}

#[test]
fn the_background_merges_by_itself_and_deletes_after_the_grace() {
    let fixture = fixture(2);
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..5).await;
        background(&store, 5).await;
        assert_eq!(live(&store).len(), 1);
        assert_eq!(fixture.objects(".logs.parquet").await.len(), 6);
        background(&store, 700).await;
        assert_eq!(fixture.objects(".logs.parquet").await.len(), 1);
        assert_eq!(records(&store, Signal::Logs).await, expected(0..5));
        assert_eq!(store.health().problems, []);
    });
}

#[test]
fn nothing_is_merged_where_it_is_switched_off() {
    let mut fixture = fixture(3);
    fixture.config.compaction_target_bytes = 0;
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..5).await;
        background(&store, 70).await;
        assert_eq!(live(&store).len(), 5);
    });
}

/// Stops the process at every call to the disk during a merge, by a kill or a power cut; afterwards everything is
/// there once, in the catalog as it is and in one that is made anew from the bucket.
#[test]
fn a_crash_at_any_point_leaves_the_inputs_or_the_output() {
    let (mut inputs, mut outputs) = (0, 0);
    for stop in [Stop::Kill, Stop::PowerCut] {
        for local in [false, true] {
            for calls in 1.. {
                let mut fixture = fixture(calls);
                if local {
                    fixture.config.bucket = "local".to_string();
                    let root = fixture.config.data_dir.join("bucket");
                    let local = LocalStore::new(fixture.simulation.world(), root);
                    fixture.bucket = Arc::new(local);
                }
                fixture.run(async {
                    let store = fixture.open().await;
                    fill(&store, 0..4).await;
                });
                let ended = fixture.simulation.run(async {
                    let store = fixture.open().await;
                    fixture.simulation.stop_after(calls, stop);
                    store.compact_all().await
                });
                fixture.simulation.cancel_stop();
                let finished = matches!(ended, Ended::Finished(Ok(_)));
                let levels = fixture.run(check_after_a_crash(&fixture));
                match levels.iter().any(|level| *level > 0) {
                    true => outputs += 1,
                    false => inputs += 1,
                }
                if finished {
                    break;
                }
            }
        }
    }
    // In the staging folder before the commit; the clean-up is after it.
    assert!(inputs > 20 && outputs > 4, "{inputs} {outputs}");
}

/// The levels of the live segments that a start finds.
async fn check_after_a_crash(fixture: &Fixture) -> Vec<u32> {
    let store = fixture.open().await;
    assert_eq!(records(&store, Signal::Logs).await, expected(0..4));
    let found = live(&store).iter().map(|meta| meta.level).collect();
    let by_catalog = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
    let by_catalog = by_catalog.segments.len();
    // What a rebuild finds now, before anything is deleted.
    drop(store);
    let rebuilt = fixture.rebuild(Claim::Own).await.expect("rebuilt");
    assert_eq!(rebuilt.segments, by_catalog);
    let store = fixture.open().await;
    assert_eq!(records(&store, Signal::Logs).await, expected(0..4));
    background(&store, 5).await;
    store.compact_all().await.expect("merged");
    assert_eq!(live(&store).len(), 1);
    assert_eq!(records(&store, Signal::Logs).await, expected(0..4));
    drop(store);
    fixture.catalog.lose();
    let store = fixture.open().await;
    assert_eq!(records(&store, Signal::Logs).await, expected(0..4));
    found
}

/// Replies of the catalog get lost, and the bucket fails: what is live is never deleted, and merges get done in the end.
#[test]
fn lost_replies_and_a_bucket_that_fails() {
    use crate::objects::faulty::{FaultyStore, ObjectFaults};
    for seed in 0..30 {
        let mut fixture = fixture(seed);
        let bucket = FaultyStore::new(fixture.bucket.clone(), fixture.simulation.world());
        fixture.bucket = Arc::new(bucket.clone());
        fixture.run(async {
            let store = fixture.open().await;
            fill(&store, 0..4).await;
            fixture.catalog.set_faults(CatalogFaults {
                refused: 0.3,
                reply_lost: 0.4,
            });
            bucket.set_faults(ObjectFaults {
                outage: false,
                refused: 0.3,
                reply_lost: 0.2,
                repeated: 0.2,
            });
            background(&store, 200).await;
            bucket.set_faults(ObjectFaults::default());
            fixture.catalog.set_faults(CatalogFaults::default());
            assert_eq!(records(&store, Signal::Logs).await, expected(0..4));
            background(&store, 1_400).await;
            assert_eq!(live(&store).len(), 1, "seed {seed}");
            assert_eq!(records(&store, Signal::Logs).await, expected(0..4));
            assert_eq!(fixture.objects(".logs.parquet").await.len(), 1);
            let loaded = fixture.catalog.load().await.expect("loads");
            assert_eq!((loaded.segments.len(), loaded.retired.len()), (1, 0));
        });
    }
}

/// A segment that is damaged is left alone, and so are the others until then.
#[test]
fn a_damaged_segment_is_reported_and_not_merged() {
    let fixture = fixture(4);
    fixture.run(async {
        let store = fixture.open().await;
        fill(&store, 0..4).await;
        let damaged = live(&store)[0].objects[0].file.path.clone();
        let path = object_store::path::Path::from(damaged);
        let whole = fixture.bucket.get(&path).await.expect("it is there");
        let mut bytes = whole.bytes().await.expect("readable").to_vec();
        bytes[40] ^= 1;
        fixture.bucket.put(&path, bytes.into()).await.expect("put");
        store.compact_all().await.expect_err("it is damaged");
        background(&store, 10).await;
        let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
        assert_eq!(snapshot.missing.len(), 1);
        assert_eq!(snapshot.segments.len(), 1, "the three others were merged");
        let problems = store.health().problems;
        assert!(
            problems.iter().all(|problem| problem.part == "segment"),
            "{problems:?}"
        );
    });
}
