//! The settings of tenancy: which keys exist. Plain data with a check.

use crate::{
    error::{Error, Result},
    principal::Scope,
    secret::KeyHash,
};
use cairn_storage::id::TenantId;

/// The settings of tenancy.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The API keys. None: one tenant named `default`, no credentials, every scope.
    pub keys: Vec<Key>,
}

/// One API key.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose telemetry the key writes and reads: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    pub tenant: TenantId,
    /// What the key is called in logs and error texts; unique.
    pub name: String,
    /// SHA-256 of the key in hex. `cairn key` makes a key and prints this.
    pub sha256: KeyHash,
    /// What the key allows: `ingest`, `query`, `operate`.
    pub scopes: Vec<Scope>,
}

impl Config {
    /// Refuses settings that cannot work, naming the key and what to do.
    pub fn validate(&self) -> Result<()> {
        let refuse = |detail: String| Err(Error::Settings { detail });
        for (position, key) in self.keys.iter().enumerate() {
            let name = &key.name;
            if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
                return refuse(format!(
                    "key {} needs a name of 1 to 64 bytes without control characters",
                    position + 1
                ));
            }
            if key.scopes.is_empty() {
                return refuse(format!("key {name} allows nothing: give it scopes"));
            }
            if key.sha256 == KeyHash::of("") {
                return refuse(format!("key {name} has the hash of an empty key"));
            }
            let earlier = &self.keys[..position];
            if earlier.iter().any(|other| other.name == *name) {
                return refuse(format!("the name {name} stands twice: names are unique"));
            }
            if let Some(other) = earlier.iter().find(|other| other.sha256 == key.sha256) {
                return refuse(format!(
                    "the keys {} and {name} have the same hash",
                    other.name
                ));
            }
        }
        Ok(())
    }
}
