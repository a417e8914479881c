//! Syslog over real sockets: framings, batches, back-pressure, drops, the end.

use crate::{
    columns::{column, outcome, row},
    server::{Server, key, until},
};
use cairn_ingest::{
    config::{Config, Syslog as SyslogConfig},
    receiver::Syslog,
};
use cairn_storage::{budget::Reservation, signal::Signal};
use cairn_tenancy::principal::Scope;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Listeners of a server, running.
struct Running {
    tcp: SocketAddr,
    udp: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

fn config() -> SyslogConfig {
    SyslogConfig {
        listen_tcp: "127.0.0.1:0".to_string(),
        listen_udp: "127.0.0.1:0".to_string(),
        ..SyslogConfig::default()
    }
}

async fn bound(server: &Server, config: &SyslogConfig) -> Syslog {
    let syslog = server
        .receiver
        .syslog(config)
        .await
        .expect("settings that work");
    syslog.expect("there are listeners")
}

async fn run(server: &Server, config: &SyslogConfig) -> Running {
    let syslog = bound(server, config).await;
    let shutdown = CancellationToken::new();
    Running {
        tcp: syslog.tcp_address().expect("it is bound"),
        udp: syslog.udp_address().expect("it is bound"),
        task: tokio::spawn(syslog.run(shutdown.clone())),
        shutdown,
    }
}

impl Running {
    /// Ends the listeners; everything that was read is stored then.
    async fn stop(self) {
        self.shutdown.cancel();
        within(self.task).await.expect("no panic");
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tcp).await.expect("a connection")
    }
}

/// What takes too long fails the test and not the whole run.
async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work)
        .await
        .expect("in time")
}

#[tokio::test]
async fn lines_and_counted_messages_over_tcp() {
    let server = Server::start().await;
    let running = run(&server, &config()).await;
    let mut stream = running.connect().await;
    let message = "<165>1 2026-11-01T22:14:15.003Z host app 12 ID47 [a@1 x=\"1\"] hello\nworld";
    let text = format!(
        "{} {message}<34>Nov  1 22:14:15 box su[42]: no\n<13>last",
        message.len()
    );
    stream
        .write_all(text.as_bytes())
        .await
        .expect("it is taken");
    drop(stream);
    until("three rows", || server.rows("default", Signal::Logs) == 3).await;
    let names = [
        "service_name",
        "severity_number",
        "severity_text",
        "body",
        "attributes",
        "resource_attributes",
        "timestamp_origin",
    ];
    assert_eq!(
        row(&server, "default", 0, &names),
        [
            "app",
            "10",
            "notice",
            "hello\nworld",
            r#"{"network.peer.address":"127.0.0.1","syslog.a@1.x":"1","syslog.facility":20,"syslog.facility.name":"local4","syslog.msgid":"ID47","syslog.procid":"12","syslog.version":1}"#,
            r#"{"host.name":"host","service.name":"app"}"#,
            "record",
        ]
    );
    assert_eq!(column(&server, "default", "body")[1..], ["no", "last"]);
    assert_eq!(
        column(&server, "default", "timestamp_origin")[2],
        "observed"
    );
    running.stop().await;
    assert_eq!(server.metric("ingest_dropped_messages_total", &[]), 0.0);
}

