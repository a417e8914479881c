//! Group commit: one task takes all requests that wait, writes them, fsyncs once, and lets them go in order.
//!
//! Batching adds no delay: while one `fdatasync` runs the next batch gathers. A file whose write or fsync
//! failed is never written to again, because what a kernel keeps after a failed fsync is not known; the
//! requests of that batch get a retryable error and their sequences are never used again.

use super::{
    file::{FileId, FileName, Header, LogFile},
    frame::{self, Frame, MAX_FRAME_BYTES, Place, Request},
    probe::{self, Fault},
    replay::FileSummary,
    retire,
    witness::Witness,
};
use crate::{
    error::{Error, Result},
    id::TenantId,
    signal::Signal,
    world::World,
};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Frames are gathered up to this many bytes before they are handed to the disk, so that a batch needs little
/// memory of its own.
const WRITE_BYTES: usize = 4 << 20;

/// After a second failure in a row the disk is left alone this long, then twice as long, and so on: each attempt
/// makes a file, and a full disk must not be filled with them.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A disk that works again is noticed this soon.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How one shard's log is written.
#[derive(Debug, Clone)]
pub struct Settings {
    pub directory: PathBuf,
    pub shard: u32,
    /// A file that has reached this length gets no more frames.
    pub file_bytes: u64,
    /// Zeros written ahead at once.
    pub zero_fill_bytes: u64,
    /// Requests that may wait for the writer; one more waits for a place.
    pub queue_requests: usize,
}

impl Settings {
    /// The settings of shard 0 in `directory` with files of `file_bytes`.
    pub fn new(directory: PathBuf, file_bytes: u64) -> Settings {
        Settings {
            directory,
            shard: 0,
            file_bytes,
            // Large enough that a batch of a busy server meets a new chunk now and then only.
            zero_fill_bytes: (4 << 20).min(file_bytes),
            // At 2,000 requests a second this is two seconds of a stalled disk; bytes are bounded elsewhere.
            queue_requests: 4_096,
        }
    }
}

/// Where a log goes on.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The epoch of this writer, larger than that of every file.
    pub epoch: u64,
    /// The sequence of the first request, larger than every one that was ever given.
    pub next_sequence: u64,
    /// The files that replay found.
    pub files: Vec<FileSummary>,
}

/// Requests that became durable with one fsync, in order of sequence.
#[derive(Debug)]
pub struct Batch<T> {
    pub epoch: u64,
    pub requests: Vec<Durable<T>>,
    /// Bytes written, without zeros.
    pub bytes: u64,
    /// How long writing and fsyncing took.
    pub took: Duration,
}

/// A request that is durable and not yet acknowledged.
#[derive(Debug)]
pub struct Durable<T> {
    pub sequence: u64,
    pub request: Request,
    /// What the caller of `append` sent along.
    pub cargo: T,
}

/// The log of one shard. Appends wait for durability; `T` is what goes along with a request to the moment at
/// which it is durable.
pub struct Wal<T> {
    queue: Mutex<Option<mpsc::Sender<Waiting<T>>>>,
    world: World,
    directory: PathBuf,
    files: Files,
    witness: Arc<Witness>,
    fault: Arc<Mutex<Option<Fault>>>,
    rotate: Arc<Notify>,
    ended: CancellationToken,
}

/// The task that writes the log.
pub struct Writer<T> {
    world: World,
    settings: Settings,
    queue: mpsc::Receiver<Waiting<T>>,
    durable: Box<dyn FnMut(Batch<T>) + Send>,
    epoch: u64,
    next_sequence: u64,
    next_number: u32,
    current: Option<LogFile>,
    /// Failures since the last success.
    failures: u32,
    /// Not before this the disk is tried again after failures.
    retry_at: Duration,
    files: Files,
    witness: Arc<Witness>,
    /// Set before the requests of a failed write are told, taken back by a write or a probe that works.
    fault: Arc<Mutex<Option<Fault>>>,
    /// Told when the file that is written is to get no more frames.
    rotate: Arc<Notify>,
    ended: CancellationToken,
}

/// The files of the log that still exist, by id; shared by the writer and those who remove.
type Files = Arc<Mutex<BTreeMap<FileId, FileSummary>>>;

struct Waiting<T> {
    request: Request,
    cargo: T,
    reply: oneshot::Sender<Result<u64>>,
}

