//! Memory of running statements: one pool for the process, one for each statement inside it, and a spill folder.

use crate::{
    config::Config,
    error::{Error, Result},
    session,
};
use cairn_storage::world::World;
use datafusion::{
    common::human_readable_size,
    error::{DataFusionError, Result as PoolResult},
    execution::{
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::{
            FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool,
            MemoryReservation, TrackConsumersPool,
        },
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
};
use std::{
    fmt,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Consumers that an error names: enough to see which step of a statement took the memory.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).expect("3 is not 0");

/// The memory and the spill folder of all statements.
pub(crate) struct Memory {
    /// Its pool is never used: each statement gets one of its own.
    runtime: Arc<RuntimeEnv>,
    total: Arc<Total>,
    statement_bytes: usize,
}

impl Memory {
    /// Makes the spill folder, empty, with the limits of `config`.
    pub(crate) fn new(config: &Config, spill_dir: &Path, world: &World) -> Result<Memory> {
        clear(spill_dir, world)?;
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill_dir.to_path_buf()]))
            .with_max_temp_directory_size(config.spill_bytes);
        let refusing = Arc::new(GreedyMemoryPool::new(0));
        let builder = RuntimeEnvBuilder::new();
        let builder = builder
            .with_disk_manager_builder(disk)
            .with_memory_pool(refusing);
        Ok(Memory {
            runtime: session::runtime(builder)?,
            total: Arc::new(Total {
                limit: bytes(config.memory_bytes),
                used: AtomicUsize::new(0),
            }),
            statement_bytes: bytes(config.statement_memory_bytes),
        })
    }

    /// The runtime of one statement.
    pub(crate) fn statement(&self) -> Result<Arc<RuntimeEnv>> {
        let own = FairSpillPool::new(self.statement_bytes);
        let pool = StatementPool {
            own: TrackConsumersPool::new(own, NAMED_CONSUMERS),
            total: Arc::clone(&self.total),
        };
        // Shares the disk manager and the sealed registry of object stores.
        let builder = RuntimeEnvBuilder::from_runtime_env(&self.runtime);
        Ok(builder.with_memory_pool(Arc::new(pool)).build_arc()?)
    }

    /// Bytes that running statements hold now.
    pub(crate) fn used_bytes(&self) -> usize {
        self.total.used.load(Ordering::Relaxed)
    }
}

fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Removes what a process that was killed left behind. Folders stay: they are empty and few.
fn clear(folder: &Path, world: &World) -> Result<()> {
    let disk = world.disk.as_ref();
    let failed = |source| {
        let path = folder.to_path_buf();
        Error::Storage(cairn_storage::error::Error::Disk {
            doing: "emptying the spill folder",
            path,
            source,
        })
    };
    disk.create_directories(folder).map_err(failed)?;
    for name in disk.list(folder).map_err(failed)? {
        let Some(inner) = name.strip_suffix('/') else {
            disk.remove(&folder.join(&name)).map_err(failed)?;
            continue;
        };
        let inner = folder.join(inner);
        for name in disk.list(&inner).map_err(failed)? {
            disk.remove(&inner.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

/// What all statements may take together.
#[derive(Debug)]
struct Total {
    limit: usize,
    used: AtomicUsize,
}

impl Total {
    fn try_grow(&self, bytes: usize) -> Result<(), usize> {
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map(drop)
    }
}

/// The pool of one statement: fair between its own consumers, and counted in the total.
#[derive(Debug)]
struct StatementPool {
    own: TrackConsumersPool<FairSpillPool>,
    total: Arc<Total>,
}

impl fmt::Display for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement({})", self.own)
    }
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.total.used.fetch_add(additional, Ordering::Relaxed);
        self.own.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.total.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> PoolResult<()> {
        self.own.try_grow(reservation, additional)?;
        self.total.try_grow(additional).map_err(|used| {
            self.own.shrink(reservation, additional);
            DataFusionError::ResourcesExhausted(format!(
                "{} more are needed for {}, and all statements together hold {} of {}",
                human_readable_size(additional),
                reservation.consumer().name(),
                human_readable_size(used),
                human_readable_size(self.total.limit),
            ))
        })
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

#[cfg(test)]
mod tests;
