//! The catalog in one SQLite file: `synchronous=FULL`, one connection, a checksum in every row.
//!
//! SQLite's pages carry no checksums, so each row has its own (see `row`), checked when it is read. `open`
//! never lets a damaged file block the start: what can be read is used, the rest is reported by `load`, and a
//! file that SQLite does not take at all is set aside. `docs/formats/catalog.md` describes the tables.

mod file;
mod read;
mod write;

use super::{Catalog, CatalogState, Commit, Event};
use crate::{
    error::{Error, Result},
    id::OwnerId,
    signal::Table,
    world::World,
};
use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use std::path::{Path, PathBuf};
use tokio::sync::Mutex;

/// A catalog in a file.
pub struct SqliteCatalog {
    path: PathBuf,
    world: World,
    /// The only connection, so that calls come one after another and a transaction is never another's.
    open: Mutex<Open>,
}

struct Open {
    /// `None` after a failed attempt to replace the file: each call then tries to open it again.
    connection: Option<SqliteConnection>,
    /// What was found damaged when the file was opened.
    damaged: Vec<String>,
}

impl SqliteCatalog {
    /// Opens the catalog at `path`, or makes it there.
    ///
    /// `Invalid` when a newer build wrote it. Damage is no error: see [`CatalogState::damaged`].
    pub async fn open(path: &Path, world: &World) -> Result<SqliteCatalog> {
        let file::Opened {
            connection,
            damaged,
        } = file::open(path, world).await?;
        let open = Mutex::new(Open {
            connection: Some(connection),
            damaged,
        });
        Ok(SqliteCatalog {
            path: path.to_path_buf(),
            world: world.clone(),
            open,
        })
    }

    async fn connection<'a>(&self, open: &'a mut Open) -> Result<&'a mut SqliteConnection> {
        if open.connection.is_none() {
            let file::Opened {
                connection,
                damaged,
            } = file::open(&self.path, &self.world).await?;
            *open = Open {
                connection: Some(connection),
                damaged,
            };
        }
        Ok(open.connection.as_mut().expect("opened above"))
    }

    /// Folds SQLite's own log into the file and closes it.
    pub async fn close(&self) -> Result<()> {
        match self.open.lock().await.connection.take() {
            Some(connection) => connection.close().await.map_err(failed("closing")),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn load(&self) -> Result<CatalogState> {
        let mut open = self.open.lock().await;
        let mut state = read::load(self.connection(&mut open).await?).await?;
        state.damaged.splice(0..0, open.damaged.iter().cloned());
        Ok(state)
    }

    async fn begin_epoch(&self) -> Result<u64> {
        let mut open = self.open.lock().await;
        let floor = file::epoch_floor(&self.world);
        write::begin_epoch(self.connection(&mut open).await?, floor).await
    }

    async fn set_owner(&self, owner: OwnerId) -> Result<()> {
        let mut open = self.open.lock().await;
        write::set_owner(self.connection(&mut open).await?, owner).await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        let mut open = self.open.lock().await;
        write::commit(self.connection(&mut open).await?, commit).await
    }

    async fn field_ids(&self, table: Table, columns: &[String]) -> Result<Vec<i32>> {
        let mut open = self.open.lock().await;
        write::field_ids(self.connection(&mut open).await?, table, columns).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<(u64, Event)>> {
        let mut open = self.open.lock().await;
        read::events(self.connection(&mut open).await?, after, limit).await
    }

    async fn replace_all(
        &self,
        state: CatalogState,
        field_ids: Vec<(Table, String, i32)>,
    ) -> Result<()> {
        let mut open = self.open.lock().await;
        // Numbers that were given out must not be given again; what a damaged file still knows of them is used.
        let counters = match self.connection(&mut open).await {
            Ok(connection) => read::counters(connection).await,
            Err(_) => read::Counters::default(),
        };
        let fresh = file::fresh(&self.path, &self.world).await?;
        write::fill(fresh, counters, state, field_ids).await?;
        if let Some(old) = open.connection.take() {
            // A damaged file may refuse to close in order; it is replaced all the same.
            drop(old.close().await);
        }
        file::put_in_place(&self.path, &self.world).await?;
        open.damaged.clear();
        self.connection(&mut open).await.map(drop)
    }
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Catalog { doing, source }
}

#[cfg(test)]
mod tests;
