//! One process of `cairn serve` on free ports, and clients for it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
        metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
        trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;
use serde_json::Value as Json;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) grpc: String,
    pub(crate) http: String,
    pub(crate) api: String,
}

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_cairn");

/// Longer than any start or stop may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    /// Starts over `data_dir` with more arguments, and waits until it is ready.
    pub(crate) async fn start(data_dir: &Path, arguments: &[&str]) -> Server {
        let mut command = Command::new(BINARY);
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--set", "log.format=json"]);
        for port in ["--listen-grpc", "--listen-http", "--listen-api"] {
            command.args([port, "127.0.0.1:0"]);
        }
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the binary starts");
        let log = child.stderr.take().expect("standard error is piped");
        let mut lines = BufReader::new(log).lines();
        let mut addresses = None;
        let ready = async {
            while let Some(line) = lines.next_line().await.expect("the log is text") {
                let event: Json = serde_json::from_str(&line).unwrap_or_default();
                match event["message"].as_str() {
                    Some("listening") => addresses = Some(event),
                    Some("ready") => return,
                    _ => {}
                }
            }
            panic!("the server ended before it was ready");
        };
        tokio::time::timeout(PATIENCE, ready)
            .await
            .expect("ready in time");
        // The pipe is read to the end, or a full one would hold the server up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let addresses = addresses.expect("it listens before it is ready");
        let url = |name: &str| format!("http://{}", addresses[name].as_str().expect("an address"));
        Server {
            child,
            grpc: url("grpc"),
            http: url("http"),
            api: url("api"),
        }
    }

    /// SIGTERM; the server flushes and ends well.
    pub(crate) async fn stop(mut self) {
        let id = self.child.id().expect("the server runs").to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .expect("kill can be run");
        assert!(sent.success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it stops in time");
        assert!(ended.expect("it can be waited for").success());
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Sends over gRPC.
    pub(crate) async fn send_grpc(
        &self,
        request: ExportLogsServiceRequest,
        key: Option<&str>,
    ) -> Result<(), tonic::Status> {
        let mut client = LogsServiceClient::connect(self.grpc.clone())
            .await
            .expect("it takes connections");
        client.export(with_key(request, key)).await.map(drop)
    }

    /// Sends spans over gRPC.
    pub(crate) async fn send_spans(
        &self,
        request: ExportTraceServiceRequest,
        key: Option<&str>,
    ) -> Result<(), tonic::Status> {
        let mut client = TraceServiceClient::connect(self.grpc.clone())
            .await
            .expect("it takes connections");
        client.export(with_key(request, key)).await.map(drop)
    }

    /// Sends metrics over gRPC.
    pub(crate) async fn send_metrics(
        &self,
        request: ExportMetricsServiceRequest,
        key: Option<&str>,
    ) -> Result<(), tonic::Status> {
        let mut client = MetricsServiceClient::connect(self.grpc.clone())
            .await
            .expect("it takes connections");
        client.export(with_key(request, key)).await.map(drop)
    }

    /// Sends over HTTP.
    pub(crate) async fn send_http(
        &self,
        request: &ExportLogsServiceRequest,
        key: Option<&str>,
    ) -> StatusCode {
        self.send("logs", request, key).await.0
    }

    /// Sends a request of any signal (`logs`, `metrics`, `traces`) over HTTP; status and body.
    pub(crate) async fn send(
        &self,
        signal: &str,
        request: &impl Message,
        key: Option<&str>,
    ) -> (StatusCode, String) {
        let url = format!("{}/v1/{signal}", self.http);
        let body = Bytes::from(request.encode_to_vec());
        let head = head(Method::POST, &url, key).header("content-type", "application/x-protobuf");
        ask(head, body).await
    }

    /// Asks the API; status and body.
    pub(crate) async fn api(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> (StatusCode, String) {
        let head = head(method, &format!("{}{path}", self.api), key);
        let head = head.header("content-type", "text/plain");
        ask(head, Bytes::from(body.to_string())).await
    }

    /// The answer to a statement in the format of the media type `accept`; status and body, what is not text in it replaced.
    pub(crate) async fn sql_as(
        &self,
        accept: &str,
        statement: &str,
        key: Option<&str>,
    ) -> (StatusCode, String) {
        let head = head(Method::POST, &format!("{}/api/v1/sql", self.api), key);
        let head = head
            .header("content-type", "text/plain")
            .header("accept", accept);
        ask(head, Bytes::from(statement.to_string())).await
    }

    /// What the header `cairn-completeness` of an answer says.
    pub(crate) async fn completeness(&self, accept: &str, statement: &str) -> Json {
        let head = head(Method::POST, &format!("{}/api/v1/sql", self.api), None);
        let head = head.header("accept", accept);
        let body = Full::new(Bytes::from(statement.to_string()));
        let request = head.body(body).expect("a valid request");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.expect("the server answers");
        let said = response.headers().get("cairn-completeness");
        let said = said.expect("a short answer has it in a header");
        serde_json::from_slice(said.as_bytes()).expect("it is JSON")
    }

    /// What that header of the answer to a GET says.
    pub(crate) async fn completeness_of(&self, path: &str) -> Json {
        let head = head(Method::GET, &format!("{}{path}", self.api), None);
        let request = head.body(Full::new(Bytes::new())).expect("a valid request");
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let response = client.request(request).await.expect("the server answers");
        let said = response.headers().get("cairn-completeness");
        let said = said.expect("the answer has it in a header");
        serde_json::from_slice(said.as_bytes()).expect("it is JSON")
    }

    /// Asks the API with more headers; status and body.
    pub(crate) async fn api_with(
        &self,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> (StatusCode, String) {
        let mut head = head(method, &format!("{}{path}", self.api), None);
        for (name, value) in headers {
            head = head.header(*name, *value);
        }
        ask(head, Bytes::from(body.to_string())).await
    }

    /// The rows of a statement.
    pub(crate) async fn sql(&self, statement: &str, key: Option<&str>) -> Json {
        let (status, text) = self.api(Method::POST, "/api/v1/sql", key, statement).await;
        assert_eq!(status, StatusCode::OK, "{statement}: {text}");
        let answer: Json = serde_json::from_str(&text).expect("the answer is JSON");
        answer["rows"].clone()
    }
}

fn with_key<T>(message: T, key: Option<&str>) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    if let Some(key) = key {
        let value = format!("Bearer {key}").parse().expect("a key is ASCII");
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn head(method: Method, url: &str, key: Option<&str>) -> http::request::Builder {
    let head = Request::builder().method(method).uri(url);
    match key {
        Some(key) => head.header("authorization", format!("Bearer {key}")),
        None => head,
    }
}

async fn ask(head: http::request::Builder, body: Bytes) -> (StatusCode, String) {
    let request = head.body(Full::new(body)).expect("a valid request");
    let response = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request)
        .await;
    let response = response.expect("the server answers");
    let status = response.status();
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("the answer is whole")
        .to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

/// A request with one log record for each of `bodies`, of `service`.
pub(crate) fn logs(service: &str, bodies: &[&str]) -> ExportLogsServiceRequest {
    let text = |text: &str| AnyValue {
        value: Some(Value::StringValue(text.to_string())),
    };
    let record = |(at, body): (usize, &&str)| LogRecord {
        time_unix_nano: 1_760_000_000_000_000_000 + at as u64,
        body: Some(text(body)),
        ..LogRecord::default()
    };
    let name = KeyValue {
        key: "service.name".to_string(),
        value: Some(text(service)),
        ..KeyValue::default()
    };
    let mut group = ResourceLogs::default();
    group.resource.get_or_insert_default().attributes.push(name);
    let log_records = bodies.iter().enumerate().map(record).collect();
    group.scope_logs.push(ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    });
    ExportLogsServiceRequest {
        resource_logs: vec![group],
    }
}
