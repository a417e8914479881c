//! `cairn catalog`: a new one from its newest backup and the footers of the segments, and the tables of an older build.

use super::print;
use crate::{
    cli::Migrate,
    config::{self, Config},
    open::{CATALOG_FILE, DataFolder},
};
use anyhow::Result;
use cairn_storage::{
    catalog::sqlite::{self, Migration, SqliteCatalog},
    store::{self, Claim},
    telemetry::Telemetry,
    world,
};
use std::process::ExitCode;

/// Replaces the catalog by what the bucket says, and prints what that is; fails when data is lost.
///
/// A bucket of another data folder is refused unless `take_over` says that it becomes this one's.
pub(super) async fn rebuild(config: Config, take_over: bool) -> Result<ExitCode> {
    let world = world::real::world();
    let folder = DataFolder::take(&config.storage, &world)?;
    let parts = folder
        .parts(&config.storage, &world, Telemetry::unregistered())
        .await?;
    let claim = match take_over {
        true => Claim::TakeOver,
        false => Claim::Own,
    };
    let (catalog, bucket) = (&*parts.catalog, &*parts.bucket);
    let rebuilt = store::rebuild(&world, &parts.config, catalog, bucket, claim).await?;
    let mut text = format!(
        "{} segments with {} rows are live\n",
        rebuilt.segments, rebuilt.rows
    );
    text.push_str(&match &rebuilt.backup {
        Some(backup) => format!(
            "with the backup {} of {}\n",
            backup.sequence,
            backup.taken.to_text()
        ),
        None => "without a backup: what only the catalog knew is lost\n".to_string(),
    });
    for reason in &rebuilt.unusable_backups {
        text.push_str(&format!("passed over: {reason}\n"));
    }
    for reason in &rebuilt.left_out {
        text.push_str(&format!("left out: {reason}\n"));
    }
    for problem in &rebuilt.problems {
        text.push_str(&format!("WRONG: {problem}\n"));
    }
    print(&text)?;
    Ok(match rebuilt.problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Says what this build has to change in the tables before it uses them, and does it unless it is a dry run.
pub(super) async fn migrate(options: Migrate) -> Result<ExitCode> {
    let config = config::load(&options.flags)?.config.storage;
    let path = config.data_dir.join(CATALOG_FILE);
    let Migration {
        version,
        target,
        steps,
    } = sqlite::migration(&path).await?;
    if steps.is_empty() {
        return print(&format!(
            "the catalog has version {version}, which this build writes: nothing to do\n"
        ));
    }
    let mut text = format!("from version {version} to {target}:\n");
    for step in &steps {
        text.push_str(&format!("  {step}\n"));
    }
    if options.dry_run {
        text.push_str("nothing was changed: `--dry-run`\n");
        return print(&text);
    }
    let world = world::real::world();
    let _folder = DataFolder::take(&config, &world)?;
    // To open it is to migrate it.
    let catalog = SqliteCatalog::open(&path, &world).await?;
    catalog.close().await?;
    text.push_str("done\n");
    print(&text)
}
