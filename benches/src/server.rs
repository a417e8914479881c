//! The real binary as a child: free ports, its life and death, SQL over its API.

use crate::usage;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use cairn_storage::world::World;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    fs::OpenOptions,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::net::TcpStream;

/// How often a state is looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(2);

/// How long anything may take: far above all that is wanted, so that only what hangs is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// Which binary to run, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Binary {
    /// The server's binary; the one beside this program if not given.
    #[arg(long)]
    cairn: Option<PathBuf>,
    /// Settings of the server, `section.name=value`; may be given several times.
    #[arg(long = "set", value_name = "SETTING")]
    pub(crate) settings: Vec<String>,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    world: World,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    api: SocketAddr,
}

/// What a server took until it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// Seconds on the processor over its whole life.
    pub(crate) processor_seconds: f64,
    pub(crate) peak_bytes: u64,
}

impl Binary {
    fn path(&self) -> Result<PathBuf> {
        match &self.cairn {
            Some(path) => Ok(path.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("cairn")),
        }
    }

    /// Starts a server over `folder`, which also gets its log; it need not be ready yet.
    pub(crate) fn start(&self, world: &World, folder: &Path) -> Result<Server> {
        world.disk.create_directories(folder)?;
        let path = folder.join("cairn.log");
        let log = OpenOptions::new().create(true).append(true).open(&path)?;
        let [grpc, http, api] = free_ports()?;
        let binary = self.path()?;
        let mut command = Command::new(&binary);
        command.arg("serve").arg("--data-dir").arg(data_dir(folder));
        for (flag, address) in [
            ("--listen-grpc", grpc),
            ("--listen-http", http),
            ("--listen-api", api),
        ] {
            command.arg(flag).arg(address.to_string());
        }
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        Ok(Server {
            child,
            world: world.clone(),
            grpc,
            http,
            api,
        })
    }
}

/// The data of a server that was started over `folder`.
pub(crate) fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn free_ports() -> Result<[SocketAddr; 3]> {
    // All are held until all are known, so that no two are the same.
    let sockets = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0"));
    let [a, b, c] = sockets;
    let (a, b, c) = (a?, b?, c?);
    Ok([a.local_addr()?, b.local_addr()?, c.local_addr()?])
}

impl Server {
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `/readyz` says 200.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let begin = self.world.clock.monotonic();
        while self.world.clock.monotonic() - begin < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}; its log is cairn.log in its folder");
            }
            let request = Request::get("/readyz").body(Full::default())?;
            if let Ok((StatusCode::OK, _)) = self.call(request).await {
                return Ok(());
            }
            self.world.clock.sleep(LOOK).await;
        }
        bail!("the server was not ready within {PATIENCE:?}")
    }

    /// The only row of a statement, as numbers.
    pub(crate) async fn numbers(&self, statement: &str) -> Result<Vec<u64>> {
        let request = Request::post("/api/v1/sql")
            .header(header::CONTENT_TYPE, "text/plain")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(statement.to_string())))?;
        let (status, body) = self.call(request).await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(status == StatusCode::OK, "{statement}: {status} {text}");
        let answer: Value = serde_json::from_slice(&body)?;
        let complete = answer.pointer("/completeness/complete");
        ensure!(
            complete == Some(&Value::Bool(true)),
            "{statement}: not complete: {text}"
        );
        let row = answer.pointer("/rows/0").and_then(Value::as_array);
        let row = row.with_context(|| format!("{statement}: no row in {text}"))?;
        let number = |value: &Value| value.as_u64().context("not a number");
        row.iter().map(number).collect()
    }

    async fn call(&self, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect(self.api).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let running = tokio::spawn(connection);
        let host = self.api.to_string().parse()?;
        request.headers_mut().insert(header::HOST, host);
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        drop(sender);
        running.await??;
        Ok((status, body))
    }

    /// A clean shutdown: a signal, then whatever it takes to flush.
    pub(crate) async fn stop(mut self) -> Result<Ended> {
        let process = self.process();
        let sent = Command::new("kill")
            .args(["-TERM", &process.to_string()])
            .status()?;
        ensure!(sent.success(), "no process {process} to stop");
        let before = usage::children_seconds()?;
        let begin = self.world.clock.monotonic();
        let mut peak_bytes = 0;
        while self.world.clock.monotonic() - begin < PATIENCE {
            peak_bytes = usage::peak_bytes(process).unwrap_or(peak_bytes);
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                return Ok(Ended {
                    processor_seconds: usage::children_seconds()? - before,
                    peak_bytes,
                });
            }
            self.world.clock.sleep(LOOK).await;
        }
        bail!("the server did not end within {PATIENCE:?}")
    }

    /// As a power cut without the power: `kill -9`.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    /// A measurement that failed leaves no server behind.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Nothing can be done about a child that cannot be killed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
