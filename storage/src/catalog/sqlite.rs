//! The catalog in one SQLite file: `synchronous=FULL`, one connection, a checksum in every row.
//!
//! SQLite's pages carry no checksums, so each row has its own (see `row`), checked when it is read. `open`
//! never lets a damaged file block the start: what can be read is used, the rest is reported by `load`, and a
//! file that SQLite does not take at all is set aside. An old copy is told by the count of commits (`witness`). `docs/formats/catalog.md` describes the tables.

mod file;
mod meta;
mod migrate;
mod read;
mod witness;
mod write;

use super::{Catalog, CatalogState, Commit, Contents, Event};
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
    /// `None` after an error: the next call tries to open the file again.
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

    /// Runs `work` on the connection, and gives the connection up when SQLite failed in it.
    ///
    /// After an error of the disk SQLite may have rolled the transaction back by itself, and sqlx, which did not see
    /// that, would refuse every later one. The next call opens the file again.
    async fn run<T>(
        &self,
        open: &mut Open,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T> {
        let outcome = work(self.connection(open).await?).await;
        if let Err(error @ Error::Catalog { .. }) = &outcome
            && let Some(connection) = open.connection.take()
        {
            tracing::warn!(%error, "the catalog is closed and opened again");
            // What failed once may fail here too, and changes nothing.
            drop(connection.close().await);
        }
        outcome
    }

    async fn connection<'a>(&self, open: &'a mut Open) -> Result<&'a mut SqliteConnection> {
        let connection = match open.connection.take() {
            Some(connection) => connection,
            None => file::reopen(&self.path).await?,
        };
        Ok(open.connection.insert(connection))
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
        let mut state = self.run(&mut open, async |c| read::load(c).await).await?;
        state.damaged.splice(0..0, open.damaged.iter().cloned());
        Ok(state)
    }

    async fn begin_epoch(&self) -> Result<u64> {
        let mut open = self.open.lock().await;
        let floor = file::epoch_floor(&self.world);
        self.run(&mut open, async |c| write::begin_epoch(c, floor).await)
            .await
    }

    async fn set_owner(&self, owner: OwnerId) -> Result<()> {
        let mut open = self.open.lock().await;
        self.run(&mut open, async |c| write::set_owner(c, owner).await)
            .await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        let mut open = self.open.lock().await;
        let commits = self
            .run(&mut open, async |c| write::commit(c, commit).await)
            .await?;
        witness::write(&self.path, &self.world, commits).await
    }

    async fn field_ids(&self, table: Table, columns: &[String]) -> Result<Vec<i32>> {
        let mut open = self.open.lock().await;
        let work = async |c: &mut _| write::field_ids(c, table, columns).await;
        self.run(&mut open, work).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<(u64, Event)>> {
        let mut open = self.open.lock().await;
        let work = async |c: &mut _| read::events(c, after, limit).await;
        self.run(&mut open, work).await
    }

    async fn commits(&self) -> Result<u64> {
        let mut open = self.open.lock().await;
        let work = async |c: &mut _| Ok(read::counters(c).await.commits);
        self.run(&mut open, work).await
    }

    async fn contents(&self) -> Result<Contents> {
        // A connection of its own, whose snapshot no commit waits for.
        let mut contents = peek(&self.path).await?;
        let damaged = self.open.lock().await.damaged.clone();
        contents.state.damaged.splice(0..0, damaged);
        Ok(contents)
    }

    async fn replace_all(&self, contents: Contents) -> Result<()> {
        let mut open = self.open.lock().await;
        // Numbers that were given out must not be given again; what a damaged file still knows of them is used.
        let mut counters = match self.connection(&mut open).await {
            Ok(connection) => read::counters(connection).await,
            Err(_) => read::Counters::default(),
        };
        let witnessed = witness::read(&self.path, &self.world).await?;
        counters.epoch = counters.epoch.max(contents.epoch);
        counters.last_event = counters.last_event.max(contents.last_event);
        let commits = counters.commits.max(contents.commits);
        counters.commits = commits.max(witnessed.count()) + 1;
        let fresh = file::fresh(&self.path, &self.world).await?;
        write::fill(fresh, counters, contents).await?;
        if let Some(old) = open.connection.take() {
            // A damaged file may refuse to close in order; it is replaced all the same.
            drop(old.close().await);
        }
        file::put_in_place(&self.path, &self.world).await?;
        witness::write(&self.path, &self.world, counters.commits).await?;
        open.damaged.clear();
        self.connection(&mut open).await.map(drop)
    }
}

/// What a build would do with a catalog before it uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The version of its tables.
    pub version: i64,
    /// The version that this build reads and writes.
    pub target: i64,
    /// What is to be done, in order; nothing where the versions are the same.
    pub steps: Vec<&'static str>,
}

/// What opening the catalog at `path` would change in its tables; nothing is written. `Invalid` when a newer build wrote it.
pub async fn migration(path: &Path) -> Result<Migration> {
    let (connection, version) = file::open_any(path).await?;
    let steps = migrate::steps(&migrate::STEPS, version, file::FORMAT_VERSION);
    connection.close().await.map_err(failed("closing"))?;
    Ok(Migration {
        version,
        target: file::FORMAT_VERSION,
        steps: steps?.into_iter().map(|step| step.about).collect(),
    })
}

/// Everything in the catalog at `path`, as of one instant, also while another process has it open: nothing is written,
/// nothing made. `Invalid` when a newer build wrote it, `Corrupt` when it cannot be taken for a catalog.
pub async fn peek(path: &Path) -> Result<Contents> {
    let mut connection = file::open_to_read(path).await?;
    let contents = read::contents(&mut connection).await;
    connection.close().await.map_err(failed("closing"))?;
    contents
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Catalog { doing, source }
}

#[cfg(test)]
mod tests;
