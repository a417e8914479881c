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
mod tests {
    use super::*;
    use crate::error::Kind;

    const LADDER: [Step; 2] = [
        Step {
            from: 1,
            about: "a table",
            sql: "CREATE TABLE one (a INTEGER); INSERT INTO one VALUES (1);",
        },
        Step {
            from: 2,
            about: "a column",
            sql: "ALTER TABLE one ADD COLUMN b TEXT",
        },
    ];

    async fn version(connection: &mut SqliteConnection) -> i64 {
        let version = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'format_version'");
        version.fetch_one(connection).await.expect("it has one")
    }

    #[test]
    fn a_way_is_whole_or_there_is_none() {
        let froms = |version, target| -> Vec<i64> {
            let steps = steps(&LADDER, version, target).expect("a way");
            steps.iter().map(|step| step.from).collect()
        };
        assert_eq!(froms(1, 3), [1, 2]);
        assert_eq!(froms(2, 3), [2]);
        assert!(froms(3, 3).is_empty());
        for (version, says) in [(4, "use a newer build"), (0, "no way to 3")] {
            let error = steps(&LADDER, version, 3).expect_err("no way");
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[tokio::test]
    async fn each_step_is_taken_once_and_a_failed_one_not_at_all() {
        let mut connection = SqliteConnection::connect("sqlite::memory:")
            .await
            .expect("opens");
        let meta = "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER NOT NULL)";
        connection.execute(meta).await.expect("made");
        put_meta(&mut connection, "format_version", 1)
            .await
            .expect("set");
        let broken = Step {
            sql: "ALTER TABLE one ADD COLUMN b TEXT; SELECT * FROM nowhere",
            ..LADDER[1]
        };
        let failed = run(&mut connection, &[LADDER[0], broken]).await;
        failed.expect_err("the second step fails");
        assert_eq!(version(&mut connection).await, 2);
        // Whoever comes next goes on from there, and nothing is left for the one after.
        for _ in 0..2 {
            let now = version(&mut connection).await;
            let left = steps(&LADDER, now, 3).expect("a way");
            run(&mut connection, &left).await.expect("migrated");
            assert_eq!(version(&mut connection).await, 3);
        }
        let rows: Vec<(i64, Option<String>)> = sqlx::query_as("SELECT a, b FROM one")
            .fetch_all(&mut connection)
            .await
            .expect("both columns");
        assert_eq!(rows, [(1, None)]);
    }
}