impl<T: Send + 'static> Wal<T> {
    /// Makes the log and the task that writes it; nothing is written before [`Writer::run`] is polled.
    ///
    /// `durable` is called by that task for every batch, in order of sequence, after its fsync and before
    /// anybody is told: what it makes visible is visible when `append` returns.
    pub fn new(
        world: World,
        settings: Settings,
        start: Start,
        durable: impl FnMut(Batch<T>) + Send + 'static,
    ) -> (Wal<T>, Writer<T>) {
        let (sender, queue) = mpsc::channel(settings.queue_requests);
        let lengths = start.files.iter().map(|file| (file.id, file.bytes));
        let witness = Witness::new(&settings.directory, settings.shard, lengths.collect());
        let witness = Arc::new(witness);
        let files = start
            .files
            .into_iter()
            .map(|file| (file.id, file))
            .collect();
        let files: Files = Arc::new(Mutex::new(files));
        let ended = CancellationToken::new();
        let fault = Arc::default();
        let rotate = Arc::new(Notify::new());
        let wal = Wal {
            queue: Mutex::new(Some(sender)),
            world: world.clone(),
            directory: settings.directory.clone(),
            files: files.clone(),
            witness: witness.clone(),
            fault: Arc::clone(&fault),
            rotate: rotate.clone(),
            ended: ended.clone(),
        };
        let writer = Writer {
            world,
            settings,
            queue,
            durable: Box::new(durable),
            epoch: start.epoch,
            next_sequence: start.next_sequence,
            next_number: 1,
            current: None,
            failures: 0,
            retry_at: Duration::ZERO,
            files,
            witness,
            fault,
            rotate,
            ended,
        };
        (wal, writer)
    }

    /// Appends `request`; returns its sequence when it is durable and `durable` has seen it.
    ///
    /// When the returned future is dropped, the request is written all the same. `Unavailable` when it could
    /// not be made durable (try again), `Invalid` when it is too large for a frame.
    pub async fn append(&self, request: Request, cargo: T) -> Result<u64> {
        let bytes = frame::encoded_bytes(&request);
        if bytes > MAX_FRAME_BYTES {
            let detail = format!("{bytes} bytes in the log; {MAX_FRAME_BYTES} are possible");
            return Err(Error::Invalid {
                what: "request",
                detail,
            });
        }
        let closed = || unavailable("it is closed");
        let queue = self.queue.lock().clone().ok_or_else(closed)?;
        let (reply, outcome) = oneshot::channel();
        queue
            .send(Waiting {
                request,
                cargo,
                reply,
            })
            .await
            .map_err(|_| closed())?;
        drop(queue);
        outcome
            .await
            .map_err(|_| unavailable("its writer stopped"))?
    }

    /// Why the log cannot be written now, if it cannot. Looked after in the background: whoever waits for this to be
    /// over need not send anything.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.lock().clone()
    }

    /// The files that exist, in the order of replay.
    pub fn files(&self) -> Vec<FileSummary> {
        self.files.lock().values().cloned().collect()
    }

    /// The length of all files together, without zeros ahead.
    pub fn bytes(&self) -> u64 {
        self.files.lock().values().map(|file| file.bytes).sum()
    }

    /// Has the file that is written end soon, so that it can go when what is in it is flushed. [`Wal::files`] says when.
    pub fn rotate(&self) {
        self.rotate.notify_one();
    }

    /// Removes the files that nobody needs any more, durably; completes with their ids.
    ///
    /// `flushed` says up to which sequence a tenant's signal is in committed segments; it is asked at once, not
    /// when the future is polled. A file with damage inside is not removed but moved to the folder `damaged`
    /// beside the log, so that what was lost can still be looked at.
    pub fn retire(
        &self,
        flushed: impl Fn(&TenantId, Signal) -> u64,
    ) -> BoxFuture<'_, Result<Vec<FileId>>> {
        let unneeded = retire::unneeded(self.files(), flushed);
        Box::pin(async move {
            let mut retired = Vec::new();
            for file in unneeded {
                let (world, directory, id) = (self.world.clone(), self.directory.clone(), file.id);
                let witness = self.witness.clone();
                let remove = move || {
                    witness.forget(&*world.disk, id)?;
                    retire::remove(&world, &directory, &file)
                };
                self.world.blocking(remove).await??;
                self.files.lock().remove(&id);
                retired.push(id);
            }
            Ok(retired)
        })
    }

    /// Takes no more requests, waits until those that wait are durable, and ends the writer.
    pub async fn close(&self) {
        self.queue.lock().take();
        self.ended.cancelled().await;
    }
}

