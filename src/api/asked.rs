//! A question of Loki's or Prometheus' clients as its handlers take it: who asks, with which parameters and headers.

use super::state::Api;
use axum::{
    Extension, RequestExt,
    body::Bytes,
    extract::{FromRequest, RawQuery, Request},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use cairn_tenancy::principal::Principal;
use std::sync::Arc;

/// Names and values as they came: those of the query string, then those of the form in the body.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads both; the error says what is no URL-encoded text.
    pub(super) fn new(query: Option<&str>, form: &[u8]) -> Result<Pairs, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for text in [query.unwrap_or_default().as_bytes(), form] {
            let read: Vec<(String, String)> = serde_urlencoded::from_bytes(text)
                .map_err(|error| format!("reading the parameters: {error}"))?;
            pairs.extend(read);
        }
        Ok(Pairs(pairs))
    }

    /// The first value of `name`; an empty one is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self
            .iter()
            .filter(|(key, value)| *key == name && !value.is_empty());
        values.next().map(|(_, value)| value)
    }

    /// All values of `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(key, _)| key == name);
        values.map(|(_, value)| value.as_str())
    }

    /// All names and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// The parameters of one of the two APIs.
pub(super) trait Read: Sized + Send {
    /// How that API says that they are wrong.
    type Failure: IntoResponse + Send;

    /// Reads those of the query string and of the form in the body.
    fn read(query: Option<&str>, form: &[u8]) -> Result<Self, Self::Failure>;
}

/// A question of a client.
pub(super) struct Asked<P> {
    pub(super) api: Arc<Api>,
    pub(super) principal: Principal,
    pub(super) parameters: P,
    pub(super) headers: HeaderMap,
}

impl<P: Read> FromRequest<Arc<Api>> for Asked<P> {
    type Rejection = Response;

    async fn from_request(mut request: Request, api: &Arc<Api>) -> Result<Asked<P>, Response> {
        let Extension(principal) = request
            .extract_parts::<Extension<Principal>>()
            .await
            .map_err(IntoResponse::into_response)?;
        let RawQuery(query) = request
            .extract_parts::<RawQuery>()
            .await
            .map_err(|never| match never {})?;
        let headers = std::mem::take(request.headers_mut());
        // `access` has read and bounded it.
        let form = Bytes::from_request(request, api)
            .await
            .map_err(|_| StatusCode::BAD_REQUEST.into_response())?;
        Ok(Asked {
            api: Arc::clone(api),
            principal,
            parameters: P::read(query.as_deref(), &form).map_err(IntoResponse::into_response)?,
            headers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Pairs;

    #[test]
    fn the_form_is_read_after_the_query() {
        let both =
            Pairs::new(Some("match[]=a&x=1&y="), b"match[]=b%7B%7D&x=2&y=3").expect("encoded");
        assert_eq!(both.all("match[]").collect::<Vec<_>>(), ["a", "b{}"]);
        assert_eq!((both.get("x"), both.get("y")), (Some("1"), Some("3")));
    }
}
