//! Tests of `policy`.

use super::*;
use crate::{id::TenantId, signal::Signal};

const CALM: Load = Load {
    pressure: false,
    refused_bytes: 0,
    memory_bytes: 0,
    wal_bytes: 0,
    oldest_file_ends: 0,
};

fn key(signal: Signal) -> Key {
    (TenantId::default_tenant(), signal)
}

fn open(signal: Signal, bytes: u64, since_seconds: u64) -> Open {
    Open {
        key: key(signal),
        bytes,
        since: Duration::from_secs(since_seconds),
        first_uncommitted: 1,
        frozen_bytes: 0,
        staged: false,
    }
}

fn check(open: &[Open], load: Load, expected: &[(Signal, &'static str)]) {
    let config = Config {
        memory_bytes: 400 << 20,
        ..Config::default()
    };
    let due = due(open, Duration::from_secs(5_000), load, &config);
    let expected: Vec<Due> = expected
        .iter()
        .map(|(s, reason)| (key(*s), *reason))
        .collect();
    assert_eq!(due, expected);
}

#[test]
fn a_full_buffer_is_due_at_once_and_a_small_one_after_an_hour() {
    let full = open(Signal::Logs, 96 << 20, 4_999);
    let medium_old = open(Signal::Spans, 8 << 20, 4_940);
    let medium_young = open(Signal::Spans, 8 << 20, 4_941);
    let small_young = open(Signal::Metrics, (8 << 20) - 1, 1_401);
    let small_old = open(Signal::Metrics, 1, 1_400);
    check(
        &[full, medium_young, small_young],
        CALM,
        &[(Signal::Logs, "bytes")],
    );
    check(
        &[small_old, medium_old],
        CALM,
        &[(Signal::Metrics, "age"), (Signal::Spans, "age")],
    );
}

#[test]
fn pressure_takes_the_largest_first_and_no_more_than_it_needs() {
    let load = Load {
        pressure: true,
        memory_bytes: 290 << 20,
        ..CALM
    };
    let all = [
        open(Signal::Logs, 20 << 20, 4_999),
        open(Signal::Metrics, 80 << 20, 4_999),
        open(Signal::Spans, 30 << 20, 4_999),
    ];
    check(
        &all,
        load,
        &[(Signal::Metrics, "memory"), (Signal::Spans, "memory")],
    );
    let relieved = Open {
        frozen_bytes: 90 << 20,
        ..open(Signal::DeadLetters, 1 << 20, 4_999)
    };
    check(&[relieved], load, &[]);
}

#[test]
fn a_refused_request_gets_the_room_that_it_lacked() {
    let all = [
        open(Signal::Logs, 20 << 20, 4_999),
        open(Signal::Metrics, 30 << 20, 4_999),
    ];
    let refused = |refused_bytes| Load {
        memory_bytes: 50 << 20,
        refused_bytes,
        ..CALM
    };
    check(&all, refused(350 << 20), &[]);
    check(&all, refused(370 << 20), &[(Signal::Metrics, "memory")]);
    let both = [(Signal::Metrics, "memory"), (Signal::Logs, "memory")];
    check(&all, refused(400 << 20), &both);
}

#[test]
fn a_long_log_flushes_what_holds_back_its_oldest_file() {
    let load = Load {
        wal_bytes: 513 << 20,
        oldest_file_ends: 9,
        ..CALM
    };
    let holding = open(Signal::Logs, 1, 4_999);
    let young = Open {
        first_uncommitted: 10,
        ..open(Signal::Spans, 1, 4_999)
    };
    // Nothing of it can be staged any more: it waits for its upload.
    let staged = Open {
        staged: true,
        ..open(Signal::Metrics, 0, 4_999)
    };
    check(&[holding, young, staged], load, &[(Signal::Logs, "wal")]);
}
