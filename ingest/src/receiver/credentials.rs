//! The headers of a request -> its principal.

use cairn_tenancy::{
    error::{Error, Result},
    keys::Keys,
    principal::Principal,
};
use http::{HeaderMap, header};

/// Who sent a request with `headers`, as `keys` say. Fails with `Unauthenticated`.
pub fn authenticate(headers: &HeaderMap, keys: &Keys) -> Result<Principal> {
    let authorization = single(headers, header::AUTHORIZATION.as_str())?;
    let api_key = single(headers, "x-api-key")?;
    keys.authenticate(authorization, api_key)
}

/// A header that may stand once: of two, somebody in between might have read the other one.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Error::Unreadable {
            detail: "they stand in more than one header",
        });
    }
    let text = value.to_str();
    text.map(Some).map_err(|_| Error::Unreadable {
        detail: "they are not visible ASCII",
    })
}
