//! Asks a target for its metrics: one GET with what the job says of it, the answer bounded while it comes.
//!
//! Secrets are in the headers that are sent and nowhere else; what a redirect leads to elsewhere does not get them.

mod redirect;
mod tls;

pub(super) use tls::Configs;

use super::{
    fault::Fault,
    job::{Credentials, Format, Job, Secret},
    page::Page,
};
use crate::receiver::{
    compression::Compression,
    payload::{Gathering, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cairn_storage::{budget::Budget, world::World};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT},
};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{path::Path, time::Duration};

/// A connection is kept for the next scrape, as long as Prometheus keeps it.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// As many redirects as Go's client follows.
const MAX_REDIRECTS: usize = 10;

/// Bytes of a file with a secret.
const MAX_SECRET_BYTES: usize = 64 << 10;

const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// Connections to the targets of a job.
#[derive(Clone)]
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// What a scrape asks, and what its answer may take.
pub(super) struct Ask<'a> {
    pub(super) job: &'a Job,
    pub(super) url: &'a str,
    pub(super) timeout: Duration,
    pub(super) limit_bytes: u64,
}

impl Client {
    /// A client of `job`; a text says what is wrong with its settings of TLS. Blocks: their files are read.
    pub(super) fn new(job: &Job, configs: &mut Configs, world: &World) -> Result<Client, String> {
        let read = |secret: &Secret| read_secret(secret, world);
        let tls = configs.get(&job.http.tls, read)?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        // A scrape that is given up leaves no attempt behind.
        connector.set_connect_timeout(Some(job.timeout));
        let mut builder = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http();
        if let Some(name) = &job.http.tls.server_name {
            let name = rustls::pki_types::ServerName::try_from(name.clone())
                .map_err(|_| format!("server_name {name:?} is no name of a server"))?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        let connector = builder.enable_http1().wrap_connector(connector);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            // A target is asked by one scrape at a time.
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Client { pool })
    }

    /// The answer of a target, whole, with the memory that it takes.
    pub(super) async fn fetch(
        &self,
        ask: &Ask<'_>,
        world: &World,
        budget: &Budget,
    ) -> Result<(Page, Payload), Fault> {
        let headers = headers(ask, world).await?;
        let mut address = address(ask.url)?;
        let first = address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut headers = headers.clone();
            if !redirect::is_same_place(&first, &address) {
                headers.remove(AUTHORIZATION);
                for (name, _) in &ask.job.http.headers {
                    headers.remove(name.as_str());
                }
            }
            let response = self.get(&address, headers).await?;
            let next = match ask.job.http.follow_redirects {
                true => redirect::target(&address, &response)?,
                false => None,
            };
            match next {
                Some(next) => address = next,
                None => return receive(ask, response, budget).await,
            }
        }
        Err(Fault::Redirect {
            detail: format!("more than {MAX_REDIRECTS} times"),
        })
    }

    async fn get(&self, address: &Uri, headers: HeaderMap) -> Result<Response<Incoming>, Fault> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = address.clone();
        *request.headers_mut() = headers;
        let sent = self.pool.request(request).await;
        sent.map_err(|error| Fault::Connect {
            detail: chain(&error),
        })
    }
}

fn address(url: &str) -> Result<Uri, Fault> {
    url.parse()
        .map_err(|error: http::uri::InvalidUri| Fault::Address {
            address: url.to_string(),
            detail: error.to_string(),
        })
}

