//! Object stores: where segments end up.
//!
//! `local` is a folder with the durability that object_store's own local store lacks, `remote` builds S3 and
//! Azure from settings; what they are asked for is counted (`counted`), and reads go through `cache`. `faulty` makes
//! any store fail for the simulator, `sealed` lets nobody change one.

pub(crate) mod cache;
pub(crate) mod counted;
pub mod counters;
pub mod faulty;
pub mod local;
mod remote;
mod sealed;

use crate::{
    config::{Config, Variables},
    error::Result,
    world::World,
};
use local::LocalStore;
use object_store::ObjectStore;
use sealed::SealedStore;
use std::sync::Arc;

/// The setting that means a folder in the data folder.
pub const LOCAL_BUCKET: &str = "local";

/// The name of the local bucket in the data folder.
pub const LOCAL_BUCKET_FOLDER: &str = "bucket";

/// Those of `variables` that have a say in how the bucket of `config` is reached: it knows them, and no option of the
/// same meaning is set.
pub fn variables_in_force(config: &Config, variables: Variables) -> Variables {
    remote::in_force(config, variables)
}

/// Whether the bucket of `config` is on S3 or Azure: there a request costs time and money.
pub fn is_remote(config: &Config) -> bool {
    remote::is_remote(&config.bucket)
}

/// The bucket of `config`: the folder `bucket` in the data folder, or what its URL names.
///
/// Options are those of object_store; secrets come as variables only (`AWS_…`, `AZURE_…`). Errors: a URL
/// of no known kind, an unknown option, a secret among the options (`Invalid`); a folder that cannot be used.
/// Whether a remote bucket can be reached is not asked here.
pub async fn open_bucket(config: &Config, world: &World) -> Result<Arc<dyn ObjectStore>> {
    if config.bucket != LOCAL_BUCKET {
        return remote::open(config);
    }
    let bucket = LocalStore::new(world.clone(), config.data_dir.join(LOCAL_BUCKET_FOLDER));
    bucket.clear_unfinished().await?;
    Ok(Arc::new(bucket))
}

/// The same bucket for those who only read it, also beside a server that writes it: every change is refused.
pub fn open_to_read(config: &Config, world: &World) -> Result<Arc<dyn ObjectStore>> {
    let bucket: Arc<dyn ObjectStore> = match config.bucket.as_str() {
        LOCAL_BUCKET => {
            let folder = config.data_dir.join(LOCAL_BUCKET_FOLDER);
            Arc::new(LocalStore::new(world.clone(), folder))
        }
        _ => remote::open(config)?,
    };
    Ok(Arc::new(SealedStore::new(bucket)))
}
