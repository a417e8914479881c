//! What a connection is doing, to tell a slow or silent peer from a long answer.

use axum::body::Body as AnyBody;
use bytes::Bytes;
use cairn_storage::world::Clock;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the first byte of a head to its end, and from the accept to the first head.
    pub(super) header: Duration,
    /// Without a request under way.
    pub(super) idle: Duration,
    /// With bytes to write that the peer does not take.
    pub(super) write: Duration,
}

/// What to do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// Nothing is under way for too long: say goodbye.
    Idle,
    /// The peer does not take its part of the work: cut it.
    Stalled,
}

/// The state of one connection. Instants are milliseconds of the monotonic clock; zero stands for "not now".
pub(super) struct Activity {
    clock: Arc<dyn Clock>,
    /// Requests whose answers are not yet sent.
    under_way: AtomicU32,
    /// HTTP/2 has traffic of its own between requests, so only its first head is timed.
    is_http2: AtomicBool,
    /// When the last answer was sent, at first the accept.
    resting_since: AtomicU64,
    /// When the first byte of a head came.
    head_since: AtomicU64,
    /// When a write first found the socket full.
    blocked_since: AtomicU64,
    /// By the number of an answer, since when a piece of it waits to be taken: over HTTP/2 a peer can hold its
    /// windows shut while the socket itself never fills.
    untaken: Mutex<HashMap<u64, u64>>,
    /// Answers so far, to number them.
    answers: AtomicU64,
}

/// A request under way; dropped when its answer is sent or given up.
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    /// A connection that was just accepted.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Activity {
        let now = millis(&*clock);
        Activity {
            clock,
            under_way: AtomicU32::new(0),
            is_http2: AtomicBool::new(false),
            resting_since: AtomicU64::new(now),
            head_since: AtomicU64::new(now),
            blocked_since: AtomicU64::new(0),
            untaken: Mutex::default(),
            answers: AtomicU64::new(0),
        }
    }

    /// A head is complete.
    pub(super) fn begin(self: &Arc<Activity>, is_http2: bool) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.is_http2.store(is_http2, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    /// Bytes came in.
    fn was_read(&self) {
        let is_head =
            self.under_way.load(Ordering::Relaxed) == 0 && !self.is_http2.load(Ordering::Relaxed);
        if is_head && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since
                .store(millis(&*self.clock), Ordering::Relaxed);
        }
    }

    fn was_written(&self, is_blocked: bool) {
        let since = self.blocked_since.load(Ordering::Relaxed);
        match (is_blocked, since) {
            (true, 0) => self
                .blocked_since
                .store(millis(&*self.clock), Ordering::Relaxed),
            (false, 1..) => self.blocked_since.store(0, Ordering::Relaxed),
            _ => {}
        }
    }

    /// What to do with the connection now.
    pub(super) fn verdict(&self, limits: &Limits) -> Verdict {
        let now = millis(&*self.clock);
        let is_over = |since: u64, limit: Duration| {
            since != 0 && now.saturating_sub(since) > limit.as_millis() as u64
        };
        let untaken = self.untaken.lock().values().copied().min().unwrap_or(0);
        let blocked = self.blocked_since.load(Ordering::Relaxed);
        if [blocked, untaken]
            .into_iter()
            .any(|since| is_over(since, limits.write))
        {
            return Verdict::Stalled;
        }
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return Verdict::Keep;
        }
        if is_over(self.head_since.load(Ordering::Relaxed), limits.header) {
            return Verdict::Stalled;
        }
        match is_over(self.resting_since.load(Ordering::Relaxed), limits.idle) {
            true => Verdict::Idle,
            false => Verdict::Keep,
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0
            .resting_since
            .store(millis(&*self.0.clock), Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Never zero, which stands for "not now".
fn millis(clock: &dyn Clock) -> u64 {
    (clock.monotonic().as_millis() as u64).max(1)
}

/// A socket that tells its [`Activity`] what goes over it.
pub(super) struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> Watched {
        Watched { stream, activity }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.was_read();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.was_written(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.was_written(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of an answer; its request is under way until it is dropped.
pub(super) struct Body {
    inner: AnyBody,
    under_way: UnderWay,
    number: u64,
    /// Whether a piece was handed out and the next one not asked for yet.
    is_untaken: bool,
}

impl Body {
    pub(super) fn new(inner: AnyBody, under_way: UnderWay) -> Body {
        let number = under_way.0.answers.fetch_add(1, Ordering::Relaxed);
        Body {
            inner,
            under_way,
            number,
            is_untaken: false,
        }
    }

    /// Notes that a piece waits for the peer, or that it was taken.
    fn note(&mut self, is_untaken: bool) {
        if self.is_untaken == is_untaken {
            return;
        }
        self.is_untaken = is_untaken;
        let activity = &self.under_way.0;
        let mut untaken = activity.untaken.lock();
        match is_untaken {
            true => untaken.insert(self.number, millis(&*activity.clock)),
            false => untaken.remove(&self.number),
        };
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.note(false);
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // It is asked for when there is room for it.
        self.note(false);
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let has_more = matches!(polled, Poll::Ready(Some(Ok(_)))) && !self.inner.is_end_stream();
        self.note(has_more);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
