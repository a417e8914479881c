//! The simulated disk: names and bytes under one lock, with faults, stops and a trace of every call.

use super::{
    dice::Dice,
    inode::Inode,
    names::{Entry, Names},
    timeline::Timeline,
};
use crate::{
    time::Nanos,
    world::{Clock, Disk, DiskFile, FileStatus},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How many calls are kept as text.
const RECENT_CALLS: usize = 200;

/// How often calls fail, each a probability from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Reads that return EIO.
    pub read: f64,
    /// Writes that return EIO after a part of the bytes.
    pub write: f64,
    /// Writes and creates that return ENOSPC, writes after a part of the bytes.
    pub full: f64,
    /// fsyncs of files that return EIO; what was dirty is then clean and may be lost.
    pub sync: f64,
    /// Creates, renames, removes, directory fsyncs and locks that return EIO without effect.
    pub names: f64,
}

/// Protections that are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sabotage {
    /// fsync of a file returns OK and does nothing.
    pub skip_file_sync: bool,
    /// fsync of a directory returns OK and does nothing.
    pub skip_directory_sync: bool,
}

/// How a process is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The process ends; what it wrote stays.
    Kill,
    /// The machine ends; what was not fsynced may be gone.
    PowerCut,
}

/// The disk of one machine.
pub(super) struct SimulatedDisk {
    shared: Arc<Shared>,
}

struct Shared {
    dice: Dice,
    timeline: Arc<Timeline>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: Names,
    locked: BTreeSet<PathBuf>,
    /// Fsynced into their parents by the process that runs now.
    durable_directories: BTreeSet<PathBuf>,
    faults: Faults,
    sabotage: Sabotage,
    /// One more at each restart: files opened before are dead.
    generation: u64,
    calls: u64,
    stop_at: Option<(u64, Stop)>,
    stopped: Option<Stop>,
    trace: u64,
    recent: VecDeque<String>,
}

impl SimulatedDisk {
    pub(super) fn new(dice: Dice, timeline: Arc<Timeline>) -> SimulatedDisk {
        let state = Mutex::new(State::default());
        SimulatedDisk {
            shared: Arc::new(Shared {
                dice,
                timeline,
                state,
            }),
        }
    }

    pub(super) fn stop_after(&self, calls: u64, stop: Stop) {
        let mut state = self.shared.state.lock();
        state.stop_at = Some((state.calls + calls, stop));
    }

    pub(super) fn cancel_stop(&self) {
        self.shared.state.lock().stop_at = None;
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        self.shared.state.lock().stopped
    }

    /// The end of a process, or of the power; the disk is ready for the next one.
    pub(super) fn restart(&self, stop: Stop) {
        let mut state = self.shared.state.lock();
        state.generation += 1;
        state.locked.clear();
        state.durable_directories.clear();
        state.stop_at = None;
        state.stopped = None;
        if stop == Stop::PowerCut {
            state.names.cut_power(&self.shared.dice);
        }
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.shared.state.lock().faults = faults;
    }

    pub(super) fn set_sabotage(&self, sabotage: Sabotage) {
        self.shared.state.lock().sabotage = sabotage;
    }

    pub(super) fn flip(&self, path: &Path, offset: u64, mask: u8) {
        let file = self.shared.state.lock().names.file(path);
        file.expect("a harness flips bytes of files that exist")
            .lock()
            .flip(offset as usize, mask);
    }

    pub(super) fn trace(&self) -> u64 {
        self.shared.state.lock().trace
    }

    pub(super) fn calls(&self) -> u64 {
        self.shared.state.lock().calls
    }

    pub(super) fn recent(&self) -> Vec<String> {
        self.shared.state.lock().recent.iter().cloned().collect()
    }

    fn file(&self, path: &Path, inode: Arc<Mutex<Inode>>, generation: u64) -> Box<dyn DiskFile> {
        let (shared, path) = (self.shared.clone(), path.to_path_buf());
        Box::new(SimulatedFile {
            shared,
            path,
            inode,
            generation,
        })
    }
}

