//! Tests of the retry window: what is known, for how long, and what happens at its limit.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn scope(tenant: &str) -> Scope {
    Scope {
        tenant: tenant.parse().unwrap(),
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
    }
}

fn known(sequence: u64) -> Known {
    Known {
        sequence,
        answer: Answer::default(),
    }
}

fn claim(window: &Arc<Retries>, digest: u128, now: Duration) -> Claim {
    match window.claim(scope("a"), digest, now) {
        Lookup::New(claim) => claim,
        Lookup::InFlight(_) => panic!("{digest} is in flight"),
        Lookup::Known(known) => panic!("{digest} is known as {known:?}"),
    }
}

fn is_known(window: &Arc<Retries>, digest: u128, now: Duration) -> bool {
    matches!(window.claim(scope("a"), digest, now), Lookup::Known(_))
}

#[test]
fn a_settled_request_is_known_with_its_answer_until_the_window_ends() {
    let window = Arc::new(Retries::new(15 * MINUTE));
    let answer = Answer {
        rejected: 2,
        message: "two were bad".to_string(),
    };
    let known = Known {
        sequence: 7,
        answer,
    };
    claim(&window, 1, MINUTE).settle(known.clone(), Nanos(5), MINUTE);
    match window.claim(scope("a"), 1, 16 * MINUTE) {
        Lookup::Known(found) => assert_eq!(found, known),
        _ => panic!("forgotten within the window"),
    }
    assert!(
        !is_known(&window, 1, 18 * MINUTE),
        "kept an eighth longer than the window"
    );
    assert_eq!(window.counts(), (0, 0));
}

#[test]
fn tenants_signals_and_encodings_are_apart() {
    let window = Arc::new(Retries::new(15 * MINUTE));
    claim(&window, 1, MINUTE).settle(known(1), Nanos(0), MINUTE);
    for other in [
        scope("b"),
        Scope {
            signal: Signal::Spans,
            ..scope("a")
        },
        Scope {
            encoding: Encoding::OtlpJson,
            ..scope("a")
        },
    ] {
        assert!(matches!(window.claim(other, 1, MINUTE), Lookup::New(_)));
    }
}

#[test]
fn a_request_in_flight_is_waited_for_and_its_failure_makes_it_new_again() {
    let window = Arc::new(Retries::new(15 * MINUTE));
    let first = claim(&window, 1, MINUTE);
    let Lookup::InFlight(mut second) = window.claim(scope("a"), 1, MINUTE) else {
        panic!("two claims on one request");
    };
    assert!(second.try_recv().is_err());
    drop(first);
    assert_eq!(second.try_recv(), Err(oneshot::error::TryRecvError::Closed));

    let again = claim(&window, 1, MINUTE);
    let Lookup::InFlight(mut second) = window.claim(scope("a"), 1, MINUTE) else {
        panic!("two claims on one request");
    };
    again.settle(known(3), Nanos(0), MINUTE);
    assert_eq!(second.try_recv().unwrap(), known(3));
    assert!(is_known(&window, 1, MINUTE));
}

#[test]
fn over_the_limit_the_oldest_go_and_are_counted() {
    let window = Arc::new(Retries::with_limit(15 * MINUTE, 80));
    for digest in 0..100 {
        claim(&window, digest, MINUTE).settle(known(digest as u64), Nanos(0), MINUTE);
        assert!(window.counts().0 <= 80);
    }
    let (held, evicted) = window.counts();
    assert_eq!(held as u64 + evicted, 100);
    assert!(held >= 70, "{held} of 80 are held: more went than had to");
    assert!(is_known(&window, 99, MINUTE) && !is_known(&window, 0, MINUTE));
}

#[test]
fn the_oldest_received_time_covers_steps_of_the_wall_clock() {
    let window = Arc::new(Retries::new(15 * MINUTE));
    assert_eq!(window.oldest_received(), None);
    for (digest, received) in [(1, 500), (2, 100), (3, 900)] {
        window.remember((scope("a"), digest), known(1), Nanos(received), MINUTE);
    }
    assert_eq!(window.oldest_received(), Some(Nanos(100)));
}

#[test]
fn a_window_of_zero_dedupes_nothing_that_is_done() {
    let window = Arc::new(Retries::new(Duration::ZERO));
    claim(&window, 1, MINUTE).settle(known(1), Nanos(0), MINUTE);
    assert!(!is_known(&window, 1, MINUTE));
}
