//! A dead letter that is offered again: its row and its mark are there together or not at all.

use super::*;
use crate::world::simulated::Stop;

/// A request that makes the letter (1, 1, 0) the record `2 a`.
fn again() -> Append {
    let payload = Bytes::from_static(b"1 1 0\n2 a\n");
    let received = Nanos(6_000_000_000);
    let decoded = TextDecode
        .decode(Signal::Logs, Encoding::Replay, 1, &payload, received)
        .expect("the text is well formed");
    Append {
        encoding: Encoding::Replay,
        received,
        payload,
        decoded,
        ..request("")
    }
}

const MARK: &str = "it was offered again and is a row now";

#[test]
fn row_and_mark_are_of_one_frame() {
    for (flush, cut) in [(false, true), (true, true), (false, false)] {
        let fixture = Fixture::new();
        fixture.run(async {
            let store = fixture.open().await;
            append(&store, request("1 bad-a\n"))
                .await
                .expect("acknowledged");
            append(&store, again()).await.expect("acknowledged");
            assert_eq!(records(&store, Signal::Logs).await, ["a"]);
            if flush {
                store.flush_all().await.expect("flushed");
            }
        });
        if cut {
            fixture.simulation.cut_power();
        }
        fixture.run(async {
            let store = fixture.open().await;
            assert_eq!(records(&store, Signal::Logs).await, ["a"]);
            let letters = records(&store, Signal::DeadLetters).await;
            assert_eq!(letters, ["it is bad", MARK]);
        });
        let tenant = TenantId::default_tenant();
        let count = |outcome, reason| {
            fixture
                .telemetry
                .records(&tenant, Signal::Logs, outcome, reason)
        };
        assert_eq!(fixture.ledger(), [2, 1, 0, 1]);
        assert_eq!(count("replayed", "malformed"), 1);
    }
}

#[test]
fn nothing_of_it_is_there_where_the_log_cannot_be_written() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 bad-a\n"))
            .await
            .expect("acknowledged");
        fixture.simulation.set_faults(Faults {
            sync: 1.0,
            ..Faults::default()
        });
        append(&store, again()).await.expect_err("no fsync works");
        assert_eq!(records(&store, Signal::Logs).await, [""; 0]);
        assert_eq!(records(&store, Signal::DeadLetters).await, ["it is bad"]);
    });
}

#[test]
fn wherever_it_is_cut_short_the_next_replay_makes_it_one_row() {
    let mut seen = [0, 0];
    for calls in 1..80 {
        for stop in [Stop::Kill, Stop::PowerCut] {
            let is_row = cut_short(calls, stop);
            seen[usize::from(is_row)] += 1;
        }
    }
    assert!(seen[0] > 5 && seen[1] > 5, "{seen:?}");
}

/// A life that is stopped at a call to the disk while it replays, and a second replay; whether the first one's row was
/// kept.
fn cut_short(calls: u64, stop: Stop) -> bool {
    let fixture = Fixture::with_seed(calls);
    fixture.run(async {
        let store = fixture.open().await;
        let first = append(&store, request("1 bad-a\n")).await;
        first.expect("acknowledged");
    });
    fixture.simulation.stop_after(calls, stop);
    let _ = fixture.simulation.run(async {
        let store = fixture.try_open().await?;
        append(&store, again()).await?;
        store.flush_all().await?;
        store.close().await
    });
    fixture.simulation.cancel_stop();
    let is_row = fixture.run(async {
        let store = fixture.open().await;
        let letters = records(&store, Signal::DeadLetters).await;
        let is_row = !records(&store, Signal::Logs).await.is_empty();
        let is_marked = letters.iter().any(|letter| letter == MARK);
        assert_eq!(is_row, is_marked, "{stop:?} after {calls} calls");
        if !is_marked {
            // As a second replay does, which offers what has no mark.
            let second = append(&store, again()).await;
            second.expect("acknowledged");
        }
        is_row
    });
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
        let letters = records(&store, Signal::DeadLetters).await;
        assert_eq!(letters, ["it is bad", MARK]);
    });
    is_row
}