/// One call: what the trace says of it and how it may fail.
struct Call<'a> {
    name: &'static str,
    path: &'a Path,
    /// Offset, length and a digest of the bytes, as far as the call has any.
    numbers: [u64; 3],
    /// Up to this long, in microseconds.
    longest_micros: u64,
}

impl<'a> Call<'a> {
    fn of_names(name: &'static str, path: &'a Path) -> Call<'a> {
        Call {
            name,
            path,
            numbers: [0; 3],
            longest_micros: 100,
        }
    }
}

impl Shared {
    /// Runs one call: counts it, lets its time pass, stops where a stop was asked for, and records the outcome.
    fn call<T>(
        &self,
        call: Call<'_>,
        work: impl FnOnce(&mut State, &Dice) -> io::Result<T>,
    ) -> io::Result<T> {
        self.timeline
            .pass(Duration::from_micros(self.dice.below(call.longest_micros)));
        let mut state = self.state.lock();
        state.calls += 1;
        if let Some((at, stop)) = state.stop_at
            && state.calls >= at
        {
            state.stopped = Some(stop);
        }
        let outcome = match state.stopped {
            Some(_) => Err(io::Error::other("the process was stopped")),
            None => work(&mut state, &self.dice),
        };
        let result = outcome.as_ref().map(|_| ()).map_err(io::Error::kind);
        state.record(&call, self.timeline.monotonic(), result);
        outcome
    }
}

impl State {
    fn record(&mut self, call: &Call<'_>, at: Duration, result: Result<(), io::ErrorKind>) {
        let Call {
            name,
            path,
            numbers,
            ..
        } = call;
        let text = format!("{at:?} {name} {} {numbers:?} {result:?}", path.display());
        self.trace = xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), self.trace);
        if self.recent.len() == RECENT_CALLS {
            self.recent.pop_front();
        }
        self.recent.push_back(text);
    }

    fn names_fault(&self, dice: &Dice) -> io::Result<()> {
        if dice.chance(self.faults.names) {
            Err(input_output())
        } else {
            Ok(())
        }
    }
}

fn input_output() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn no_space() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

impl Disk for SimulatedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let now = self.shared.timeline.now();
        self.shared
            .call(Call::of_names("create", path), |state, dice| {
                state.names_fault(dice)?;
                if dice.chance(state.faults.full) {
                    return Err(no_space());
                }
                let inode = Arc::new(Mutex::new(Inode::new(now)));
                state.names.add(path, Entry::File(inode.clone()))?;
                Ok(self.file(path, inode, state.generation))
            })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.call(Call::of_names("open", path), |state, _| {
            Ok(self.file(path, state.names.file(path)?, state.generation))
        })
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared
            .call(Call::of_names("rename from", from), |state, dice| {
                state.names_fault(dice)?;
                state.names.rename(from, to)
            })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.shared
            .call(Call::of_names("remove", path), |state, dice| {
                state.names_fault(dice)?;
                state.names.remove(path)
            })
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.shared
            .call(Call::of_names("rmdir", path), |state, dice| {
                state.names_fault(dice)?;
                state.names.remove_directory(path)?;
                state.durable_directories.remove(path);
                Ok(())
            })
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        let mut unsure = Vec::new();
        for ancestor in path.ancestors() {
            if self
                .shared
                .state
                .lock()
                .durable_directories
                .contains(ancestor)
            {
                break;
            }
            unsure.push(ancestor);
        }
        for directory in unsure.into_iter().rev() {
            let Some(parent) = directory.parent() else {
                continue;
            };
            self.shared
                .call(Call::of_names("mkdir", directory), |state, dice| {
                    state.names_fault(dice)?;
                    match state.names.get(directory) {
                        Ok(Entry::Directory) => Ok(()),
                        Ok(Entry::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
                        Err(_) => state.names.add(directory, Entry::Directory),
                    }
                })?;
            self.sync_directory(parent)?;
            self.shared
                .state
                .lock()
                .durable_directories
                .insert(directory.to_path_buf());
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.shared.call(Call::of_names("list", path), |state, _| {
            state.names.list(path)
        })
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        self.shared
            .call(Call::of_names("status", path), |state, _| {
                Ok(match state.names.get(path)? {
                    Entry::Directory => FileStatus {
                        length: 0,
                        modified: Nanos(0),
                        directory: true,
                    },
                    Entry::File(inode) => {
                        let inode = inode.lock();
                        let length = inode.bytes.len() as u64;
                        FileStatus {
                            length,
                            modified: inode.modified,
                            directory: false,
                        }
                    }
                })
            })
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.shared
            .call(Call::of_names("fsync directory", path), |state, dice| {
                state.names_fault(dice)?;
                if state.sabotage.skip_directory_sync {
                    return Ok(());
                }
                state.names.sync(path)
            })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let shared = self.shared.clone();
        self.shared
            .call(Call::of_names("lock", path), |state, dice| {
                state.names_fault(dice)?;
                if state.names.get(path).is_err() {
                    state.names.add(path, Entry::File(Arc::default()))?;
                }
                if !state.locked.insert(path.to_path_buf()) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let (path, generation) = (path.to_path_buf(), state.generation);
                Ok(Box::new(Lock {
                    shared,
                    path,
                    generation,
                }) as Box<dyn Send + Sync>)
            })
    }
}

