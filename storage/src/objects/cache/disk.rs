//! The folder of the cache on disk.
//!
//! Nothing in it is needed: what cannot be used is removed, and where the folder cannot be used at all the cache goes on
//! in memory. The files are foyer's; each entry in them carries an XXH64 of key and value, compared at every read.

use super::key::Key;
use crate::{
    error::{Error, Result},
    world::World,
};
use bytes::Bytes;
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy, PsyncIoEngineConfig, RecoverMode, S3FifoConfig,
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Blocks in memory and on disk.
pub(super) type Hybrid = HybridCache<Key, Bytes>;

/// The file that says how the others were made.
const LAYOUT_FILE: &str = "layout";

/// Another number wherever keys or values are written otherwise.
const VERSION: u32 = 1;

/// Locks of the part in memory.
const SHARDS: usize = 4;

/// The disk is freed in pieces of this size at least.
const SMALLEST_PIECE_BYTES: u64 = 16 << 20;

/// And at most: offsets within one are 32 bits.
const LARGEST_PIECE_BYTES: u64 = 2 << 30;

/// Pieces of a cache of usual size; each is an open file.
const PIECES: u64 = 128;

/// What is written at once. There are two buffers of it.
pub(super) const WRITE_BUFFER_BYTES: usize = 8 << 20;

/// Bytes in memory, and where and how many on disk.
#[derive(Debug, Clone)]
pub(crate) struct Capacity {
    pub(crate) memory_bytes: u64,
    /// 0: in memory only.
    pub(crate) disk_bytes: u64,
    pub(crate) folder: PathBuf,
}

/// Opens the cache with what an earlier life left on disk.
pub(super) async fn open(world: &World, capacity: &Capacity) -> foyer::Result<Hybrid> {
    if capacity.disk_bytes > 0 {
        match open_on_disk(world, capacity).await {
            Ok(hybrid) => return Ok(hybrid),
            Err(detail) => {
                let folder = capacity.folder.display();
                tracing::warn!(%folder, detail, "the cache has no disk: it goes on in memory until the next start");
            }
        }
    } else if let Err(error) = clear(world, &capacity.folder).await {
        tracing::warn!(%error, "the unused cache on disk cannot be removed");
    }
    memory(capacity).storage().build().await
}

async fn open_on_disk(world: &World, capacity: &Capacity) -> Result<Hybrid, String> {
    prepare(world, capacity).await.map_err(|e| e.to_string())?;
    let cause = match build(capacity).await {
        Ok(hybrid) => return Ok(hybrid),
        Err(cause) => cause,
    };
    tracing::warn!(cause, "the cache on disk cannot be read and is made anew");
    clear(world, &capacity.folder)
        .await
        .map_err(|e| e.to_string())?;
    prepare(world, capacity).await.map_err(|e| e.to_string())?;
    build(capacity).await
}

/// On a task of its own: whatever damaged files make of it ends there.
async fn build(capacity: &Capacity) -> Result<Hybrid, String> {
    let capacity = capacity.clone();
    let built = tokio::spawn(async move {
        let piece_bytes = piece_bytes(capacity.disk_bytes);
        let device = FsDeviceBuilder::new(&capacity.folder)
            .with_capacity(capacity.disk_bytes as usize)
            .build()?;
        let engine = BlockEngineConfig::new(device)
            .with_block_size(piece_bytes as usize)
            .with_buffer_pool_size(WRITE_BUFFER_BYTES)
            .with_submit_queue_size_threshold(2 * WRITE_BUFFER_BYTES);
        memory(&capacity)
            .storage()
            .with_io_engine_config(PsyncIoEngineConfig::new())
            .with_recover_mode(RecoverMode::Quiet)
            .with_engine_config(engine)
            .build()
            .await
    });
    match built.await {
        Ok(built) => built.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn memory(
    capacity: &Capacity,
) -> foyer::HybridCacheBuilderPhaseMemory<Key, Bytes, foyer::DefaultHasher> {
    HybridCacheBuilder::new()
        .with_name("blocks")
        .with_policy(HybridCachePolicy::WriteOnInsertion)
        .with_flush_on_close(false)
        .memory(capacity.memory_bytes as usize)
        .with_shards(SHARDS)
        .with_eviction_config(S3FifoConfig::default())
        .with_weighter(|key: &Key, value: &Bytes| key.memory_bytes() + value.len())
}

fn piece_bytes(disk_bytes: u64) -> u64 {
    let piece = (disk_bytes / PIECES).clamp(SMALLEST_PIECE_BYTES, LARGEST_PIECE_BYTES);
    // Whole pages.
    piece >> 12 << 12
}

/// Makes the folder, empty where its files were made for other settings or by another version.
async fn prepare(world: &World, capacity: &Capacity) -> Result<()> {
    let folder = capacity.folder.clone();
    let layout = format!(
        "{VERSION} {} {}\n",
        capacity.disk_bytes,
        piece_bytes(capacity.disk_bytes)
    );
    let disk = world.disk.clone();
    let prepared = world.blocking(move || {
        disk.create_directories(&folder)?;
        let path = folder.join(LAYOUT_FILE);
        let found = disk.open_read(&path).and_then(|file| file.read_at(0, 256));
        if found.is_ok_and(|found| found == layout) {
            return Ok(());
        }
        remove_files(&*disk, &folder)?;
        disk.create(&path)?.write_at(0, layout.as_bytes())
    });
    prepared
        .await?
        .map_err(|source| failed("making the cache's folder", &capacity.folder, source))
}

/// Removes the files of `folder`, if it is there.
pub(super) async fn clear(world: &World, folder: &Path) -> Result<()> {
    let (disk, inside) = (world.disk.clone(), folder.to_path_buf());
    let cleared = world.blocking(move || remove_files(&*disk, &inside));
    cleared
        .await?
        .map_err(|source| failed("clearing the cache's folder", folder, source))
}

fn remove_files(disk: &dyn crate::world::Disk, folder: &Path) -> io::Result<()> {
    let names = match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    let mut files = names.iter().filter(|name| !name.ends_with('/'));
    files.try_for_each(|name| disk.remove(&folder.join(name)))
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Disk {
        doing,
        path: path.into(),
        source,
    }
}
