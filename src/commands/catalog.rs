//! `cairn catalog rebuild`: a new catalog from the footers of the segments.

use crate::{config::Config, open};
use anyhow::Result;
use cairn_storage::{telemetry::Telemetry, world};
use std::process::ExitCode;

/// Replaces the catalog by what the bucket says.
pub(super) async fn rebuild(config: Config) -> Result<ExitCode> {
    let world = world::real::world();
    let _parts = open::parts(&config.storage, &world, Telemetry::unregistered()).await?;
    Ok(ExitCode::FAILURE)
}
