//! Where a redirect leads.

use crate::scrape::fault::Fault;
use http::{Response, Uri, header::LOCATION, uri::PathAndQuery};

/// Where `response`, which came from `address`, sends us; nowhere if it is no redirect.
pub(super) fn target<B>(address: &Uri, response: &Response<B>) -> Result<Option<Uri>, Fault> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    let nowhere = || Fault::Redirect {
        detail: "without a readable place".to_string(),
    };
    let next = location.and_then(|location| join(address, location));
    next.map(Some).ok_or_else(nowhere)
}

/// The address that `location` means, seen from `address` (RFC 3986, 5.2, less dots in paths).
fn join(address: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let mut parts = address.clone().into_parts();
    if location.starts_with("http://") || location.starts_with("https://") {
        return location.parse().ok();
    }
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{}://{rest}", address.scheme_str()?).parse().ok();
    }
    let path = match location.as_bytes().first() {
        Some(b'/') => location.to_string(),
        Some(b'?') => format!("{}{location}", address.path()),
        Some(_) => {
            let (folder, _) = address.path().rsplit_once('/').unwrap_or(("", ""));
            format!("{folder}/{location}")
        }
        None => return None,
    };
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// Whether both are served by the same place over the same scheme, so that it may see what the other was told.
pub(super) fn is_same_place(a: &Uri, b: &Uri) -> bool {
    a.scheme() == b.scheme() && a.authority() == b.authority()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let from: Uri = "http://a:1/x/y?q=1".parse().expect("an address");
        for (location, expected) in [
            ("/z", Some("http://a:1/z")),
            ("z?p=2", Some("http://a:1/x/z?p=2")),
            ("?p=2", Some("http://a:1/x/y?p=2")),
            ("https://b/m#here", Some("https://b/m")),
            ("//b:2/m", Some("http://b:2/m")),
            ("", None),
            ("http://", None),
        ] {
            let joined = join(&from, location).map(|next| next.to_string());
            assert_eq!(joined.as_deref(), expected, "{location}");
        }
        let other: Uri = "http://a:2/x".parse().expect("an address");
        assert!(!is_same_place(&from, &other));
    }
}
