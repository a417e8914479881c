//! Damage of every kind to every file: no answer is wrong, what is missing is named, nothing blocks a start.
//!
//! Each case takes a whole data folder, damages one file of it (a bit, a cut, no bytes, no file, an old copy), asks
//! `verify`, opens the store as the binary does, and compares all rows with the right ones. `cargo xtask corrupt
//! --cases 10000` runs many; `--only N` runs one again.

mod case;
mod damage;
mod dice;
mod files;
mod folder;
mod questions;
mod tally;

use case::Outcome;
use folder::Pristine;
use futures::{FutureExt, StreamExt};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tally::Tally;

/// Cases of a run that says nothing else: about 90 seconds of two processors.
const CASES: u64 = 600;

/// Cases that run at the same time.
const AT_ONCE: usize = 4;

/// No case takes a second; one that hangs is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number from the environment, as `cargo xtask corrupt` sets it.
#[expect(
    clippy::disallowed_methods,
    reason = "the only way to pass an argument to a test"
)]
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_named_and_answers_stay_right() {
    let seed = setting("CAIRN_CORRUPT_SEED").unwrap_or(1);
    let cases = match setting("CAIRN_CORRUPT_ONLY") {
        Some(only) => only..only + 1,
        None => 0..setting("CAIRN_CORRUPT_CASES").unwrap_or(CASES),
    };
    let folder = files::temporary();
    let pristine = Arc::new(Pristine::make(folder.path()).await);
    let run = |number: u64| {
        let pristine = pristine.clone();
        async move {
            let case = AssertUnwindSafe(case::run(&pristine, seed, number)).catch_unwind();
            let outcome = match tokio::time::timeout(PATIENCE, case).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Outcome::failed(&pristine, seed, number, "it panicked"),
                Err(_) => Outcome::failed(&pristine, seed, number, "it hangs"),
            };
            (number, outcome)
        }
    };
    let mut running = futures::stream::iter(cases.map(|number| tokio::spawn(run(number))))
        .buffer_unordered(AT_ONCE);
    let mut tally = Tally::default();
    while let Some(done) = running.next().await {
        let (number, outcome) = done.expect("a case catches its panics");
        tally.add(number, outcome);
    }
    println!("{tally}");
    assert!(
        tally.failures.is_empty(),
        "{} cases failed",
        tally.failures.len()
    );
}
