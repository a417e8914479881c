//! What no HTTP client sends.

use super::{
    Check, Verdict,
    message::{logs, record},
    target::{Target, said},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(super) const CHECKS: &[Check] = checks! { Socket:
    51 Sense "a client that goes away in the middle hurts nobody" goes_away;
    51 Sense "what is no HTTP is answered or closed, and the next client is served" no_http;
};

async fn connect(target: &Target) -> Result<TcpStream, String> {
    TcpStream::connect(target.authority()).await.map_err(said)
}

/// The server still takes a request.
async fn is_served(target: &Target) -> Verdict {
    let body = logs(vec![record("after the socket")]);
    target.protobuf("/v1/logs", body).await?.is(200)
}

async fn goes_away(target: &Target) -> Verdict {
    let head = "POST /v1/logs HTTP/1.1\r\nhost: check\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n";
    for sent in [&head[..30], head] {
        let mut socket = connect(target).await?;
        socket.write_all(sent.as_bytes()).await.map_err(said)?;
        drop(socket);
    }
    is_served(target).await
}

async fn no_http(target: &Target) -> Verdict {
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut socket = connect(target).await?;
        socket.write_all(garbage).await.map_err(said)?;
        socket.shutdown().await.map_err(said)?;
        let mut answer = Vec::new();
        // An answer or a reset: both end it.
        let _ = socket.read_to_end(&mut answer).await;
    }
    is_served(target).await
}