impl<T: Send + 'static> Writer<T> {
    /// Writes until the log is closed and nothing waits any more.
    pub async fn run(mut self) {
        let _ended = self.ended.clone().drop_guard();
        let mut waiting = Vec::new();
        let limit = self.settings.queue_requests;
        loop {
            let rotate = self.rotate.clone();
            let received = match self.until_probe() {
                None => tokio::select! {
                    biased;
                    () = rotate.notified() => {
                        self.end_current();
                        continue;
                    }
                    received = self.queue.recv_many(&mut waiting, limit) => received,
                },
                Some(wait) => {
                    let probe_at = self.world.clock.sleep(wait);
                    tokio::select! {
                        biased;
                        received = self.queue.recv_many(&mut waiting, limit) => received,
                        () = probe_at => {
                            self.probe().await;
                            continue;
                        }
                    }
                }
            };
            if received == 0 {
                break;
            }
            self.write(std::mem::take(&mut waiting)).await;
        }
        self.end_current();
    }

    /// How long until the disk is tried without a request: those who ask first whether requests are taken would never
    /// send one.
    fn until_probe(&self) -> Option<Duration> {
        let now = self.world.clock.monotonic();
        let failing = self.fault.lock().is_some();
        failing.then(|| self.retry_at.saturating_sub(now))
    }

    /// Does what a write to a new file of the log does, in a file that nobody needs.
    async fn probe(&mut self) {
        let (world, directory) = (self.world.clone(), self.settings.directory.clone());
        let bytes = self.settings.zero_fill_bytes;
        let probed = self
            .world
            .blocking(move || probe::probe(&world, &directory, bytes));
        match probed.await.and_then(|probed| probed) {
            Ok(()) => {
                tracing::info!("the write-ahead log can be written again");
                *self.fault.lock() = None;
                // The failures stay counted until a write works, so that a disk that only takes probes gets rest.
                self.retry_at = Duration::ZERO;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Makes a batch durable, or fails all of it.
    async fn write(&mut self, waiting: Vec<Waiting<T>>) {
        if self.failures > 0 && self.world.clock.monotonic() < self.retry_at {
            return refuse(waiting, "its disk failed and is tried again soon");
        }
        let first = self.next_sequence;
        self.next_sequence += waiting.len() as u64;
        let header = match self.current {
            Some(_) => None,
            None => Some(self.next_header()),
        };
        let job = Job {
            world: self.world.clone(),
            settings: self.settings.clone(),
            header,
            witness: self.witness.clone(),
            epoch: self.epoch,
            first,
        };
        let file = self.current.take();
        // The frames are made and checksummed there too: a batch may be many megabytes.
        let done = self.world.blocking(move || job.run(file, waiting)).await;
        match done {
            Ok(Done {
                file,
                outcome: Ok(written),
                waiting,
            }) => {
                self.failures = 0;
                *self.fault.lock() = None;
                self.note_written(&file, &waiting, first);
                self.current = file;
                self.rotate_when_full();
                self.release(written, waiting, first);
            }
            Ok(Done {
                outcome: Err(error),
                waiting,
                ..
            }) => {
                self.abandon(&error);
                tracing::error!(%error, requests = waiting.len(), "the write-ahead log failed");
                refuse(waiting, &error.to_string());
            }
            // The work panicked and took the requests along: their callers see the reply dropped.
            Err(error) => {
                self.abandon(&error);
                tracing::error!(%error, "the write-ahead log's write panicked");
            }
        }
    }

    /// Tells `durable`, then the callers.
    fn release(&mut self, written: Written, waiting: Vec<Waiting<T>>, first: u64) {
        let mut replies = Vec::with_capacity(waiting.len());
        let mut requests = Vec::with_capacity(waiting.len());
        for (sequence, item) in (first..).zip(waiting) {
            replies.push((sequence, item.reply));
            requests.push(Durable {
                sequence,
                request: item.request,
                cargo: item.cargo,
            });
        }
        let Written { bytes, took } = written;
        (self.durable)(Batch {
            epoch: self.epoch,
            requests,
            bytes,
            took,
        });
        for (sequence, reply) in replies {
            // A caller that went away left a request that is durable all the same.
            let _ = reply.send(Ok(sequence));
        }
    }

    /// The header of the next file, which is entered into `files` at once: whatever its creation leaves on disk
    /// is accounted for.
    fn next_header(&mut self) -> Header {
        let id = FileId {
            epoch: self.epoch,
            number: self.next_number,
        };
        self.next_number += 1;
        let name = FileName {
            shard: self.settings.shard,
            id,
            key: self.world.random.next(),
        };
        let mut files = self.files.lock();
        let ended = files
            .values()
            .filter(|file| file.id.epoch == self.epoch)
            .map(|file| (file.id.number, file.bytes))
            .collect();
        files.insert(id, FileSummary::new(name));
        Header {
            name,
            created: self.world.clock.now(),
            ended,
        }
    }

    fn note_written(&self, file: &Option<LogFile>, waiting: &[Waiting<T>], first: u64) {
        let file = file.as_ref().expect("a successful write returns its file");
        let mut files = self.files.lock();
        let summary = files
            .get_mut(&file.name.id)
            .expect("entered when its header was made");
        summary.bytes = file.synced();
        for (sequence, item) in (first..).zip(waiting) {
            summary.note(&item.request, sequence);
        }
    }

    fn rotate_when_full(&mut self) {
        if self
            .current
            .as_ref()
            .is_some_and(|file| file.written() >= self.settings.file_bytes)
        {
            self.end_current();
        }
    }

    fn end_current(&mut self) {
        if let Some(file) = self.current.take()
            && let Some(summary) = self.files.lock().get_mut(&file.name.id)
        {
            summary.open = false;
        }
    }

    /// Gives up every file that is still open: the one whose write failed. It keeps the length up to which it
    /// was acknowledged.
    fn abandon(&mut self, error: &Error) {
        self.current = None;
        self.failed(error);
        for summary in self.files.lock().values_mut().filter(|file| file.open) {
            summary.open = false;
            summary.abandoned = true;
        }
    }

    /// Notes that the disk did not work, and when it is tried again.
    fn failed(&mut self, error: &Error) {
        self.failures = self.failures.saturating_add(1);
        // The first attempt in a new file comes at once; each later failure doubles the wait.
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(10) >> 1) - FIRST_WAIT;
        self.retry_at = self.world.clock.monotonic() + wait.min(LONGEST_WAIT);
        let mut fault = self.fault.lock();
        let since = fault.as_ref().map(|fault| fault.since);
        *fault = Some(Fault {
            detail: error.to_string(),
            since: since.unwrap_or_else(|| self.world.clock.now()),
        });
    }
}

/// Tells everybody to try again.
fn refuse<T>(waiting: Vec<Waiting<T>>, reason: &str) {
    for item in waiting {
        // Callers that went away need no answer.
        let _ = item.reply.send(Err(unavailable(reason)));
    }
}

/// The blocking part of one batch.
struct Job {
    world: World,
    settings: Settings,
    /// The header of the file to make, where none is open.
    header: Option<Header>,
    witness: Arc<Witness>,
    epoch: u64,
    first: u64,
}

struct Done<T> {
    file: Option<LogFile>,
    outcome: Result<Written>,
    waiting: Vec<Waiting<T>>,
}

struct Written {
    bytes: u64,
    took: Duration,
}

impl Job {
    fn run<T>(self, mut file: Option<LogFile>, waiting: Vec<Waiting<T>>) -> Done<T> {
        let start = self.world.clock.monotonic();
        let outcome = self.write(&mut file, &waiting).map(|bytes| Written {
            bytes,
            took: self.world.clock.monotonic().saturating_sub(start),
        });
        Done {
            file,
            outcome,
            waiting,
        }
    }

    fn write<T>(&self, open: &mut Option<LogFile>, waiting: &[Waiting<T>]) -> Result<u64> {
        let disk = self.world.disk.as_ref();
        if let Some(header) = &self.header {
            *open = Some(LogFile::create(disk, &self.settings.directory, header)?);
        }
        let file = open.as_mut().expect("either open or made from the header");
        let place = Place {
            key: file.name.key,
            synced: file.synced(),
        };
        let before = file.written();
        for (sequence, item) in (self.first..).zip(waiting) {
            let frame = Frame {
                epoch: self.epoch,
                sequence,
                request: item.request.clone(),
            };
            frame::encode(&frame, place, &mut file.waiting);
            if file.waiting.len() >= WRITE_BYTES {
                file.append()?;
            }
        }
        file.append()?;
        // A file that is full gets no more frames, so zeros would be written for nothing.
        let full = file.written() >= self.settings.file_bytes;
        let zeros = if full {
            0
        } else {
            self.settings.zero_fill_bytes
        };
        file.sync(disk, zeros)?;
        self.witness.acknowledged(disk, file.name.id, file.synced());
        Ok(file.written() - before)
    }
}

fn unavailable(detail: impl Into<String>) -> Error {
    Error::Unavailable {
        what: "the write-ahead log",
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests;
