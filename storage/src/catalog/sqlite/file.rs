//! The database file: making, opening, setting aside, replacing.

use super::{
    meta::put_meta,
    migrate::{self, TOMBSTONES},
    read, witness,
};
use crate::{
    error::{Error, Result},
    world::World,
};
use sqlx::{
    ConnectOptions, Connection, Executor, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::path::{Path, PathBuf};

/// The version of the tables that this build reads and writes.
pub(super) const FORMAT_VERSION: i64 = 2;

/// The tables of version 1; `docs/formats/catalog.md` describes them.
const TABLES: &str = "
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE segments (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    signal TEXT NOT NULL,
    level INTEGER NOT NULL,
    min_time INTEGER NOT NULL,
    max_time INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    live INTEGER NOT NULL,
    body BLOB NOT NULL,
    crc INTEGER NOT NULL
);
CREATE INDEX live_segments ON segments (tenant, signal, max_time) WHERE live = 1;
CREATE TABLE flush_marks (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    signal TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (shard, tenant, signal)
) WITHOUT ROWID;
CREATE TABLE digests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    signal TEXT NOT NULL,
    newest INTEGER NOT NULL,
    body BLOB NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    time INTEGER NOT NULL,
    body TEXT NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE fields (
    of_table TEXT NOT NULL,
    column_name TEXT NOT NULL,
    id INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (of_table, column_name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX field_ids ON fields (of_table, id);
";

/// An open database.
pub(super) struct Opened {
    pub(super) connection: SqliteConnection,
    /// What was found damaged.
    pub(super) damaged: Vec<String>,
}

/// The smallest epoch that may be given now: the wall clock's seconds. A catalog that was lost and begun anew
/// then goes on above every epoch of the lost one, which were given at most once a second.
pub(super) fn epoch_floor(world: &World) -> u64 {
    (world.clock.now().0 / 1_000_000_000).max(1) as u64
}

/// Opens the file, or makes it; a file that SQLite does not take is set aside and an empty one begun.
pub(super) async fn open(path: &Path, world: &World) -> Result<Opened> {
    let (disk, parent) = (world.disk.clone(), parent(path));
    let on_disk = |source| Error::Disk {
        doing: "opening the catalog",
        path: path.into(),
        source,
    };
    let made = parent.clone();
    world
        .blocking(move || disk.create_directories(&made))
        .await?
        .map_err(on_disk)?;
    let reason = match attempt(path, true).await {
        Ok(mut opened) => {
            if let Err(error) = fold(&mut opened.connection).await {
                // A full disk must not keep the server from its start.
                tracing::warn!(%error, "SQLite's log stays beside the catalog");
            }
            let commits = read::counters(&mut opened.connection).await.commits;
            let said = witness::read(path, world).await?;
            opened.damaged.extend(said.fault(commits));
            // SQLite fsyncs the directory for its journals, not for the file itself.
            let disk = world.disk.clone();
            world
                .blocking(move || disk.sync_directory(&parent))
                .await?
                .map_err(on_disk)?;
            return Ok(opened);
        }
        Err(Refusal::Damaged(reason)) => reason,
        Err(Refusal::Other(error)) => return Err(error),
    };
    let aside = set_aside(path, world).await?;
    tracing::error!(path = %path.display(), aside = %aside.display(), reason, "the catalog is damaged");
    let mut opened = attempt(path, true).await.map_err(Refusal::into_error)?;
    opened.damaged.push(format!(
        "the catalog could not be read ({reason}): it was set aside as {} and an empty one begun",
        aside.display()
    ));
    Ok(opened)
}

/// Opens the file again while the server runs, after an error.
///
/// It must be there and whole: to begin an empty one is for a start, which makes it anew from the bucket (`Corrupt`).
pub(super) async fn reopen(path: &Path) -> Result<SqliteConnection> {
    let Opened { mut connection, .. } = attempt(path, false).await.map_err(Refusal::into_error)?;
    fold(&mut connection).await?;
    Ok(connection)
}

/// Opens the file, which is there and of this build's version, beside whoever writes it.
pub(super) async fn open_to_read(path: &Path) -> Result<SqliteConnection> {
    let (connection, version) = open_any(path).await?;
    if migrate::steps(&migrate::STEPS, version, FORMAT_VERSION)?.is_empty() {
        return Ok(connection);
    }
    Err(Error::Invalid {
        what: "catalog",
        detail: format!(
            "its format is version {version} and this build reads {FORMAT_VERSION}: start the server once, or run \
             `cairn catalog migrate`"
        ),
    })
}

/// Opens the file, which is there, beside whoever writes it; its version, too.
pub(super) async fn open_any(path: &Path) -> Result<(SqliteConnection, i64)> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .disable_statement_logging();
    let opened = options.connect().await.map_err(Refusal::of("opening"));
    let mut connection = opened.map_err(Refusal::into_error)?;
    let version = version(&mut connection, &mut Vec::new()).await;
    let version = version.map_err(Refusal::into_error)?;
    Ok((connection, version.unwrap_or(FORMAT_VERSION)))
}

/// Brings what is in SQLite's log into the file, durably.
///
/// The log may hold a transaction whose fsync failed: opening the file takes it for committed, the kernel for written,
/// and a power cut would take it and everything behind it.
async fn fold(connection: &mut SqliteConnection) -> Result<()> {
    // The log keeps its length, so that a full disk has room for the next transaction.
    let folded: sqlx::Result<(i64, i64, i64)> = sqlx::query_as("PRAGMA wal_checkpoint(RESTART)")
        .fetch_one(connection)
        .await;
    match folded.map_err(super::failed("folding the log"))? {
        (0, ..) => Ok(()),
        _ => Err(Error::Unavailable {
            what: "the catalog",
            detail: "somebody else reads it".to_string(),
        }),
    }
}

/// Why a file was not opened.
enum Refusal {
    /// SQLite does not take it, or what it must hold is not there.
    Damaged(String),
    Other(Error),
}

impl Refusal {
    fn of(doing: &'static str) -> impl Fn(sqlx::Error) -> Refusal {
        move |source| {
            if read::is_damage(&source) {
                Refusal::Damaged(source.to_string())
            } else {
                Refusal::Other(Error::Catalog { doing, source })
            }
        }
    }

    fn into_error(self) -> Error {
        match self {
            Refusal::Damaged(detail) => Error::Corrupt {
                what: "the catalog".into(),
                detail,
            },
            Refusal::Other(error) => error,
        }
    }
}

async fn attempt(path: &Path, may_make: bool) -> Result<Opened, Refusal> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(may_make)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // What is deleted is overwritten with zeros.
        .pragma("secure_delete", "ON")
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(Refusal::of("opening"))?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await
        .map_err(Refusal::of("listing the tables"))?;
    let mut damaged = Vec::new();
    if tables == 0 && may_make {
        make_tables(&mut connection)
            .await
            .map_err(Refusal::of("making the tables"))?;
        return Ok(Opened {
            connection,
            damaged,
        });
    }
    if let Some(version) = version(&mut connection, &mut damaged).await? {
        let steps = migrate::steps(&migrate::STEPS, version, FORMAT_VERSION);
        let steps = steps.map_err(Refusal::Other)?;
        let migrated = migrate::run(&mut connection, &steps).await;
        migrated.map_err(Refusal::Other)?;
    }
    // Checks the trees and the indexes; the rows have their own checksums.
    let checked = sqlx::query_scalar::<_, String>("PRAGMA quick_check(10)");
    match checked.fetch_all(&mut connection).await {
        Ok(lines) => match lines.iter().find(|line| read::is_unread(line)) {
            Some(line) => {
                return Err(Refusal::Other(Error::Unavailable {
                    what: "the catalog",
                    detail: line.clone(),
                }));
            }
            None => damaged.extend(lines.into_iter().filter(|line| line != "ok")),
        },
        Err(error) if read::is_damage(&error) => damaged.push(error.to_string()),
        Err(error) => return Err(Refusal::of("checking")(error)),
    }
    Ok(Opened {
        connection,
        damaged,
    })
}

/// The version of the tables; `None` where it is damaged.
async fn version(
    connection: &mut SqliteConnection,
    damaged: &mut Vec<String>,
) -> Result<Option<i64>, Refusal> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("SELECT value, crc FROM meta WHERE name = 'format_version'")
            .fetch_optional(connection)
            .await
            .map_err(|error| {
                if read::is_of_disk(&error) {
                    Refusal::of("reading the version")(error)
                } else {
                    Refusal::Damaged(error.to_string())
                }
            })?;
    let (version, crc) = row.ok_or_else(|| Refusal::Damaged("no version".to_string()))?;
    if crc != read::meta_checksum("format_version", version) {
        damaged.push("the checksum does not match the format version".to_string());
        return Ok(None);
    }
    Ok(Some(version))
}

