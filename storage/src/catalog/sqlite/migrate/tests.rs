//! Ladders of steps over small tables.

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
    let meta =
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER NOT NULL)";
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