async fn headers(ask: &Ask<'_>, world: &World) -> Result<HeaderMap, Fault> {
    let formats = &ask.job.formats;
    let mut headers = HeaderMap::new();
    let agent = concat!("Cairn/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    let encoding = if formats.compression {
        "gzip"
    } else {
        "identity"
    };
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    let accept = HeaderValue::try_from(accept(&formats.protocols));
    headers.insert(ACCEPT, accept.expect("media types are ASCII"));
    let seconds = ask.timeout.as_secs_f64().to_string();
    let seconds = HeaderValue::try_from(seconds).expect("digits are ASCII");
    headers.insert(TIMEOUT_HEADER, seconds);
    for (name, secrets) in &ask.job.http.headers {
        let name = HeaderName::try_from(name).expect("it was checked as it was read");
        for secret in secrets {
            let value = secret_of(secret, world).await?;
            headers.append(name.clone(), header_value(value, name.as_str())?);
        }
    }
    if let Some(value) = authorization(&ask.job.http.credentials, world).await? {
        let value = header_value(value, "authorization")?;
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// What is asked for, in the order of preference, and anything else last.
fn accept(protocols: &[Format]) -> String {
    let weights = (1..=9).rev();
    let named = protocols
        .iter()
        .zip(weights.clone())
        .map(|(format, weight)| format!("{};q=0.{weight}", format.media_type()));
    let rest = 9usize.saturating_sub(protocols.len()).max(1);
    let all: Vec<String> = named.chain([format!("*/*;q=0.{rest}")]).collect();
    all.join(",")
}

async fn authorization(credentials: &Credentials, world: &World) -> Result<Option<String>, Fault> {
    match credentials {
        Credentials::None => Ok(None),
        Credentials::Basic { username, password } => {
            let username = secret_of(username, world).await?;
            let password = secret_of(password, world).await?;
            let pair = STANDARD.encode(format!("{username}:{password}"));
            Ok(Some(format!("Basic {pair}")))
        }
        Credentials::Authorization {
            scheme,
            credentials,
        } => {
            let credentials = secret_of(credentials, world).await?;
            Ok(Some(format!("{scheme} {credentials}")))
        }
    }
}

fn header_value(value: String, name: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::try_from(value).map_err(|_| Fault::Secret {
        path: format!("the value of the header {name}"),
        detail: "it has characters that no header may have".to_string(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn secret_of(secret: &Secret, world: &World) -> Result<String, Fault> {
    let path = match secret {
        Secret::Text(text) => return Ok(text.clone()),
        Secret::File(path) => path.display().to_string(),
    };
    let (secret, of) = (secret.clone(), world.clone());
    let read = world.blocking(move || read_secret(&secret, &of)).await;
    let read = read.map_err(|error| error.to_string()).flatten();
    let failed = |detail| Fault::Secret { path, detail };
    let text =
        read.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is no text".to_string()));
    Ok(text.map_err(failed)?.trim().to_string())
}

/// The bytes of a secret. Blocks.
fn read_secret(secret: &Secret, world: &World) -> Result<Vec<u8>, String> {
    match secret {
        Secret::Text(text) => Ok(text.clone().into_bytes()),
        Secret::File(path) => read_file(path, world).map_err(|error| error.to_string()),
    }
}

fn read_file(path: &Path, world: &World) -> std::io::Result<Vec<u8>> {
    let file = world.disk.open_read(path)?;
    Ok(file.read_at(0, MAX_SECRET_BYTES)?.to_vec())
}

async fn receive(
    ask: &Ask<'_>,
    response: Response<Incoming>,
    budget: &Budget,
) -> Result<(Page, Payload), Fault> {
    let (head, mut body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(Fault::Status {
            status: head.status,
        });
    }
    let format = format_of(&head.headers, ask.job.formats.fallback)?;
    let name = head.headers.get(CONTENT_ENCODING);
    let name = name.and_then(|name| name.to_str().ok());
    let compression = Compression::parse(name).map_err(Fault::Body)?;
    let mut gathering =
        Gathering::new(compression, ask.limit_bytes, budget).map_err(Fault::Body)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::Broken {
            detail: chain(&error),
        })?;
        if let Ok(chunk) = frame.into_data() {
            gathering.push(chunk).await.map_err(Fault::Body)?;
        }
    }
    let payload = gathering.finish().map_err(Fault::Body)?;
    let page = Page {
        format,
        bytes: payload.bytes.clone(),
    };
    Ok((page, payload))
}

/// The format that the answer says it has, or `fallback`.
fn format_of(headers: &HeaderMap, fallback: Option<Format>) -> Result<Format, Fault> {
    let media = headers.get(CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok()).unwrap_or("");
    let mut parts = media.split(';').map(str::trim);
    let essence = parts.next().unwrap_or("").to_ascii_lowercase();
    let has = |wanted: &str| media.to_ascii_lowercase().contains(wanted);
    match essence.as_str() {
        "application/openmetrics-text" => Ok(Format::OpenMetrics1),
        "text/plain" => Ok(Format::Text0),
        "application/vnd.google.protobuf"
            if has("proto=io.prometheus.client.metricfamily") && has("encoding=delimited") =>
        {
            Ok(Format::Protobuf)
        }
        "" => fallback.ok_or(Fault::NoContentType),
        _ => fallback.ok_or_else(|| Fault::ContentType {
            found: media[..media.floor_char_boundary(96)].to_string(),
        }),
    }
}

/// The text of an error with all of its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_preference_is_told() {
        let accept = accept(&[Format::OpenMetrics1, Format::Text0]);
        assert_eq!(
            accept,
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.9,text/plain;version=0.0.4;q=0.8,*/*;q=0.7"
        );
    }

    #[test]
    fn formats_by_content_type() {
        let check = |media: &str, fallback, expected: Option<Format>| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(media).expect("ASCII"));
            assert_eq!(format_of(&headers, fallback).ok(), expected, "{media}");
        };
        check("text/plain; version=0.0.4", None, Some(Format::Text0));
        check(
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            None,
            Some(Format::OpenMetrics1),
        );
        let protobuf = Format::Protobuf.media_type();
        check(protobuf, None, Some(Format::Protobuf));
        check("application/vnd.google.protobuf", None, None);
        check("text/html", None, None);
        check("text/html", Some(Format::Text0), Some(Format::Text0));
        check("", None, None);
        check("", Some(Format::OpenMetrics1), Some(Format::OpenMetrics1));
    }
}