/// Writes the file anew without what was deleted from it, and empties its log.
pub(super) async fn scrub(connection: &mut SqliteConnection) -> Result<()> {
    let doing = super::failed("scrubbing");
    let vacuum = sqlx::query("VACUUM").execute(&mut *connection);
    vacuum.await.map_err(&doing)?;
    let folded: sqlx::Result<(i64, i64, i64)> = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await;
    match folded.map_err(&doing)? {
        (0, ..) => Ok(()),
        _ => Err(Error::Unavailable {
            what: "the catalog",
            detail: "somebody else reads it".to_string(),
        }),
    }
}

async fn make_tables(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    transaction.execute(TABLES).await?;
    transaction.execute(TOMBSTONES).await?;
    put_meta(&mut transaction, "format_version", FORMAT_VERSION).await?;
    transaction.commit().await
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_path_buf()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Renames the file and SQLite's own files beside it; returns the new name.
async fn set_aside(path: &Path, world: &World) -> Result<PathBuf> {
    let suffix = format!(".damaged-{}", epoch_floor(world));
    let aside = beside(path, &suffix);
    let moves: Vec<(PathBuf, PathBuf)> = ["", "-wal", "-shm"]
        .into_iter()
        .map(|part| (beside(path, part), beside(&aside, part)))
        .collect();
    change_names(path, world, move |world| {
        moves
            .iter()
            .try_for_each(|(from, to)| missing_is_fine(world.disk.rename(from, to)))
    })
    .await?;
    Ok(aside)
}

/// An empty database beside `path`, to be filled, closed and put in place.
pub(super) async fn fresh(path: &Path, world: &World) -> Result<SqliteConnection> {
    let new = beside(path, ".new");
    let leftovers = ["", "-journal"].map(|part| beside(&new, part));
    change_names(path, world, move |world| {
        leftovers
            .iter()
            .try_for_each(|path| missing_is_fine(world.disk.remove(path)))
    })
    .await?;
    let mut connection = SqliteConnectOptions::new()
        .filename(new)
        .create_if_missing(true)
        // One file without companions, so that a single rename puts it in place.
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(super::failed("making a new file"))?;
    make_tables(&mut connection)
        .await
        .map_err(super::failed("making the tables"))?;
    Ok(connection)
}

/// Replaces the database by the one that [`fresh`] made; both are closed.
pub(super) async fn put_in_place(path: &Path, world: &World) -> Result<()> {
    let target = path.to_path_buf();
    change_names(path, world, move |world| {
        // The log of the old file must never be applied to the new one.
        for part in ["-wal", "-shm"] {
            missing_is_fine(world.disk.remove(&beside(&target, part)))?;
        }
        world.disk.sync_directory(&parent(&target))?;
        world.disk.rename(&beside(&target, ".new"), &target)
    })
    .await
}

/// Runs `change` where blocking is allowed and makes the directory durable.
async fn change_names(
    path: &Path,
    world: &World,
    change: impl FnOnce(&World) -> std::io::Result<()> + Send + 'static,
) -> Result<()> {
    let (inside, directory) = (world.clone(), parent(path));
    let changed = world
        .blocking(move || change(&inside).and_then(|()| inside.disk.sync_directory(&directory)))
        .await?;
    changed.map_err(|source| Error::Disk {
        doing: "renaming the catalog",
        path: path.into(),
        source,
    })
}

fn missing_is_fine(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
