//! Requests byte by byte, and answers with everything that is in them.

use axum::body::Body;
use bytes::Bytes;
use cairn_proto::status::{Code, Status, StatusExt, StatusMessage};
use cairn_storage::signal::Signal;
use flate2::write::GzEncoder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;
use std::{io::Write, net::SocketAddr, time::Duration};

/// How a request is compressed: the name in the header, and how.
pub(crate) type Packing = (&'static str, fn(&[u8]) -> Vec<u8>);

pub(crate) const PACKINGS: [Packing; 3] =
    [("identity", <[u8]>::to_vec), ("gzip", gzip), ("zstd", zstd)];

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    trailers: HeaderMap,
}

/// A client of one version of HTTP.
pub(crate) struct HttpClient {
    inner: Client<HttpConnector, Body>,
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("writing to memory")
}

/// A message in its gRPC frame.
pub(crate) fn frame(compressed: bool, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a small message");
    [&[u8::from(compressed)][..], &length.to_be_bytes(), message].concat()
}

pub(crate) fn http_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/v1/logs",
        Signal::Metrics => "/v1/metrics",
        Signal::Spans => "/v1/traces",
        Signal::DeadLetters => panic!("nobody sends these"),
    }
}

pub(crate) fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Spans => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::DeadLetters => panic!("nobody sends these"),
    }
}

/// A POST of `body` with `headers`.
pub(crate) fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a valid request")
}

impl HttpClient {
    /// HTTP/1.1.
    pub(crate) fn one() -> HttpClient {
        HttpClient {
            inner: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// HTTP/2 with prior knowledge.
    pub(crate) fn two() -> HttpClient {
        let mut builder = Client::builder(TokioExecutor::new());
        HttpClient {
            inner: builder.http2_only(true).build_http(),
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let answer = async {
            let response = self.inner.request(request).await.expect("an answer");
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a whole answer");
            let trailers = body.trailers().cloned().unwrap_or_default();
            let (status, headers) = (head.status, head.headers);
            Reply {
                status,
                headers,
                body: body.to_bytes(),
                trailers,
            }
        };
        // A server that hangs fails the test and not the whole run.
        tokio::time::timeout(Duration::from_secs(30), answer)
            .await
            .expect("an answer in time")
    }

    /// OTLP/HTTP with protobuf.
    pub(crate) async fn export(
        &self,
        address: SocketAddr,
        signal: Signal,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let headers = [&[("content-type", "application/x-protobuf")], headers].concat();
        self.send(post(address, http_path(signal), &headers, body))
            .await
    }

    /// OTLP/HTTP with JSON.
    pub(crate) async fn export_json(
        &self,
        address: SocketAddr,
        signal: Signal,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(post(address, http_path(signal), &headers, body))
            .await
    }

    /// OTLP/gRPC with a body that is a frame, or not.
    pub(crate) async fn call(
        &self,
        address: SocketAddr,
        signal: Signal,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let headers = [
            &[("content-type", "application/grpc"), ("te", "trailers")],
            headers,
        ]
        .concat();
        self.send(post(address, grpc_path(signal), &headers, body))
            .await
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The status in the body of an OTLP/HTTP error, with its details.
    pub(crate) fn http_error(&self) -> Status {
        let message = match self.header("content-type") {
            "application/x-protobuf" => {
                StatusMessage::decode(&self.body[..]).expect("a google.rpc.Status")
            }
            "application/json" => {
                let json: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
                let code = json["code"].as_i64().expect("a code") as i32;
                let message = json["message"].as_str().expect("a message").to_string();
                StatusMessage {
                    code,
                    message,
                    details: Vec::new(),
                }
            }
            other => panic!("an error as {other:?}: {self:?}"),
        };
        assert!(!message.message.is_empty(), "an error says what is wrong");
        let code = Code::from_i32(message.code);
        let details = message.encode_to_vec().into();
        Status::with_details(code, message.message, details)
    }

    /// The status of a gRPC call, from trailers or from a head that is trailers too.
    pub(crate) fn grpc_status(&self) -> Status {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.header("content-type"), "application/grpc");
        let in_trailers = Status::from_header_map(&self.trailers);
        let in_head = Status::from_header_map(&self.headers);
        assert!(
            in_trailers.is_some() != in_head.is_some(),
            "one status: {self:?}"
        );
        in_trailers.or(in_head).expect("one of them is there")
    }

    /// The message of a gRPC answer, without its frame.
    pub(crate) fn grpc_message(&self) -> &[u8] {
        let (head, message) = self.body.split_at(5);
        assert_eq!(head[0], 0, "not compressed");
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        assert_eq!(length as usize, message.len());
        message
    }
}

/// The seconds that a status asks to wait for, if it does.
pub(crate) fn retry_delay(status: &Status) -> Option<u64> {
    status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay)
        .map(|d| d.as_secs())
}
