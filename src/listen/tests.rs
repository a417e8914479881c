//! Real connections over loopback: what is cut, and what is not.

use super::*;
use axum::routing::get;
use cairn_storage::world;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A listener on a free port with short limits; its address and what it shares.
async fn start(config: config::Listen) -> (SocketAddr, Shared) {
    let shared = Shared::new(world::real::world(), &config, Telemetry::default());
    let socket = bind("test", SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        "slow"
    };
    let service = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/slow", get(slow));
    tokio::spawn(
        Listener {
            name: "test",
            socket,
            service,
            shared: shared.clone(),
        }
        .run(),
    );
    (address, shared)
}

fn short() -> config::Listen {
    config::Listen {
        header_timeout_seconds: 1,
        idle_timeout_seconds: 2,
        write_timeout_seconds: 1,
        ..config::Listen::default()
    }
}

async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the listener accepts");
    stream
        .write_all(bytes)
        .await
        .expect("the socket takes a few bytes");
    stream
}

/// Everything the server sends until it closes, and how long that took.
async fn read_to_end(mut stream: TcpStream) -> (String, Duration) {
    let start = now();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    // A reset is an end as good as any.
    let _ = ended.expect("the server closes within 20 s");
    (
        String::from_utf8_lossy(&bytes).into_owned(),
        start.elapsed(),
    )
}

#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn now() -> Instant {
    Instant::now()
}

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_head_that_never_ends_is_cut_before_the_idle_time() {
    let (address, _) = start(config::Listen {
        idle_timeout_seconds: 60,
        ..short()
    })
    .await;
    let (silent, half) = tokio::join!(
        async { read_to_end(connect(address, b"").await).await },
        async { read_to_end(connect(address, b"GET / HTTP/1.1\r\nhost").await).await },
    );
    for (text, took) in [silent, half] {
        assert_eq!(text, "");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    // The second head of a connection is timed too.
    let mut stream = connect(address, ASK).await;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    stream
        .write_all(b"GET /")
        .await
        .expect("the connection is open");
    let (_, took) = read_to_end(stream).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_resting_connection_ends_and_a_working_one_does_not() {
    let (address, _) = start(short()).await;
    let (resting, working) = tokio::join!(
        async { read_to_end(connect(address, ASK).await).await },
        async {
            read_to_end(
                connect(
                    address,
                    b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
                )
                .await,
            )
            .await
        },
    );
    assert!(resting.0.ends_with("hello"), "{resting:?}");
    assert!(resting.1 >= Duration::from_secs(2), "{resting:?}");
    assert!(
        working.0.ends_with("slow"),
        "a request under way is no rest: {working:?}"
    );
}

#[tokio::test]
async fn too_many_connections_are_closed_at_once() {
    let (address, shared) = start(config::Listen {
        max_connections_per_address: 2,
        ..Default::default()
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(address, ASK).await;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("an answer");
        open.push(stream);
    }
    let (text, _) = read_to_end(connect(address, b"").await).await;
    assert_eq!(text, "");
    drop(open);
    while !shared.connections.is_empty() {
        tokio::task::yield_now().await;
    }
    let (text, _) = read_to_end(connect(address, b"GET / HTTP/1.0\r\n\r\n").await).await;
    assert!(text.ends_with("hello"), "{text}");
}

#[tokio::test]
async fn a_drain_lets_requests_end_and_takes_no_more() {
    let (address, shared) = start(config::Listen::default()).await;
    let resting = connect(address, ASK).await;
    let slow = connect(address, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    while shared.connections.len() < 2 {
        tokio::task::yield_now().await;
    }
    // The slow request has to be under way: its head is read within this time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    shared.drain.cancel();
    shared.connections.close();
    let ((text, _), (_, took)) = tokio::join!(read_to_end(slow), read_to_end(resting));
    assert!(text.ends_with("slow"), "{text}");
    assert!(
        took < Duration::from_secs(2),
        "a resting connection ends at once: {took:?}"
    );
    shared.connections.wait().await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the socket is closed"
    );
}
