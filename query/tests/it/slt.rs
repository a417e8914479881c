//! Runs `tests/sql/*.slt` over the shop, wherever its rows are.

use crate::{
    shop::{self, Place},
    world::{self, World},
};
use cairn_query::error::Error;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

struct Database(Arc<World>);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

#[async_trait::async_trait]
impl AsyncDB for Database {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let answer = self
            .0
            .sql(sql)
            .await
            .map_err(|error| Failure(chain(&error)))?;
        let columns = answer
            .batches
            .first()
            .map_or(1, |batch| batch.num_columns());
        let rows = world::rows(&answer.batches);
        let shown = |value: String| {
            if value.is_empty() {
                "(empty)".to_string()
            } else {
                value
            }
        };
        let rows = rows
            .into_iter()
            .map(|row| row.into_iter().map(shown).collect())
            .collect();
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Text; columns],
            rows,
        })
    }

    async fn shutdown(&mut self) {}
}

/// The whole chain of an error, as the edge prints it.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn scripts() -> Vec<PathBuf> {
    // Cargo starts tests in the folder of their package.
    let folder = Path::new("tests/sql");
    #[expect(clippy::disallowed_methods, reason = "lists the scripts of this test")]
    let entries = std::fs::read_dir(folder).expect("the scripts are there");
    let mut scripts: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    scripts.sort();
    assert!(!scripts.is_empty(), "no scripts found");
    scripts
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_hold_wherever_rows_are() {
    let mut failures = Vec::new();
    for place in Place::ALL {
        let world = Arc::new(shop::open(place).await);
        for script in scripts() {
            let mut runner = Runner::new(|| async { Ok(Database(world.clone())) });
            if let Err(error) = runner.run_file_async(&script).await {
                failures.push(format!("{place:?}: {}", error.display(false)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
