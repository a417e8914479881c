//! The real world: the system's clock, random generator, file system and threads.
//!
//! The only file of this crate that may call them. A directory counts as durable after an `fsync` of the
//! directory itself, which is what Linux asks for.
#![expect(
    clippy::disallowed_methods,
    reason = "this file is what the banned calls are replaced by"
)]

use super::{Blocking, Clock, Disk, DiskFile, FileStatus, Random, World};
use crate::time::Nanos;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rand::{TryRng, rngs::SysRng};
use rustix::fs::{FlockOperation, flock};
use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The real world. Its clock and its blocking work need a tokio runtime with time enabled.
pub fn world() -> World {
    World {
        clock: Arc::new(SystemClock {
            start: Instant::now(),
        }),
        random: Arc::new(SystemRandom),
        disk: Arc::new(SystemDisk::default()),
        blocking: Arc::new(Threads),
    }
}

struct SystemClock {
    start: Instant,
}

impl Clock for SystemClock {
    fn now(&self) -> Nanos {
        nanos(SystemTime::now())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

fn nanos(time: SystemTime) -> Nanos {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Nanos(0).plus(since),
        Err(before) => Nanos(0).minus(before.duration()),
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    fn next(&self) -> u64 {
        SysRng
            .try_next_u64()
            .expect("Linux's random generator never fails once the system is up")
    }
}

/// What is read at most of a file that says it has no length.
const KERNEL_FILE_BYTES: u64 = 4_096;

struct Threads;

impl Blocking for Threads {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        // Dropping the handle detaches the work; tokio still waits for it at shutdown.
        drop(tokio::task::spawn_blocking(work));
    }

    fn aside(&self, work: BoxFuture<'static, ()>) {
        let run = move || {
            stand_back();
            match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime.block_on(work),
                Err(error) => tracing::error!(%error, "no runtime for work aside"),
            }
        };
        let thread = std::thread::Builder::new().name("aside".to_string());
        if let Err(error) = thread.spawn(run) {
            // Who waits for the work learns that it is gone.
            tracing::error!(%error, "no thread for work aside");
        }
    }
}

/// How far work aside stands back (nice 10: a tenth of a processor beside a thread at 0).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lowers the priority of this thread. Linux means the calling thread by no process id, others the whole process.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "work aside keeps its priority");
    }
}

/// Directories whose entries are known to be durable; more are not remembered, only fsynced again. A path of an
/// hour is used for an hour or two, so the oldest are of no use.
const MOST_DURABLE_DIRECTORIES: usize = 4_096;

#[derive(Default)]
struct SystemDisk {
    /// Fsynced into their parents by this process.
    durable_directories: Mutex<HashSet<PathBuf>>,
}

impl SystemDisk {
    /// Makes one directory, or finds it there, and makes its entry durable.
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let made = fs::create_dir(directory);
        if made.is_err() && !directory.is_dir() {
            return made;
        }
        // The root directory has no entry anywhere.
        let Some(parent) = directory.parent() else {
            return Ok(());
        };
        match self.sync_directory(parent) {
            // A folder above that we may not even read was not made by us.
            Err(error) if made.is_err() && error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
        let mut durable = self.durable_directories.lock();
        if durable.len() >= MOST_DURABLE_DIRECTORIES {
            durable.clear();
        }
        durable.insert(directory.to_path_buf());
        Ok(())
    }
}

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        Ok(Box::new(SystemFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile(
            OpenOptions::new().read(true).write(true).open(path)?,
        )))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        // Before the entry goes: whoever makes it anew has to make it durable anew.
        self.durable_directories.lock().remove(path);
        fs::remove_dir(path)
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        let mut unsure = Vec::new();
        for ancestor in path.ancestors() {
            let known = self.durable_directories.lock().contains(ancestor);
            if ancestor.as_os_str().is_empty() || (known && ancestor.is_dir()) {
                break;
            }
            unsure.push(ancestor);
        }
        for directory in unsure.into_iter().rev() {
            self.create_directory(directory)?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let mut name = entry.file_name().into_string().map_err(|name| {
                let text = format!("the name {} is not UTF-8", name.to_string_lossy());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            if entry.file_type()?.is_dir() {
                name.push('/');
            }
            names.push(name);
        }
        names.sort_unstable();
        Ok(names)
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        let metadata = fs::metadata(path)?;
        Ok(FileStatus {
            length: metadata.len(),
            modified: nanos(metadata.modified()?),
            directory: metadata.is_dir(),
        })
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        // A relative path of one part has the empty parent, which means the working directory.
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(file))
    }
}

struct SystemFile(File);

impl DiskFile for SystemFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        // The length asked for may be far beyond the end: allocate only what is there, or a page of what the kernel makes
        // up while it is read, whose length is 0.
        let there = match self.0.metadata()?.len() {
            0 => KERNEL_FILE_BYTES,
            there => there.saturating_sub(offset),
        };
        let length = length.min(usize::try_from(there).unwrap_or(usize::MAX));
        let mut buffer = BytesMut::zeroed(length);
        let mut filled = 0;
        while filled < length {
            match self
                .0
                .read_at(&mut buffer[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        Ok(buffer.freeze())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_exclusive_and_released_on_drop() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("lock");
        let disk = world().disk;
        let held = disk.lock(&path).expect("first lock");
        let refused = disk.lock(&path).err().expect("second lock is refused");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        disk.lock(&path).expect("free again");
    }

    #[test]
    fn what_the_kernel_makes_up_is_read_though_it_has_no_length() {
        let disk = world().disk;
        let file = disk.open_read(Path::new("/proc/self/statm")).expect("open");
        assert_eq!(file.length().expect("a length"), 0);
        let text = file.read_at(0, 160).expect("read");
        assert!(text.iter().any(u8::is_ascii_digit), "{text:?}");
    }

    #[test]
    fn reads_stop_at_the_end_and_directories_are_made_whole() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let disk = world().disk;
        let directory = folder.path().join("a/b/c");
        disk.create_directories(&directory)
            .expect("make directories");
        disk.create_directories(&directory).expect("made already");
        let path = directory.join("file");
        let file = disk.create(&path).expect("create");
        assert!(
            disk.create(&path).is_err(),
            "create must not open an existing file"
        );
        file.write_at(3, b"abc").expect("write");
        file.sync().expect("sync");
        assert_eq!(&file.read_at(0, 100).expect("read")[..], b"\0\0\0abc");
        assert_eq!(file.read_at(50, 10).expect("read past the end").len(), 0);
        assert_eq!(disk.status(&path).expect("status").length, 6);
        let kept = disk
            .remove_directory(&directory)
            .expect_err("it holds a file");
        assert_eq!(kept.kind(), io::ErrorKind::DirectoryNotEmpty);
        disk.remove(&path).expect("remove");
        disk.remove_directory(&directory).expect("it is empty");
        disk.create_directories(&directory).expect("made again");
        assert_eq!(disk.list(folder.path()).expect("list"), ["a/"]);
    }
}
