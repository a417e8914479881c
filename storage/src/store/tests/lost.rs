//! A catalog that is gone: it comes back from the bucket, and nothing that was acknowledged is skipped.

use super::*;

/// Two flushes of which nothing is left in the log.
async fn two_flushes(fixture: &Fixture) {
    let store = fixture.open().await;
    for text in ["1 a\n2 bad-b\n", "3 c\n"] {
        append(&store, request(text)).await.expect("stored");
        store.flush_all().await.expect("flushed");
    }
    store.close().await.expect("closed");
}

fn check_healed(store: &Store) {
    let health = store.health();
    assert!(health.accepting, "{health:?}");
    let problem = &health.problems[0];
    assert_eq!((health.problems.len(), problem.part), (1, "catalog"));
    assert!(problem.detail.contains("lost"), "{problem:?}");
}

#[test]
fn a_lost_catalog_is_made_anew_at_the_start_and_sequences_go_on() {
    let fixture = Fixture::new();
    fixture.run(async {
        two_flushes(&fixture).await;
        fixture.catalog.lose();
        let store = fixture.open().await;
        check_healed(&store);
        assert_eq!(records(&store, Signal::Logs).await, ["a", "c"]);
        let outcome = append(&store, request("4 d\n")).await.expect("stored");
        assert_eq!(outcome.sequence, 3);
        store.flush_all().await.expect("flushed");
        store.close().await.expect("closed");
        drop(store);
        // And by hand, which has to find every flush.
        fixture.catalog.lose();
        let rebuilt = fixture.rebuild(Claim::Own).await.expect("rebuilt");
        assert_eq!((&rebuilt.left_out, &rebuilt.problems), (&vec![], &vec![]));
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a", "c", "d"]);
        assert_eq!(store.health().problems, []);
    });
}

#[test]
fn frames_behind_a_lost_catalog_are_replayed() {
    let fixture = Fixture::new();
    fixture.run(two_flushes(&fixture));
    fixture.catalog.lose();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("4 d\n5 bad-e\n"))
            .await
            .expect("stored");
    });
    // Killed before the flush, and the catalog gone once more.
    fixture.simulation.cut_power();
    fixture.catalog.lose();
    fixture.run(async {
        let store = fixture.open().await;
        check_healed(&store);
        assert_eq!(records(&store, Signal::Logs).await, ["a", "c", "d"]);
        assert_eq!(records(&store, Signal::DeadLetters).await.len(), 2);
        store.flush_all().await.expect("flushed");
        assert!(fixture.verify().await.is_sound());
    });
}

#[test]
fn sequences_go_on_above_what_is_left_out_and_what_cannot_be_read() {
    let fixture = Fixture::new();
    fixture.run(async {
        two_flushes(&fixture).await;
        let logs = fixture.objects("signal=logs").await;
        let newest = logs.iter().rfind(|path| path.ends_with("parquet"));
        let newest = object_store::path::Path::parse(newest.expect("two flushes")).expect("a path");
        let damage = object_store::PutPayload::from_static(b"no Parquet");
        object_store::ObjectStoreExt::put(&fixture.bucket, &newest, damage)
            .await
            .expect("put");
        fixture.catalog.lose();
        let store = fixture.open().await;
        let outcome = append(&store, request("4 d\n")).await.expect("stored");
        assert!(outcome.sequence > 1 << 32, "{}", outcome.sequence);
        store.close().await.expect("closed");
        drop(store);
        let store = fixture.open().await;
        let next = append(&store, request("5 e\n")).await.expect("stored");
        assert_eq!(next.sequence, outcome.sequence + 1);
        assert_eq!(records(&store, Signal::Logs).await.len(), 3);
    });
}

#[test]
fn an_empty_catalog_that_was_in_use_is_no_lost_one() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        let key = (TenantId::default_tenant(), Signal::Logs);
        stage::stage(&store.state, &key, "test")
            .await
            .expect("staged");
        let staged = store.state.buffers.next_staged(&key).expect("staged");
        upload::upload(&store.state, staged.segments.iter().map(|s| &s.meta))
            .await
            .expect("uploaded");
    });
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(store.health().problems, []);
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
        store.flush_all().await.expect("flushed");
        // The first upload is an orphan.
        assert_eq!(fixture.verify().await.segments, 1);
    });
}
