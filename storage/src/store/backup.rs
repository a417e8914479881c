//! Writing backups of the catalog: every so often and at a clean shutdown, beside everything else.
//!
//! Nothing waits for it: a bucket that does not answer holds up the next backup and nothing more. What is in the bucket
//! without one is all rows; a backup adds what footers do not say (`rebuild`).

use super::{
    backups::{self, Head},
    claim::{self, Claim},
    health::Part,
    rows_of_tables,
    state::State,
};
use crate::error::{Error, Result};
use std::time::Duration;

/// A backup that takes longer is given up and tried again.
const TIMEOUT: Duration = Duration::from_secs(300);

/// From a failed attempt to the next one, where the interval is not shorter.
const RETRY: Duration = Duration::from_secs(30);

/// What a backup concerns in health.
const SUBJECT: &str = "backup of the catalog";

/// Whether it is time for a [`pass`].
pub(super) fn is_due(state: &State) -> bool {
    let Some(interval) = interval(state) else {
        return false;
    };
    let now = state.monotonic();
    let mut backing = state.backing.lock();
    *backing.next.get_or_insert(now + interval) <= now
}

/// Makes a backup, unless the last one holds all there is; counts it, and says in the log and in health what did not work.
pub(super) async fn pass(state: &State) {
    let Some(interval) = interval(state) else {
        return;
    };
    let worked = attempt(state, TIMEOUT).await;
    let wait = if worked {
        interval
    } else {
        interval.min(RETRY)
    };
    state.backing.lock().next = Some(state.monotonic() + wait);
}

/// The last one, at a clean shutdown, in what is left of its time.
pub(super) async fn last(state: &State) {
    if interval(state).is_some() {
        // Some time stays for whatever comes after it.
        attempt(state, state.until_closed() / 2).await;
    }
}

/// Makes one now and removes all that are older, so that nothing in the bucket says what the catalog has forgotten.
pub(super) async fn only_now(state: &State) -> Result<()> {
    state.backing.lock().commits = None;
    write(state, 1).await.map(drop)
}

fn interval(state: &State) -> Option<Duration> {
    let seconds = state.config.catalog_backup_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

async fn attempt(state: &State, limit: Duration) -> bool {
    let keep = state.config.catalog_backups;
    let began = state.monotonic();
    let outcome = tokio::select! {
        biased;
        written = write(state, keep) => written,
        () = state.world.clock.sleep(limit) => Err(Error::Unavailable {
            what: "the bucket",
            detail: format!("a backup of the catalog took more than {} s", limit.as_secs()),
        }),
    };
    let telemetry = &state.telemetry.backup;
    match outcome {
        Ok(None) => true,
        Ok(Some(bytes)) => {
            let took = state.monotonic().saturating_sub(began);
            telemetry.written(bytes, took, state.now());
            state.problems.clear(Part::Backup, SUBJECT);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "no backup of the catalog was made: it is tried again");
            telemetry.failed();
            state.raise(Part::Backup, SUBJECT, error.to_string());
            false
        }
    }
}

/// Writes one and keeps `keep`; returns its bytes, or `None` when the last one holds all there is.
async fn write(state: &State, keep: usize) -> Result<Option<u64>> {
    let commits = state.catalog.commits().await?;
    if state.backing.lock().commits == Some(commits) {
        return Ok(None);
    }
    let owner = *state.owner.get().expect("set before anything runs");
    // Somebody may have taken the bucket over: what we would say of it is not true any more.
    claim::claim(&*state.bucket, owner, Claim::Own).await?;
    let contents = state.catalog.contents().await?;
    if let Some(detail) = contents.state.damaged.first() {
        return Err(Error::Corrupt {
            what: "the catalog".to_string(),
            detail: format!("{detail}: a backup of it would be no better"),
        });
    }
    let commits = contents.commits;
    let mut head = Head {
        sequence: 0,
        taken: state.now(),
        owner: Some(owner),
        commits,
        tables: rows_of_tables::list(contents.state.segments.iter()),
        body_bytes: 0,
    };
    let pack = async move { backups::pack(&contents) };
    let (body, body_bytes) = state.world.aside(pack).await?;
    head.body_bytes = body_bytes;
    let bytes = backups::write(&*state.bucket, &mut head, &body).await?;
    state.backing.lock().commits = Some(commits);
    tracing::debug!(sequence = head.sequence, bytes, "the catalog is backed up");
    if let Err(error) = backups::prune(&*state.bucket, keep).await {
        if keep == 1 {
            return Err(error);
        }
        // They take a little space until the next one.
        tracing::warn!(%error, "old backups of the catalog stay");
    }
    Ok(Some(bytes))
}
