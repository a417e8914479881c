//! Slow reads in simulated time.

use super::*;
use crate::{
    objects::cache::tests::scripted::{Scripted, Step},
    world::simulated::{Ended, Simulation},
};

const SIZE: u64 = 1_000;

fn run(check: impl AsyncFn(&Hedger, &Scripted, &World)) {
    let simulation = Simulation::new(1);
    let world = simulation.world();
    let ended = simulation.run(async {
        let store = Scripted::with("a", vec![7; SIZE as usize].into()).await;
        let hedger = Hedger::new(store.clone(), &world, BucketTelemetry::default());
        check(&hedger, &store, &world).await;
    });
    assert_eq!(ended, Ended::Finished(()));
}

fn hedges(hedger: &Hedger, outcome: &'static str) -> u64 {
    let counter = hedger
        .telemetry
        .hedges
        .get(&crate::telemetry::OutcomeLabels::new(outcome));
    counter.map_or(0, |counter| counter.get())
}

async fn get(hedger: &Hedger, store: &Scripted) -> Answer {
    hedger.get(&store.path, 0..SIZE).await
}

#[test]
fn the_second_request_wins_against_a_slow_one() {
    run(async |hedger, store, world| {
        // Nobody knows yet what is slow.
        store.script([Step::Lost]);
        let began = world.clock.monotonic();
        let answer = get(hedger, store).await;
        assert!(answer.hedged);
        assert_eq!(answer.bytes.expect("read").len() as u64, SIZE);
        assert!(world.clock.monotonic() - began >= FIRST_BOUND);
        // Later it is known: these took no time.
        for _ in 0..2 * REMEMBERED {
            assert!(!get(hedger, store).await.hedged);
        }
        store.script([Step::Lost]);
        let began = world.clock.monotonic();
        assert!(get(hedger, store).await.bytes.is_ok());
        let took = world.clock.monotonic() - began;
        assert!(took >= LOWEST_BOUND && took < FIRST_BOUND, "{took:?}");
        assert_eq!(hedges(hedger, "second"), 2);
        assert_eq!(store.asked().len(), 2 * REMEMBERED + 4);
    });
}

#[test]
fn the_first_request_wins_when_it_is_answered_first() {
    run(async |hedger, store, _| {
        store.script([Step::Held, Step::Lost]);
        let first = get(hedger, store);
        let release = async {
            while store.asked().len() < 2 {
                hedger.clock.sleep(Duration::from_millis(10)).await;
            }
            store.release();
        };
        let (answer, ()) = futures::join!(first, release);
        assert!(answer.hedged && answer.bytes.is_ok());
        assert_eq!(hedges(hedger, "first"), 1);
    });
}

#[test]
fn an_error_waits_for_the_other_request() {
    run(async |hedger, store, _| {
        store.script([Step::Lost, Step::Refused]);
        let lost = get(hedger, store);
        let sleep = hedger.clock.sleep(Duration::from_secs(60));
        assert!(
            matches!(select(Box::pin(lost), sleep).await, Either::Right(_)),
            "the first may still be answered"
        );
        assert_eq!(store.asked().len(), 2);
        // One that fails at once is not slow: the client of the bucket has tried again by itself.
        store.script([Step::Refused]);
        let answer = get(hedger, store).await;
        assert!(!answer.hedged && answer.bytes.is_err());
    });
}

#[test]
fn few_requests_are_sent_again() {
    run(async |hedger, store, _| {
        for _ in 0..40 {
            // All are slow: the second one, where there is one, brings the answer.
            store.script([Step::Held]);
            let slow = get(hedger, store);
            let release = async {
                hedger.clock.sleep(Duration::from_secs(100)).await;
                store.release();
            };
            let (answer, ()) = futures::join!(slow, release);
            assert!(answer.bytes.is_ok());
            store.hold();
        }
        let sent = store.asked().len() as u64 - 40;
        assert_eq!(sent, hedger.hedges.load(Ordering::Relaxed));
        assert!((1..=4).contains(&sent), "{sent} of 40");
    });
}
