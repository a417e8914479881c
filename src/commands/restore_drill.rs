//! `cairn restore-drill`: a restore for practice, from the bucket alone, with its counts, its time and its point.

use super::{columns, print};
use crate::{cli::RestoreDrill, config, open::CATALOG_FILE};
use anyhow::{Context, Result, bail};
use cairn_storage::{
    catalog::sqlite::SqliteCatalog,
    objects,
    store::{self, DrillReport, Found, TableDrill, Wanted},
    world::{self, World},
};
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The folder in the data folder where the catalog goes that nobody wants to keep.
const FOLDER: &str = "restore-drill";

/// Held while a drill uses its folder.
const LOCK_FILE: &str = "lock";

/// Restores, compares, and prints what was found; fails when the drill did not pass.
pub(super) async fn run(options: RestoreDrill) -> Result<ExitCode> {
    let config = config::load(&options.flags)?.config.storage;
    let world = world::real::world();
    let bucket = objects::open_to_read(&config, &world).context("opening the bucket")?;
    let folder = match &options.into {
        Some(folder) => std::path::absolute(folder).context("finding the folder")?,
        None => config.data_dir.join(FOLDER),
    };
    let place = Place::take(&world, folder, options.into.is_none())?;
    let catalog = SqliteCatalog::open(&place.folder.join(CATALOG_FILE), &world).await?;
    let running = config.data_dir.join(CATALOG_FILE);
    let is_there = !options.from_backup && world.disk.status(&running).is_ok();
    let wanted = Wanted {
        catalog: is_there.then_some(running.as_path()),
        deep: options.read_all,
    };
    let drilled = store::drill(&world, &config, &catalog, &*bucket, wanted).await;
    // What could not be closed is damaged or not: the report says.
    drop(catalog.close().await);
    place.leave(&world)?;
    let report = drilled?;
    match options.json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
        false => print(&described(&report))?,
    };
    Ok(match report.passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The folder of a drill.
struct Place {
    folder: PathBuf,
    /// Whether it goes when the drill is over.
    is_scratch: bool,
    _lock: Box<dyn Send + Sync>,
}

impl Place {
    fn take(world: &World, folder: PathBuf, is_scratch: bool) -> Result<Place> {
        let making = || format!("making {}", folder.display());
        world
            .disk
            .create_directories(&folder)
            .with_context(making)?;
        let names = world.disk.list(&folder).with_context(making)?;
        if !is_scratch && !names.is_empty() {
            bail!("{} is not empty: name an empty folder", folder.display());
        }
        let lock = match world.disk.lock(&folder.join(LOCK_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                bail!("another drill uses {}", folder.display())
            }
            lock => lock.with_context(making)?,
        };
        if is_scratch {
            // What a drill left that was stopped.
            clear(world, &folder)?;
        }
        Ok(Place {
            folder,
            is_scratch,
            _lock: lock,
        })
    }

    fn leave(self, world: &World) -> Result<()> {
        if !self.is_scratch {
            return Ok(());
        }
        clear(world, &self.folder)?;
        let removing = || format!("removing {}", self.folder.display());
        let lock = self.folder.join(LOCK_FILE);
        world.disk.remove(&lock).with_context(removing)?;
        world
            .disk
            .remove_directory(&self.folder)
            .with_context(removing)
    }
}

/// Removes the catalog in `folder`.
fn clear(world: &World, folder: &Path) -> Result<()> {
    let names = world.disk.list(folder)?;
    for name in names.iter().filter(|name| name.starts_with("catalog.")) {
        let path = folder.join(name);
        let removing = || format!("removing {}", path.display());
        world.disk.remove(&path).with_context(removing)?;
    }
    Ok(())
}

const COLUMNS: [&str; 6] = ["tenant", "signal", "table", "rows", "expected", ""];

fn described(report: &DrillReport) -> String {
    let mut text = match &report.backup {
        Some(backup) => format!(
            "backup {} of {} ({} commits), {:.0} s old; {} of {} live segments are newer\n",
            backup.sequence,
            backup.taken.to_text(),
            backup.commits,
            report.backup_age_seconds.unwrap_or_default(),
            report.segments_beyond_backup,
            report.segments,
        ),
        None => "no backup of the catalog in the bucket: its segments alone\n".to_string(),
    };
    for reason in &report.unusable_backups {
        text.push_str(&format!("passed over: {reason}\n"));
    }
    text.push_str(&table(&report.tables));
    for problem in &report.problems {
        text.push_str(&format!("WRONG: {problem}\n"));
    }
    text.push_str(&format!(
        "recovery time: {:.2} s for {} segments with {} rows\n",
        report.recovery_seconds, report.segments, report.rows
    ));
    text.push_str(&match (report.newest_arrival, report.recovery_point_seconds) {
        (Some(arrival), Some(age)) => format!(
            "recovery point: {}, {age:.0} s ago: what arrived since then is in the write-ahead log alone\n",
            arrival.to_text()
        ),
        _ => "recovery point: none, no rows are in the bucket\n".to_string(),
    });
    text.push_str(match (report.passed, report.compared_with) {
        (true, "catalog") => "passed: as the catalog of the data folder says\n",
        (true, _) => "passed: as the newest backup says\n",
        (false, "nothing") => "FAILED: there is neither a catalog nor a backup to compare with\n",
        (false, _) => "FAILED: see above\n",
    });
    text
}

fn table(tables: &[TableDrill]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_string)];
    rows.extend(tables.iter().map(line));
    columns::aligned(&rows)
}

fn line(table: &TableDrill) -> [String; 6] {
    let expected = match table.at_most {
        Some(most) if most == table.at_least => format!("{most}"),
        Some(most) => format!("{} to {most}", table.at_least),
        None => format!("{} or more", table.at_least),
    };
    let found = match table.found {
        Found::All => "",
        Found::Fewer => "WRONG: rows are gone",
        Found::More => "WRONG: rows count twice",
        Found::NotCompared => "not compared",
    };
    [
        table.tenant.to_string(),
        table.signal.to_string(),
        table.table.to_string(),
        table.rows.to_string(),
        expected,
        found.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_storage::{
        id::TenantId,
        signal::{Signal, Table},
    };

    #[test]
    fn a_table_says_what_is_wrong() {
        let table_of = |table: Table, rows, at_most, found| TableDrill {
            tenant: TenantId::default_tenant(),
            signal: Signal::Metrics,
            table,
            rows,
            at_least: 5,
            at_most,
            found,
        };
        let text = table(&[
            table_of(Table::Samples, 5, Some(5), Found::All),
            table_of(Table::Histograms, 4, None, Found::Fewer),
            table_of(Table::Series, 2, Some(7), Found::NotCompared),
        ]);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = text.lines().map(words).collect();
        assert_eq!(
            lines,
            [
                "tenant signal table rows expected",
                "default metrics samples 5 5",
                "default metrics histograms 4 5 or more WRONG: rows are gone",
                "default metrics series 2 5 to 7 not compared",
            ]
        );
    }
}
