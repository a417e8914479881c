//! Clock, randomness, disk and blocking work as one value: everything that makes a run different from another.
//!
//! Two worlds exist: the real one (`real`) and a seeded one (`simulated`) that loses un-fsynced bytes and
//! directory entries at a crash, tears writes and fails calls. Object stores come in beside it as
//! `Arc<dyn ObjectStore>` (see `objects`).

pub mod real;
pub mod simulated;

use crate::time::Nanos;
use bytes::Bytes;
use futures::future::BoxFuture;
use std::{io, path::Path, sync::Arc, time::Duration};

/// Everything outside that storage leans on.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub disk: Arc<dyn Disk>,
    pub blocking: Arc<dyn Blocking>,
}

/// Wall time, monotonic time and waiting.
pub trait Clock: Send + Sync {
    /// Wall time; may step.
    fn now(&self) -> Nanos;
    /// Time since an arbitrary start; never steps.
    fn monotonic(&self) -> Duration;
    /// Completes `duration` later.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Random bits.
pub trait Random: Send + Sync {
    /// 64 random bits.
    fn next(&self) -> u64;
}

/// Runs work that blocks on disk or uses the processor for long.
pub trait Blocking: Send + Sync {
    /// Runs `work` off the async threads (real world) or at once (simulated world), to its end even when
    /// the returned future is dropped. Prefer [`World::blocking`].
    fn run(&self, work: Box<dyn FnOnce() + Send>);
    /// Polls `work` to its end on a thread of its own, which stands back where processors are short (real world), or
    /// beside everything else (simulated world). Prefer [`World::aside`].
    fn aside(&self, work: BoxFuture<'static, ()>);
}

/// A file system as storage uses it. All calls block; paths are absolute.
pub trait Disk: Send + Sync {
    /// Makes a file that must not exist yet, open for reading and writing. Its entry is durable only after
    /// `sync_directory` of the parent.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Renames a file, replacing `to`; durable after `sync_directory` of both parents.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory, which is empty: `DirectoryNotEmpty` otherwise.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory and its parents, and makes their entries durable, also those that were there: who made
    /// them may have been stopped before its fsync.
    fn create_directories(&self, path: &Path) -> io::Result<()>;
    /// The names of the entries of a directory, sorted; directories end in `/`.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Length, kind and time of the last change of what `path` names.
    fn status(&self, path: &Path) -> io::Result<FileStatus>;
    /// Makes the entries of a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Takes an exclusive lock on `path` (made if it does not exist), held until the value is dropped.
    /// `WouldBlock` when another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// What a directory entry leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStatus {
    /// Bytes; of no meaning for a directory.
    pub length: u64,
    pub modified: Nanos,
    pub directory: bool,
}

/// An open file. Positional, so that readers share it.
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads up to `length` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;
    /// The length of the file in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Cuts or zero-extends the file.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Makes the file's bytes and length durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

impl World {
    /// Runs `work` where blocking is allowed and returns what it returns.
    ///
    /// A panic in `work` becomes an `Internal` error.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> crate::error::Result<T> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.blocking.run(Box::new(move || {
            // The receiver is gone only when the caller gave up; the work is done all the same.
            let _ = sender.send(work());
        }));
        receiver
            .await
            .map_err(|_| crate::error::Error::Internal("blocking work panicked".to_string()))
    }

    /// Runs `work`, which may block and use the processor for long, on a thread of low priority, and returns what it
    /// returns. Dropped, it ends where `work` waits the next time.
    ///
    /// A panic in `work` becomes an `Internal` error.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> crate::error::Result<T> {
        let (mut sender, receiver) = tokio::sync::oneshot::channel();
        self.blocking.aside(Box::pin(async move {
            let done = tokio::select! {
                done = work => done,
                () = sender.closed() => return,
            };
            // The receiver is gone only when the caller gave up.
            let _ = sender.send(done);
        }));
        receiver
            .await
            .map_err(|_| crate::error::Error::Internal("work aside panicked".to_string()))
    }
}
