//! `cairn catalog rebuild`: a new catalog from the footers of the segments.

use super::print;
use crate::{config::Config, open::DataFolder};
use anyhow::Result;
use cairn_storage::{store, telemetry::Telemetry, world};
use std::process::ExitCode;

/// Replaces the catalog by what the bucket says, and prints what that is; fails when data is lost.
pub(super) async fn rebuild(config: Config) -> Result<ExitCode> {
    let world = world::real::world();
    let folder = DataFolder::take(&config.storage, &world)?;
    let parts = folder
        .parts(&config.storage, &world, Telemetry::unregistered())
        .await?;
    let rebuilt = store::rebuild(&*parts.catalog, &*parts.bucket).await?;
    let mut text = format!(
        "{} segments with {} rows are live\n",
        rebuilt.segments, rebuilt.rows
    );
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
