//! Ids that cannot hold an invalid value: tenant, segment, owner, tombstone.

use crate::{
    error::{Error, Result},
    time::Nanos,
};
use std::{fmt, str::FromStr, sync::Arc};
use ulid::Ulid;

/// An opaque tenant id: 1 to 64 of `a-z`, `0-9`, `-` and `_`, so that it is safe in every path.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The one tenant of a server without credentials.
    pub fn default_tenant() -> TenantId {
        TenantId("default".into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = Error;

    fn from_str(text: &str) -> Result<TenantId> {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            let detail = "use 1 to 64 characters of a-z, 0-9, '-' and '_'".to_string();
            return Err(Error::Invalid {
                what: "tenant id",
                detail,
            });
        }
        Ok(TenantId(text.into()))
    }
}

impl TryFrom<String> for TenantId {
    type Error = Error;

    fn try_from(text: String) -> Result<TenantId> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> String {
        id.0.to_string()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a segment: a ULID, so that ids sort by the time they were made.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct SegmentId(pub Ulid);

impl SegmentId {
    /// When it was made, by the wall clock of then.
    pub fn time(self) -> Nanos {
        let millis = i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX);
        Nanos(millis.saturating_mul(1_000_000))
    }
}

impl FromStr for SegmentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<SegmentId> {
        Ulid::from_string(text)
            .map(SegmentId)
            .map_err(|e| Error::Invalid {
                what: "segment id",
                detail: e.to_string(),
            })
    }
}

impl TryFrom<String> for SegmentId {
    type Error = Error;

    fn try_from(text: String) -> Result<SegmentId> {
        text.parse()
    }
}

impl From<SegmentId> for String {
    fn from(id: SegmentId) -> String {
        id.to_string()
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().to_lowercase())
    }
}

/// The id of a data folder: whose a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnerId(pub Ulid);

impl TryFrom<String> for OwnerId {
    type Error = Error;

    fn try_from(text: String) -> Result<OwnerId> {
        let parsed = Ulid::from_string(&text);
        parsed.map(OwnerId).map_err(|e| Error::Invalid {
            what: "owner id",
            detail: e.to_string(),
        })
    }
}

impl From<OwnerId> for String {
    fn from(id: OwnerId) -> String {
        id.to_string()
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().to_lowercase())
    }
}

/// The id of a deletion: a ULID.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct TombstoneId(pub Ulid);

impl FromStr for TombstoneId {
    type Err = Error;

    fn from_str(text: &str) -> Result<TombstoneId> {
        let parsed = Ulid::from_string(text);
        parsed.map(TombstoneId).map_err(|e| Error::Invalid {
            what: "tombstone id",
            detail: e.to_string(),
        })
    }
}

impl TryFrom<String> for TombstoneId {
    type Error = Error;

    fn try_from(text: String) -> Result<TombstoneId> {
        text.parse()
    }
}

impl From<TombstoneId> for String {
    fn from(id: TombstoneId) -> String {
        id.to_string()
    }
}

impl fmt::Display for TombstoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().to_lowercase())
    }
}
