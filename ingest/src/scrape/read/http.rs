//! How targets are asked: credentials, headers, redirects, TLS.

use crate::scrape::{
    job::{Credentials, Http, Secret, Tls, TlsVersion},
    yaml::{Fields, Node, Wrong},
};
use std::path::Path;

type Read<T> = Result<T, Wrong>;

/// Takes what a job says of it; files lie in `folder` unless they name another.
pub(super) fn read(fields: &mut Fields, folder: &Path) -> Read<Http> {
    let follow_redirects = fields.read("follow_redirects", Node::boolean)?;
    // HTTP/1.1 is spoken, which every target does.
    fields.read("enable_http2", Node::boolean)?;
    let tls = fields.read("tls_config", |node| tls(node, folder))?;
    let headers = fields.read("http_headers", |node| headers(node, folder))?;
    Ok(Http {
        credentials: credentials(fields, folder)?,
        headers: headers.unwrap_or_default(),
        follow_redirects: follow_redirects.unwrap_or(true),
        tls: tls.unwrap_or_default(),
    })
}

/// One of `basic_auth`, `authorization`, `bearer_token` and `bearer_token_file`.
fn credentials(fields: &mut Fields, folder: &Path) -> Read<Credentials> {
    let basic = fields.read("basic_auth", |node| basic(node, folder))?;
    let header = fields.read("authorization", |node| authorization(node, folder))?;
    let bearer = secret(fields, ["bearer_token", "bearer_token_file"], folder)?;
    let bearer = bearer.map(|credentials| Credentials::Authorization {
        scheme: "Bearer".to_string(),
        credentials,
    });
    let mut said = [basic, header, bearer].into_iter().flatten();
    let first = said.next().unwrap_or_default();
    match said.next() {
        None => Ok(first),
        Some(_) => Err(fields.wrong(
            "only one of basic_auth, authorization, bearer_token and bearer_token_file may be said",
        )),
    }
}

fn basic(node: Node, folder: &Path) -> Read<Credentials> {
    let mut fields = node.fields("basic_auth")?;
    let username = secret(&mut fields, ["username", "username_file"], folder)?;
    let password = secret(&mut fields, ["password", "password_file"], folder)?;
    fields.end(|_| None)?;
    Ok(Credentials::Basic {
        username: username.unwrap_or_default(),
        password: password.unwrap_or_default(),
    })
}

fn authorization(node: Node, folder: &Path) -> Read<Credentials> {
    let mut fields = node.fields("authorization")?;
    let scheme = fields.read("type", Node::text)?;
    let scheme = scheme.unwrap_or_else(|| "Bearer".to_string());
    let credentials = secret(&mut fields, ["credentials", "credentials_file"], folder)?;
    if scheme.trim().eq_ignore_ascii_case("basic") {
        return Err(fields.wrong("authorization cannot be of the type basic: use basic_auth"));
    }
    fields.end(|_| None)?;
    Ok(Credentials::Authorization {
        scheme: scheme.trim().to_string(),
        credentials: credentials.unwrap_or_default(),
    })
}

fn headers(node: Node, folder: &Path) -> Read<Vec<(String, Vec<Secret>)>> {
    let mut headers = Vec::new();
    for (name, place, node) in node.entries()? {
        if http::HeaderName::try_from(name.as_str()).is_err() {
            return Err(place.wrong(format!("{name:?} is no name of a header")));
        }
        let mut fields = node.fields("a header")?;
        let mut texts =
            |name: &str| Ok::<_, Wrong>(fields.read(name, Node::texts)?.unwrap_or_default());
        let written = [texts("values")?, texts("secrets")?].concat();
        let files = texts("files")?;
        fields.end(|_| None)?;
        let files = files.iter().map(|file| Secret::File(folder.join(file)));
        let values = written.into_iter().map(Secret::Text).chain(files);
        headers.push((name, values.collect()));
    }
    Ok(headers)
}

fn tls(node: Node, folder: &Path) -> Read<Tls> {
    let mut fields = node.fields("tls_config")?;
    let skip = fields.read("insecure_skip_verify", Node::boolean)?;
    let tls = Tls {
        ca: secret(&mut fields, ["ca", "ca_file"], folder)?,
        certificate: secret(&mut fields, ["cert", "cert_file"], folder)?,
        key: secret(&mut fields, ["key", "key_file"], folder)?,
        server_name: fields.read("server_name", Node::text)?,
        insecure_skip_verify: skip.unwrap_or(false),
        oldest: fields.read("min_version", version)?,
        newest: fields.read("max_version", version)?,
    };
    if tls.certificate.is_some() != tls.key.is_some() {
        return Err(
            fields.wrong("a certificate and its key belong together: cert_file and key_file")
        );
    }
    if tls.oldest > tls.newest.or(Some(TlsVersion::Tls13)) {
        return Err(fields.wrong("min_version is above max_version"));
    }
    fields.end(|_| None)?;
    Ok(tls)
}

fn version(node: Node) -> Read<TlsVersion> {
    let place = node.place;
    match node.text()?.as_str() {
        "TLS12" => Ok(TlsVersion::Tls12),
        "TLS13" => Ok(TlsVersion::Tls13),
        other => Err(place.wrong(format!("{other:?} is not spoken: TLS12 and TLS13 are"))),
    }
}

/// A secret that is written under the first name or lies in the file under the second.
fn secret(fields: &mut Fields, names: [&str; 2], folder: &Path) -> Read<Option<Secret>> {
    let [text, file] = names;
    let written = fields.read(text, Node::text)?;
    let in_file = fields.read(file, Node::text)?;
    match (written, in_file) {
        (Some(_), Some(_)) => {
            Err(fields.wrong(format!("only one of {text} and {file} may be said")))
        }
        (Some(text), None) => Ok(Some(Secret::Text(text))),
        (None, Some(path)) => Ok(Some(Secret::File(folder.join(path)))),
        (None, None) => Ok(None),
    }
}
