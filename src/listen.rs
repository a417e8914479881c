//! A listening socket: accepts connections, bounds them in number and time, and drains them at the end.
//!
//! HTTP/1 and HTTP/2 on every port. The limits against slow and too many peers live here and not in the services:
//! a service sees only requests whose headers came in time. An accept error never ends the loop.

mod activity;
mod admission;

use crate::{config, telemetry::Telemetry};
use activity::{Activity, Limits, Verdict, Watched};
use admission::Admission;
use axum::{Router, body::Body};
use cairn_storage::world::{Clock, World};
use hyper::{Request, Response, Version, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// How often a connection is looked at for its time limits.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The pause after an error of `accept`: most are of one peer, the rest (no more file descriptors) need time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// HTTP/2 header lists larger than this are refused.
const MAX_HEADER_LIST_BYTES: u32 = 16 << 10;

/// HTTP/1 heads larger than this are refused; also the read buffer of such a connection.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Streams that a peer reset before we accepted them (rapid reset); beyond it the connection ends.
const MAX_PENDING_RESETS: usize = 20;

/// Streams that we reset because of a peer's errors; beyond it the connection ends.
const MAX_LOCAL_RESETS: usize = 1_024;

/// An HTTP/2 peer that does not answer a ping for this long is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What the listeners of a server share.
#[derive(Clone)]
pub(crate) struct Shared {
    world: World,
    limits: Arc<Limits>,
    admission: Admission,
    max_streams: u32,
    telemetry: Telemetry,
    /// No new connections and requests from here on; those under way go on.
    pub(crate) drain: CancellationToken,
    /// Every connection ends now.
    pub(crate) abort: CancellationToken,
    /// The connections that are open.
    pub(crate) connections: TaskTracker,
}

/// A bound socket and the service behind it.
pub(crate) struct Listener {
    /// For logs and metrics.
    pub(crate) name: &'static str,
    pub(crate) socket: TcpListener,
    pub(crate) service: Router,
    pub(crate) shared: Shared,
}

impl Shared {
    pub(crate) fn new(world: World, config: &config::Listen, telemetry: Telemetry) -> Shared {
        Shared {
            world,
            limits: Arc::new(Limits {
                header: Duration::from_secs(config.header_timeout_seconds),
                idle: Duration::from_secs(config.idle_timeout_seconds),
                write: Duration::from_secs(config.write_timeout_seconds),
            }),
            admission: Admission::new(config.max_connections, config.max_connections_per_address),
            max_streams: config.max_streams,
            telemetry,
            drain: CancellationToken::new(),
            abort: CancellationToken::new(),
            connections: TaskTracker::new(),
        }
    }

    fn clock(&self) -> &Arc<dyn Clock> {
        &self.world.clock
    }
}

/// Binds `address`, naming the setting when that fails.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context;
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address} ({setting})"))
}

impl Listener {
    /// Accepts until the drain begins; the socket is closed then, so that peers go elsewhere at once.
    pub(crate) async fn run(self) {
        let drain = self.shared.drain.clone();
        loop {
            let accepted = tokio::select! {
                () = drain.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) => self.pause_after(&error).await,
            }
        }
    }

    async fn pause_after(&self, error: &io::Error) {
        tracing::warn!(listener = self.name, %error, "a connection could not be accepted");
        self.shared
            .telemetry
            .connection_refused(self.name, "accept_error");
        self.shared.clock().sleep(ACCEPT_PAUSE).await;
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(ticket) = self.shared.admission.admit(peer.ip()) else {
            self.shared
                .telemetry
                .connection_refused(self.name, "too_many");
            return;
        };
        // Answers are written whole; waiting to fill a packet only delays them. A socket that is gone already
        // fails at its first read.
        let _ = stream.set_nodelay(true);
        let open = self.shared.telemetry.connection_opened(self.name);
        let shared = self.shared.clone();
        let service = self.service.clone();
        self.shared.connections.spawn(async move {
            connection(stream, service, shared).await;
            drop((ticket, open));
        });
    }
}

/// Serves one connection to its end, its limits or the drain.
async fn connection(stream: TcpStream, service: Router, shared: Shared) {
    let activity = Arc::new(Activity::new(shared.clock().clone()));
    let seen = activity.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        answer(service.clone(), seen.clone(), request)
    });
    let builder = builder(shared.max_streams);
    let io = TokioIo::new(Watched::new(stream, activity.clone()));
    // What becomes a WebSocket is no connection of ours any more: its handler bounds it.
    let connection = builder.serve_connection_with_upgrades(io, service);
    tokio::pin!(connection);
    let mut is_ending = false;
    loop {
        tokio::select! {
            // Errors here are of the peer: resets, broken frames. Requests count their own errors.
            _ = connection.as_mut() => return,
            () = shared.abort.cancelled() => return,
            () = shared.drain.cancelled(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shared.clock().sleep(CHECK_EVERY) => match activity.verdict(&shared.limits) {
                Verdict::Keep => {}
                // Once more than the grace of one look: the peer does not take the goodbye.
                Verdict::Idle if is_ending => return,
                Verdict::Idle => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                Verdict::Stalled => return,
            },
        }
    }
}

fn builder(max_streams: u32) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The time limit for heads is ours: hyper's would run while a kept-alive connection rests.
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PING_TIMEOUT))
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(max_streams)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES);
    builder
}

/// One request through the service, noted as under way until its answer's body is gone.
async fn answer(
    service: Router,
    activity: Arc<Activity>,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let under_way = activity.begin(request.version() == Version::HTTP_2);
    let response = service.oneshot(request).await?;
    Ok(response.map(|body| Body::new(activity::Body::new(body, under_way))))
}

#[cfg(test)]
mod tests;
