//! From settings to open parts of storage: the data folder, the bucket, the catalog, the store. For `serve` and the
//! offline commands.

use anyhow::{Context, Result, bail};
use cairn_ingest::decode::FrameDecode;
use cairn_storage::{
    catalog::sqlite::SqliteCatalog,
    config::Config,
    objects,
    store::{Parts, Store},
    telemetry::Telemetry,
    world::World,
};
use std::{io, sync::Arc};

/// The catalog's file in the data folder.
pub(crate) const CATALOG_FILE: &str = "catalog.sqlite";

/// Held from before the first file of the data folder is touched: opening the bucket and the catalog already tidies
/// up after a crash, which must not happen beside a running server. The store has a lock of its own.
const LOCK_FILE: &str = "cairn.lock";

/// The data folder in the hands of this process, until dropped.
pub(crate) struct DataFolder {
    _lock: Box<dyn Send + Sync>,
}

impl DataFolder {
    /// Makes the folder of `config` if it is not there, and takes it.
    pub(crate) fn take(config: &Config, world: &World) -> Result<DataFolder> {
        let folder = &config.data_dir;
        let making = || format!("making the data folder {}", folder.display());
        world.disk.create_directories(folder).with_context(making)?;
        match world.disk.lock(&folder.join(LOCK_FILE)) {
            Ok(lock) => Ok(DataFolder { _lock: lock }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                bail!(
                    "another process uses {} (storage.data_dir): stop it first",
                    folder.display()
                )
            }
            Err(error) => Err(error).with_context(|| format!("locking {}", folder.display())),
        }
    }

    /// The bucket and the catalog that `config` names.
    pub(crate) async fn parts(
        &self,
        config: &Config,
        world: &World,
        telemetry: Telemetry,
    ) -> Result<Parts> {
        let bucket = objects::open_bucket(config, world)
            .await
            .context("opening the bucket")?;
        let catalog = SqliteCatalog::open(&config.data_dir.join(CATALOG_FILE), world).await;
        Ok(Parts {
            world: world.clone(),
            config: config.clone(),
            catalog: Arc::new(catalog.context("opening the catalog")?),
            bucket,
            decode: Arc::new(FrameDecode),
            telemetry,
        })
    }

    /// The store, after replay.
    pub(crate) async fn store(
        &self,
        config: &Config,
        world: &World,
        telemetry: Telemetry,
    ) -> Result<Arc<Store>> {
        let parts = self.parts(config, world, telemetry).await?;
        Store::open(parts).await.context("opening the store")
    }
}