#[tokio::test]
async fn datagrams_over_udp() {
    let server = Server::start().await;
    let running = run(&server, &config()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    for text in ["<13>one\n", "<13>one\n", "no priority", "\n"] {
        socket
            .send_to(text.as_bytes(), running.udp)
            .await
            .expect("it is sent");
    }
    until("three rows", || server.rows("default", Signal::Logs) == 3).await;
    let mut bodies = column(&server, "default", "body");
    bodies.sort();
    assert_eq!(
        bodies,
        ["no priority", "one", "one"],
        "the same text twice is two messages"
    );
    running.stop().await;
}

/// A batch is stored after a while also on a connection that stays open.
#[tokio::test]
async fn an_open_connection_is_not_waited_for() {
    let server = Server::start().await;
    let running = run(&server, &config()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"<13>a\n").await.expect("it is taken");
    until("a row", || server.rows("default", Signal::Logs) == 1).await;
    stream
        .write_all(b"<13>b\n<13>half")
        .await
        .expect("it is taken");
    until("another", || server.rows("default", Signal::Logs) == 2).await;
    running.stop().await;
    assert_eq!(
        column(&server, "default", "body"),
        ["a", "b", "half"],
        "the end stores what was read"
    );
    let mut rest = Vec::new();
    let end = within(stream.read_to_end(&mut rest)).await;
    assert!(
        end.is_ok_and(|length| length == 0),
        "the connection is closed"
    );
}

#[tokio::test]
async fn many_messages_make_few_requests() {
    let server = Server::start().await;
    let running = run(&server, &config()).await;
    let mut stream = running.connect().await;
    let text: String = (0..5_000)
        .map(|number| format!("<13>app: {number}\n"))
        .collect();
    stream
        .write_all(text.as_bytes())
        .await
        .expect("it is taken");
    drop(stream);
    until("all rows", || server.rows("default", Signal::Logs) == 5_000).await;
    let requests = server.metric("ingest_requests_total", &["syslog/tcp"]);
    assert!((5.0..60.0).contains(&requests), "{requests} requests");
    running.stop().await;
}

#[tokio::test]
async fn what_is_too_long_or_broken_off_is_counted_and_kept() {
    let server = Server::start().await;
    let limited = SyslogConfig {
        max_message_bytes: 10,
        ..config()
    };
    let running = run(&server, &limited).await;
    let mut stream = running.connect().await;
    stream
        .write_all(b"<13>01234567890\n<13>a\n40 <13>x")
        .await
        .expect("it is taken");
    drop(stream);
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    socket
        .send_to(b"<13>01234567890", running.udp)
        .await
        .expect("it is sent");
    until("all four", || outcome(&server, "received") == 4).await;
    running.stop().await;
    assert_eq!(column(&server, "default", "body"), ["a"]);
    assert_eq!(outcome(&server, "rejected"), 3);
    let mut letters: Vec<String> = server
        .dead_letters()
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    letters.sort();
    assert_eq!(letters, ["malformed", "too_large", "too_large"]);
}

/// All but `left` bytes of the memory.
fn hold(server: &Server, left: u64) -> Reservation {
    let budget = server.store.budget();
    let free = budget.limit_bytes() - budget.used_bytes();
    budget.reserve(free - left).expect("it is free")
}

/// Over TCP nothing is lost: the sender waits until there is memory again. Over UDP it is dropped and counted.
#[tokio::test]
async fn spent_memory_holds_up_tcp_and_drops_udp() {
    let server = Server::start().await;
    let running = run(&server, &config()).await;
    let held = hold(&server, 10);
    let mut stream = running.connect().await;
    stream
        .write_all(b"<13>a\n<13>b\n")
        .await
        .expect("it is taken");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    socket
        .send_to(b"<13>lost", running.udp)
        .await
        .expect("it is sent");
    let lost = || {
        server.metric(
            "ingest_dropped_messages_total",
            &["syslog/udp", "\"memory\""],
        ) == 1.0
    };
    until("the datagram is counted", lost).await;
    assert_eq!(server.rows("default", Signal::Logs), 0);
    drop(held);
    until("both rows", || server.rows("default", Signal::Logs) == 2).await;
    running.stop().await;
    assert_eq!(column(&server, "default", "body"), ["a", "b"]);
    assert_eq!(
        server.metric("ingest_dropped_messages_total", &["syslog/tcp"]),
        0.0
    );
}

/// A store that is closed stays so: at the shutdown what was read is counted as lost.
#[tokio::test]
async fn a_closed_store_at_the_shutdown() {
    let server = Server::start().await;
    let running = run(&server, &config()).await;
    server.store.close().await.expect("it closes");
    let mut stream = running.connect().await;
    stream
        .write_all(b"<13>a\n<13>b\n")
        .await
        .expect("it is taken");
    let refused = || {
        server.metric(
            "ingest_refused_requests_total",
            &["syslog/tcp", "\"unavailable\""],
        ) >= 1.0
    };
    until("it was tried", refused).await;
    running.stop().await;
    let lost = server.metric(
        "ingest_dropped_messages_total",
        &["syslog/tcp", "\"shutdown\""],
    );
    assert_eq!(lost, 2.0);
}

#[tokio::test]
async fn connections_are_limited_and_silent_ones_closed() {
    let server = Server::start().await;
    let limited = SyslogConfig {
        max_connections: 1,
        idle_timeout_seconds: 1,
        ..config()
    };
    let running = run(&server, &limited).await;
    let mut first = running.connect().await;
    first.write_all(b"<13>a\n").await.expect("it is taken");
    until("it is open", || {
        server.metric("ingest_syslog_connections", &[]) == 1.0
    })
    .await;
    let mut second = running.connect().await;
    let mut rest = Vec::new();
    let end = within(second.read_to_end(&mut rest)).await;
    assert!(end.is_ok_and(|length| length == 0), "closed at once");
    assert_eq!(
        server.metric("ingest_syslog_refused_connections_total", &[]),
        1.0
    );
    let end = within(first.read_to_end(&mut rest)).await;
    assert!(
        end.is_ok_and(|length| length == 0),
        "closed when it was silent"
    );
    assert_eq!(column(&server, "default", "body"), ["a"]);
    running.stop().await;
}

#[tokio::test]
async fn the_tenant_must_be_named_where_there_are_keys() {
    let keys = vec![key("acme", "a", &[Scope::Ingest])];
    let server = Server::with(Config::default(), keys).await;
    let error = server
        .receiver
        .syslog(&config())
        .await
        .err()
        .expect("no tenant is named");
    assert!(error.to_string().contains("syslog.tenant"), "{error}");
    let named = SyslogConfig {
        tenant: "acme".to_string(),
        ..config()
    };
    let running = run(&server, &named).await;
    let mut stream = running.connect().await;
    stream.write_all(b"<13>a\n").await.expect("it is taken");
    drop(stream);
    until("a row", || server.rows("acme", Signal::Logs) == 1).await;
    running.stop().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn settings_that_cannot_work() {
    let server = Server::start().await;
    let off = server
        .receiver
        .syslog(&SyslogConfig::default())
        .await
        .expect("the defaults work");
    assert!(off.is_none(), "it is off by default");
    let taken = run(&server, &config()).await;
    for (what, bad) in [
        (
            "listen_tcp",
            SyslogConfig {
                listen_tcp: "514".into(),
                ..config()
            },
        ),
        (
            "listen_udp",
            SyslogConfig {
                listen_udp: "localhost".into(),
                ..config()
            },
        ),
        (
            "listen_tcp",
            SyslogConfig {
                listen_tcp: taken.tcp.to_string(),
                ..config()
            },
        ),
        (
            "tenant",
            SyslogConfig {
                tenant: "No Tenant".into(),
                ..config()
            },
        ),
        (
            "timezone",
            SyslogConfig {
                timezone: "Europe/Berlin".into(),
                ..config()
            },
        ),
        (
            "max_message_bytes",
            SyslogConfig {
                max_message_bytes: 0,
                ..config()
            },
        ),
        (
            "max_message_bytes",
            SyslogConfig {
                max_message_bytes: 2 << 20,
                ..config()
            },
        ),
        (
            "max_connections",
            SyslogConfig {
                max_connections: 0,
                ..config()
            },
        ),
        (
            "idle_timeout_seconds",
            SyslogConfig {
                idle_timeout_seconds: 0,
                ..config()
            },
        ),
    ] {
        let error = server
            .receiver
            .syslog(&bad)
            .await
            .err()
            .expect("it cannot work");
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    taken.stop().await;
}
