//! Tests of the simulation: seeds that must pass, and protections whose loss must show.

use super::*;

/// Seeds run in the suite, a quarter by each of four tests, so that they run side by side; `cargo xtask simulate` runs
/// more.
const SEEDS: u64 = 200;

#[test]
fn every_seed_keeps_every_promise() {
    check_seeds(0);
}

#[test]
fn every_seed_keeps_every_promise_2() {
    check_seeds(1);
}

#[test]
fn every_seed_keeps_every_promise_3() {
    check_seeds(2);
}

#[test]
fn every_seed_keeps_every_promise_4() {
    check_seeds(3);
}

fn check_seeds(quarter: u64) {
    const COUNT: u64 = SEEDS / 4;
    let (mut crashes, mut requests, mut merges, mut expired) = (0, 0, 0, 0);
    let mut deletions = 0;
    for seed in quarter * COUNT..(quarter + 1) * COUNT {
        let report = run(seed, None).unwrap_or_else(|e| panic!("{e}\n{}", e.calls.join("\n")));
        crashes += report.crashes;
        requests += report.requests;
        merges += report.merges;
        expired += report.expired;
        deletions += report.deletions;
    }
    // A harness that never got anywhere would pass, too.
    assert!(
        crashes > COUNT && requests > 20 * COUNT && merges > 2 * COUNT && expired > COUNT / 16,
        "{crashes} crashes, {requests} requests, {merges} merges, {expired} segments expired"
    );
    assert!(deletions > 2 * COUNT, "{deletions} deletions");
}

#[test]
fn a_seed_is_a_run() {
    let first = run(7, None).expect("it passes");
    assert_eq!(first, run(7, None).expect("it passes"));
    assert_ne!(first.trace, run(8, None).expect("it passes").trace);
}

/// Without a protection at least one of a few seeds fails.
fn check_noticed(sabotage: Sabotage) {
    let failure = (0..40).find_map(|seed| run(seed, Some(sabotage)).err());
    assert!(
        failure.is_some(),
        "nobody noticed that {sabotage:?} was missing"
    );
}

#[test]
fn a_missing_fsync_is_noticed() {
    check_noticed(Sabotage::FileSync);
}

#[test]
fn a_missing_directory_fsync_is_noticed() {
    check_noticed(Sabotage::DirectorySync);
}

#[test]
fn a_missing_digest_is_noticed() {
    check_noticed(Sabotage::Digest);
}

#[test]
fn digests_that_go_with_the_log_are_noticed() {
    check_noticed(Sabotage::CommittedDigest);
}

#[test]
fn a_missing_flush_mark_is_noticed() {
    check_noticed(Sabotage::FlushMark);
}

#[test]
fn a_missing_retirement_is_noticed() {
    check_noticed(Sabotage::Retired);
}
