//! From settings to open parts of storage: the bucket, the catalog, the store. For `serve` and the offline commands.

use anyhow::{Context, Result};
use cairn_ingest::otlp::OtlpDecode;
use cairn_storage::{
    config::Config,
    store::{Parts, Store},
    telemetry::Telemetry,
    world::World,
};
use std::sync::Arc;

/// The bucket and the catalog that `config` names, the data folder made if it is not there.
pub(crate) async fn parts(config: &Config, world: &World, telemetry: Telemetry) -> Result<Parts> {
    let _ = (world, telemetry, Arc::new(OtlpDecode));
    anyhow::bail!("the bucket {} cannot be opened yet", config.bucket)
}

/// The store, after replay.
pub(crate) async fn store(
    config: &Config,
    world: &World,
    telemetry: Telemetry,
) -> Result<Arc<Store>> {
    let parts = parts(config, world, telemetry).await?;
    Store::open(parts).await.context("opening the store")
}
