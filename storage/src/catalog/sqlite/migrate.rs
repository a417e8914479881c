//! From the tables of an older build to those of this one, step by step.
//!
//! Each step is one transaction that also sets the version, so that a crash between two leaves a whole catalog of the version
//! between, and whoever comes next goes on from there.

use super::{failed, meta::put_meta};
use crate::error::{Error, Result};
use sqlx::{Connection, Executor, SqliteConnection};

/// One step, from a version to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The version that it begins with; it ends with the next one.
    pub(super) from: i64,
    /// What it does, for people.
    pub(super) about: &'static str,
    pub(super) sql: &'static str,
}

/// What version 2 has more than version 1.
pub(super) const TOMBSTONES: &str = "
CREATE TABLE IF NOT EXISTS tombstones (
    id TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    crc INTEGER NOT NULL
);
";

/// Every step that there ever was, the oldest first. There was no version before 1.
pub(super) const STEPS: [Step; 1] = [Step {
    from: 1,
    about: "deletions are kept",
    sql: TOMBSTONES,
}];

/// The steps from `version` to `target`; `Invalid` where there is no way.
pub(super) fn steps(all: &[Step], version: i64, target: i64) -> Result<Vec<Step>> {
    let steps: Vec<Step> = all
        .iter()
        .filter(|step| (version..target).contains(&step.from))
        .copied()
        .collect();
    if version <= target && steps.len() as i64 == target - version {
        return Ok(steps);
    }
    let detail = if version > target {
        format!("its format is version {version} and this build knows {target}: use a newer build")
    } else {
        format!(
            "its format is version {version}, from which there is no way to {target}: remove it, and the next start makes it \
             anew from the bucket"
        )
    };
    Err(Error::Invalid {
        what: "catalog",
        detail,
    })
}

/// Takes the catalog along `steps`.
pub(super) async fn run(connection: &mut SqliteConnection, steps: &[Step]) -> Result<()> {
    let doing = failed("migrating");
    for step in steps {
        tracing::info!(
            from = step.from,
            step.about,
            "the catalog gets this build's tables"
        );
        let mut transaction = connection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(&doing)?;
        transaction.execute(step.sql).await.map_err(&doing)?;
        put_meta(&mut transaction, "format_version", step.from + 1)
            .await
            .map_err(&doing)?;
        transaction.commit().await.map_err(&doing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