struct Lock {
    shared: Arc<Shared>,
    path: PathBuf,
    generation: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        // A later life may hold the same lock by now.
        if state.generation == self.generation {
            state.locked.remove(&self.path);
        }
    }
}

struct SimulatedFile {
    shared: Arc<Shared>,
    path: PathBuf,
    inode: Arc<Mutex<Inode>>,
    generation: u64,
}

impl SimulatedFile {
    fn call<T>(
        &self,
        name: &'static str,
        numbers: [u64; 3],
        longest_micros: u64,
        work: impl FnOnce(&mut State, &mut Inode, &Dice) -> io::Result<T>,
    ) -> io::Result<T> {
        let call = Call {
            name,
            path: &self.path,
            numbers,
            longest_micros,
        };
        self.shared.call(call, |state, dice| {
            if state.generation != self.generation {
                return Err(io::Error::other("the file was opened in an earlier life"));
            }
            work(state, &mut self.inode.lock(), dice)
        })
    }
}

impl DiskFile for SimulatedFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let now = self.shared.timeline.now();
        let numbers = [
            offset,
            bytes.len() as u64,
            xxhash_rust::xxh3::xxh3_64(bytes),
        ];
        self.call("write", numbers, 200, |state, inode, dice| {
            let (broken, full) = (
                dice.chance(state.faults.write),
                dice.chance(state.faults.full),
            );
            inode.modified = now;
            if broken || full {
                let part = dice.below(bytes.len() as u64 + 1) as usize;
                inode.write(offset as usize, &bytes[..part]);
                return Err(if full { no_space() } else { input_output() });
            }
            inode.write(offset as usize, bytes);
            Ok(())
        })
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.call(
            "read",
            [offset, length as u64, 0],
            200,
            |state, inode, dice| {
                if dice.chance(state.faults.read) {
                    return Err(input_output());
                }
                let from = inode
                    .bytes
                    .len()
                    .min(usize::try_from(offset).unwrap_or(usize::MAX));
                let to = inode.bytes.len().min(from.saturating_add(length));
                Ok(Bytes::copy_from_slice(&inode.bytes[from..to]))
            },
        )
    }

    fn length(&self) -> io::Result<u64> {
        self.call("length", [0; 3], 10, |_, inode, _| {
            Ok(inode.bytes.len() as u64)
        })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let now = self.shared.timeline.now();
        self.call("set length", [length, 0, 0], 100, |state, inode, dice| {
            if dice.chance(state.faults.write) {
                return Err(input_output());
            }
            inode.modified = now;
            inode.set_length(length as usize);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.call("fsync", [0; 3], 5_000, |state, inode, dice| {
            if dice.chance(state.faults.sync) {
                inode.sync_failed(dice);
                return Err(input_output());
            }
            if !state.sabotage.skip_file_sync {
                inode.sync();
            }
            Ok(())
        })
    }
}
