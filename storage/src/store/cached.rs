//! A remote bucket as the store uses it: counted, and read through a cache of blocks.

use crate::{
    config::Config,
    objects::{
        self,
        cache::{BlockCache, Capacity},
        counted::CountedStore,
    },
    telemetry::Telemetry,
    world::World,
};
use object_store::ObjectStore;
use std::sync::Arc;

/// The folder of cached blocks in the data folder.
const CACHE_FOLDER: &str = "cache";

/// `bucket` as it is used, and the cache that committed segments are read through. A local bucket stays as it is.
///
/// A cache that cannot be opened is done without.
pub(super) async fn bucket(
    world: &World,
    config: &Config,
    telemetry: &Telemetry,
    bucket: Arc<dyn ObjectStore>,
) -> (Arc<dyn ObjectStore>, Option<Arc<BlockCache>>) {
    if !objects::is_remote(config) {
        return (bucket, None);
    }
    let telemetry = telemetry.bucket.clone();
    let bucket: Arc<dyn ObjectStore> = Arc::new(CountedStore::new(bucket, telemetry.clone()));
    if config.cache_memory_bytes == 0 {
        return (bucket, None);
    }
    let capacity = Capacity {
        memory_bytes: config.cache_memory_bytes,
        disk_bytes: config.cache_disk_bytes,
        folder: config.data_dir.join(CACHE_FOLDER),
    };
    let cache = BlockCache::open(bucket.clone(), world, telemetry, capacity).await;
    (bucket, Some(Arc::new(cache)))
}
