//! Asking a running server, as any client of its HTTP API would.

use crate::{cli::Server, config};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{self, HeaderName},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

/// Gets `path` and returns the answer; a refusal is an error with what the server said.
pub(super) async fn get(
    server: &Server,
    path: &str,
    headers: &[(HeaderName, &str)],
) -> Result<Response<Incoming>> {
    ask(server, (Method::GET, path), headers, String::new()).await
}

/// Posts `body` to `path` and returns the answer to it; a refusal is an error with what the server said.
pub(super) async fn post(
    server: &Server,
    path: &str,
    headers: &[(HeaderName, &str)],
    body: String,
) -> Result<Response<Incoming>> {
    ask(server, (Method::POST, path), headers, body).await
}

async fn ask(
    server: &Server,
    (method, path): (Method, &str),
    headers: &[(HeaderName, &str)],
    body: String,
) -> Result<Response<Incoming>> {
    let url = format!("{}{path}", server.url.trim_end_matches('/'));
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    if let Some(key) = server.key.clone().or_else(config::client_key) {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request
        .body(Full::new(Bytes::from(body)))
        .context("making the request")?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client
        .request(request)
        .await
        .with_context(|| format!("asking {}: is the server running?", server.url))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = whole(response).await?;
    bail!("{}", refusal(status.as_u16(), &body))
}

/// All bytes of an answer.
pub(super) async fn whole(response: Response<Incoming>) -> Result<Bytes> {
    let body = response.into_body().collect().await;
    Ok(body.context("reading the answer")?.to_bytes())
}

/// What a problem document says, with the place in the statement.
fn refusal(status: u16, body: &[u8]) -> String {
    let Ok(problem) = serde_json::from_slice::<Value>(body) else {
        return format!(
            "the server answered {status}: {}",
            String::from_utf8_lossy(body)
        );
    };
    let detail = problem["detail"].as_str().unwrap_or("no detail");
    match (
        problem["position"]["line"].as_u64(),
        problem["position"]["column"].as_u64(),
    ) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: {detail}"),
        _ => detail.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_place() {
        let body = br#"{"detail":"no column x","position":{"line":2,"column":8}}"#;
        assert_eq!(refusal(400, body), "line 2, column 8: no column x");
        assert_eq!(
            refusal(502, b"bad gateway"),
            "the server answered 502: bad gateway"
        );
    }
}
