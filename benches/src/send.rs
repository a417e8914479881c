//! Sends requests that were made beforehand over several connections, and notes when each was acknowledged.
//!
//! Without a rate every connection sends its next request when the last one is acknowledged. With a rate the
//! requests have times of their own at which they are due, whatever became of those before (an open loop); waits are
//! counted from there, so that a stall of the server shows in all requests that fell due meanwhile.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use cairn_storage::{signal::Signal, world::Clock};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpStream;

/// The frame of a gRPC message that is not compressed: a zero and the length.
const FRAME_BYTES: usize = 5;

/// How long a sender waits that was told to come back.
const PAUSE: Duration = Duration::from_millis(20);

/// How requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

/// Where to, how and how fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    pub(crate) signal: Signal,
    pub(crate) connections: usize,
    /// Requests a second; `None` is as fast as it goes.
    pub(crate) rate: Option<f64>,
}

/// A request with its gRPC frame before it.
#[derive(Debug, Clone)]
pub(crate) struct Framed(Bytes);

impl Framed {
    pub(crate) fn new(message: &[u8]) -> Framed {
        let mut framed = Vec::with_capacity(FRAME_BYTES + message.len());
        framed.push(0);
        framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
        framed.extend_from_slice(message);
        Framed(framed.into())
    }

    /// Without the frame.
    pub(crate) fn message_bytes(&self) -> usize {
        self.0.len() - FRAME_BYTES
    }
}

/// What became of the requests.
#[derive(Debug)]
pub(crate) struct Sent {
    /// From due to acknowledged, sorted.
    pub(crate) waits: Vec<Duration>,
    /// From the first request to the last acknowledgement.
    pub(crate) elapsed: Duration,
    /// Times that the server asked to come back.
    pub(crate) refused: u64,
}

/// Everything that the connections share.
struct Work {
    way: Way,
    clock: Arc<dyn Clock>,
    requests: Vec<Framed>,
    next: AtomicUsize,
    /// Monotonic time of the first request.
    begin: Duration,
}

/// Sends all of `requests`; returns when the last is acknowledged. Any answer but success, or a wish to come back,
/// is an error.
pub(crate) async fn send(clock: &Arc<dyn Clock>, way: Way, requests: Vec<Framed>) -> Result<Sent> {
    let mut links = Vec::new();
    for _ in 0..way.connections {
        links.push(Link::open(&way).await?);
    }
    let begin = clock.monotonic();
    let work = Arc::new(Work {
        way,
        clock: clock.clone(),
        requests,
        next: AtomicUsize::new(0),
        begin,
    });
    let senders: Vec<_> = links
        .into_iter()
        .map(|link| tokio::spawn(sender(work.clone(), link)))
        .collect();
    let (mut waits, mut refused) = (Vec::new(), 0);
    for sender in senders {
        let (own, again) = sender.await??;
        waits.extend(own);
        refused += again;
    }
    let elapsed = clock.monotonic() - begin;
    waits.sort();
    Ok(Sent {
        waits,
        elapsed,
        refused,
    })
}

/// Sends on one connection what is next, until nothing is left.
async fn sender(work: Arc<Work>, mut link: Link) -> Result<(Vec<Duration>, u64)> {
    let (mut waits, mut refused) = (Vec::new(), 0);
    loop {
        let number = work.next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = work.requests.get(number) else {
            return Ok((waits, refused));
        };
        let due = match work.way.rate {
            None => work.clock.monotonic(),
            Some(rate) => work.begin + Duration::from_secs_f64(number as f64 / rate),
        };
        if let Some(left) = due.checked_sub(work.clock.monotonic()) {
            work.clock.sleep(left).await;
        }
        while !link.export(&work.way, request).await? {
            refused += 1;
            work.clock.sleep(PAUSE).await;
        }
        waits.push(work.clock.monotonic() - due);
    }
}

/// One connection.
enum Link {
    Grpc(http2::SendRequest<Full<Bytes>>),
    Http(http1::SendRequest<Full<Bytes>>),
}

impl Link {
    async fn open(way: &Way) -> Result<Link> {
        let stream = TcpStream::connect(way.address)
            .await
            .with_context(|| format!("connecting to {}", way.address))?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        Ok(match way.protocol {
            Protocol::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Link::Grpc(sender)
            }
            Protocol::Http => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Link::Http(sender)
            }
        })
    }

    /// Sends a request and waits for its answer: `true` for OK, `false` for "come back".
    async fn export(&mut self, way: &Way, request: &Framed) -> Result<bool> {
        match self {
            Link::Grpc(sender) => export_grpc(sender, way, request).await,
            Link::Http(sender) => export_http(sender, way, request).await,
        }
    }
}

async fn export_grpc(
    sender: &mut http2::SendRequest<Full<Bytes>>,
    way: &Way,
    request: &Framed,
) -> Result<bool> {
    let service = match way.signal {
        Signal::Spans => "trace.v1.TraceService",
        Signal::Metrics => "metrics.v1.MetricsService",
        _ => "logs.v1.LogsService",
    };
    let request = Request::post(format!(
        "http://{}/opentelemetry.proto.collector.{service}/Export",
        way.address
    ))
    .header(header::CONTENT_TYPE, "application/grpc")
    .header(header::TE, "trailers")
    .body(Full::new(request.0.clone()))?;
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    ensure!(head.status == StatusCode::OK, "HTTP {}", head.status);
    let body = body.collect().await?;
    // An error without a message has its status in the head.
    let trailers = body.trailers().unwrap_or(&head.headers);
    let status = trailers
        .get("grpc-status")
        .context("an answer without grpc-status")?;
    match status.as_bytes() {
        b"0" => {}
        // RESOURCE_EXHAUSTED and UNAVAILABLE.
        b"8" | b"14" => return Ok(false),
        _ => bail!("refused: {trailers:?}"),
    }
    let message = body.to_bytes();
    ensure!(
        message[..] == [0; FRAME_BYTES],
        "a partial success: {message:?}"
    );
    Ok(true)
}

async fn export_http(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    way: &Way,
    request: &Framed,
) -> Result<bool> {
    let path = match way.signal {
        Signal::Spans => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
        _ => "/v1/logs",
    };
    let request = Request::post(path)
        .header(header::HOST, way.address.to_string())
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(request.0.slice(FRAME_BYTES..)))?;
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let message = body.collect().await?.to_bytes();
    match head.status {
        StatusCode::OK => {}
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => return Ok(false),
        status => bail!("HTTP {status}: {message:?}"),
    }
    ensure!(message.is_empty(), "a partial success: {message:?}");
    Ok(true)
}
