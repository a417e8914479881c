//! `cairn catalog rebuild`: a new catalog from its newest backup and the footers of the segments.

use super::print;
use crate::{config::Config, open::DataFolder};
use anyhow::Result;
use cairn_storage::{
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
