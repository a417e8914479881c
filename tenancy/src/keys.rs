//! The headers of a request -> its principal, checked against every key in constant time.

use crate::{
    config::Config,
    error::{Error, Result},
    principal::Principal,
    secret::KeyHash,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConditionallySelectable;

/// Longest credentials that are looked at, in bytes. Ours have 70; this leaves room for keys made elsewhere.
const MAX_CREDENTIALS_BYTES: usize = 4096;

/// The keys of a server.
#[derive(Debug)]
pub struct Keys {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    hash: KeyHash,
    principal: Principal,
}

impl Keys {
    /// The keys of `config`; fails where `config` cannot work.
    pub fn new(config: &Config) -> Result<Keys> {
        config.validate()?;
        let entry = |key: &crate::config::Key| Entry {
            hash: key.sha256.clone(),
            principal: Principal::new(key.tenant.clone(), &key.name, &key.scopes),
        };
        Ok(Keys {
            entries: config.keys.iter().map(entry).collect(),
        })
    }

    /// Whether no keys are configured, so that everybody is the default tenant.
    pub fn is_open(&self) -> bool {
        self.entries.is_empty()
    }

    /// Who sent a request with these headers: `authorization` (`Bearer <key>`, `Token <key>`, or `Basic` with the key as
    /// password and any user, or Elasticsearch's `ApiKey`, which is written the same) and `x-api-key`, the former first.
    ///
    /// Fails with `Unauthenticated`. Without keys everybody is [`Principal::anonymous`].
    pub fn authenticate(
        &self,
        authorization: Option<&str>,
        api_key: Option<&str>,
    ) -> Result<Principal> {
        if self.is_open() {
            return Ok(Principal::anonymous());
        }
        match (authorization, api_key) {
            (Some(header), _) => self.by_authorization(header),
            (None, Some(key)) => self.by_key(key.trim()),
            (None, None) => Err(Error::Missing),
        }
    }

    fn by_authorization(&self, header: &str) -> Result<Principal> {
        if header.len() > MAX_CREDENTIALS_BYTES {
            return Err(Error::Unreadable {
                detail: "they are longer than 4096 bytes",
            });
        }
        let (scheme, rest) = header.trim().split_once(' ').ok_or(Error::Unreadable {
            detail: "the authorization header must be Bearer <key>, or Basic or ApiKey <user:key in base64>",
        })?;
        let rest = rest.trim();
        // `Token` is what clients of InfluxDB send.
        if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
            return self.by_key(rest);
        }
        if scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("apikey") {
            let unreadable = Error::Unreadable {
                detail: "Basic and ApiKey must be followed by user:key in base64",
            };
            let bytes = STANDARD.decode(rest).map_err(|_| unreadable.clone())?;
            let text = String::from_utf8(bytes).map_err(|_| unreadable.clone())?;
            let (_user, key) = text.split_once(':').ok_or(unreadable)?;
            return self.by_key(key);
        }
        Err(Error::Unreadable {
            detail: "the scheme must be Bearer, Basic or ApiKey",
        })
    }

    /// Looks at every key whatever it finds, so that the duration tells nothing about any of them.
    fn by_key(&self, key: &str) -> Result<Principal> {
        if key.is_empty() {
            return Err(Error::Missing);
        }
        if key.len() > MAX_CREDENTIALS_BYTES {
            return Err(Error::Unreadable {
                detail: "they are longer than 4096 bytes",
            });
        }
        let presented = KeyHash::of(key);
        let nobody = self.entries.len() as u64;
        let mut found = nobody;
        for (index, entry) in self.entries.iter().enumerate() {
            found.conditional_assign(&(index as u64), entry.hash.matches(&presented));
        }
        let entry = self.entries.get(found as usize).ok_or(Error::UnknownKey)?;
        Ok(entry.principal.clone())
    }
}

#[cfg(test)]
mod tests;
