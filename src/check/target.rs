//! The server that is asked, and its answers taken apart.

use super::Verdict;
use bytes::{BufMut, Bytes, BytesMut};
use cairn_proto::status::StatusMessage;
use cairn_storage::world::{Clock, real};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;
use std::sync::Arc;

/// The media type of OTLP/HTTP in protobuf.
pub(super) const PROTOBUF: &str = "application/x-protobuf";

type Http = Client<HttpConnector, Full<Bytes>>;

/// A server with its OTLP ports.
pub(crate) struct Target {
    http: String,
    grpc: Option<String>,
    headers: HeaderMap,
    http1: Http,
    http2: Http,
    clock: Arc<dyn Clock>,
}

/// An answer over HTTP.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer over gRPC.
pub(super) struct GrpcAnswer {
    pub(super) code: i32,
    pub(super) headers: HeaderMap,
    /// With those at the end.
    pub(super) trailers: HeaderMap,
    /// The message, without its frame.
    pub(super) message: Bytes,
}

impl Target {
    /// A server whose OTLP/HTTP is at `http` and whose OTLP/gRPC, if it is to be asked, at `grpc`: URLs without a path.
    /// `headers` go with every request.
    pub(crate) fn new(http: &str, grpc: Option<&str>, headers: HeaderMap) -> Target {
        let trimmed = |url: &str| url.trim_end_matches('/').to_string();
        let mut two = Client::builder(TokioExecutor::new());
        two.http2_only(true);
        Target {
            http: trimmed(http),
            grpc: grpc.map(trimmed),
            headers,
            http1: Client::builder(TokioExecutor::new()).build_http(),
            http2: two.build_http(),
            clock: real::world().clock,
        }
    }

    pub(super) fn has_grpc(&self) -> bool {
        self.grpc.is_some()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Host and port of OTLP/HTTP.
    pub(super) fn authority(&self) -> &str {
        let (_, authority) = self.http.split_once("://").unwrap_or(("", &self.http));
        authority
    }

    /// Posts over HTTP/1.1; an empty `content_type` or `encoding` leaves the header out.
    pub(super) async fn post(
        &self,
        path: &str,
        content_type: &str,
        encoding: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        self.send(Method::POST, path, [content_type, encoding], body.into())
            .await
    }

    /// Posts a protobuf message over HTTP/1.1.
    pub(super) async fn protobuf(
        &self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        self.post(path, PROTOBUF, "", body).await
    }

    /// Sends any method over HTTP/1.1 with content type and encoding, where they are not empty.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        [content_type, encoding]: [&str; 2],
        body: Bytes,
    ) -> Result<Answer, String> {
        let mut request = self.request(method, &format!("{}{path}", self.http), body)?;
        for (name, value) in [(CONTENT_TYPE, content_type), (CONTENT_ENCODING, encoding)] {
            if !value.is_empty() {
                request.headers_mut().insert(name, header(value)?);
            }
        }
        exchange(&self.http1, request).await
    }

    /// Posts a protobuf message over HTTP/2 without asking for it (prior knowledge).
    pub(super) async fn post_http2(&self, path: &str, body: Bytes) -> Result<Answer, String> {
        let mut request = self.request(Method::POST, &format!("{}{path}", self.http), body)?;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        exchange(&self.http2, request).await
    }

    /// One unary gRPC call; `encoding` names how `message` is compressed, empty for not at all.
    pub(super) async fn grpc(
        &self,
        method: &str,
        encoding: &str,
        message: &[u8],
    ) -> Result<GrpcAnswer, String> {
        let url = self.grpc.as_deref().unwrap_or_default();
        let mut frame = BytesMut::with_capacity(5 + message.len());
        frame.put_u8(u8::from(!encoding.is_empty()));
        frame.put_u32(message.len() as u32);
        frame.put_slice(message);
        let mut request = self.request(Method::POST, &format!("{url}/{method}"), frame.freeze())?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        if !encoding.is_empty() {
            headers.insert("grpc-encoding", header(encoding)?);
        }
        let response = self.http2.request(request).await.map_err(said)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(said)?;
        let mut trailers = parts.headers.clone();
        trailers.extend(body.trailers().cloned().unwrap_or_default());
        let code = trailers.get("grpc-status").and_then(|v| v.to_str().ok());
        let code = code
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| format!("no grpc-status: HTTP {} {:?}", parts.status, parts.headers))?;
        let bytes = body.to_bytes();
        Ok(GrpcAnswer {
            code,
            headers: parts.headers,
            trailers,
            message: bytes.slice(bytes.len().min(5)..),
        })
    }

    fn request(
        &self,
        method: Method,
        url: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, String> {
        let request = Request::builder().method(method).uri(url);
        let mut request = request.body(Full::new(body)).map_err(said)?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

impl Answer {
    /// Fails unless the status is `wanted`.
    pub(super) fn is(&self, wanted: u16) -> Verdict {
        let body = String::from_utf8_lossy(&self.body);
        let shown: String = body.chars().take(200).collect();
        super::ensure(self.status == wanted, || {
            format!("answered {} instead of {wanted}: {shown}", self.status)
        })
    }

    /// The media type, without parameters.
    pub(super) fn content_type(&self) -> &str {
        let value = self.headers.get(CONTENT_TYPE);
        let value = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// Reads the body as the protobuf message `M`.
    pub(super) fn message<M: Message + Default>(&self) -> Result<M, String> {
        M::decode(&self.body[..]).map_err(|error| format!("the answer is no message: {error}"))
    }

    /// Fails unless the body is a `google.rpc.Status` that says something, in the request's encoding or another.
    pub(super) fn says_status(&self) -> Verdict {
        let json = serde_json::from_slice::<serde_json::Value>(&self.body).ok();
        let said = match json {
            Some(json) => json["message"].as_str().unwrap_or_default().to_string(),
            None => self.message::<StatusMessage>()?.message,
        };
        super::ensure(!said.is_empty(), || "the Status has no message".to_string())
    }
}

impl GrpcAnswer {
    /// Fails unless the code is `wanted`.
    pub(super) fn is(&self, wanted: i32) -> Verdict {
        let message = self.trailers.get("grpc-message");
        super::ensure(self.code == wanted, || {
            format!(
                "answered code {} instead of {wanted}: {message:?}",
                self.code
            )
        })
    }
}

async fn exchange(client: &Http, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let response = client.request(request).await.map_err(said)?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(said)?.to_bytes();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    })
}

fn header(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(said)
}

/// The headers `name=value` of the command line.
pub(crate) fn headers(lines: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| format!("--header {line} is not name=value"))?;
        let name: HeaderName = name.trim().parse().map_err(said)?;
        headers.insert(name, header(value.trim())?);
    }
    Ok(headers)
}

/// An error with its causes: clients hide what matters below.
pub(super) fn said(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
