//! The one error of this crate; its kind says what the caller can do.

use crate::scope::Scope;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The settings are wrong: change them.
    Invalid,
    /// Nobody knows who is asking: send a valid key.
    Unauthenticated,
    /// The key is known and does not allow this: ask for another scope.
    Denied,
}

/// Everything that can go wrong here. No variant carries a key or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("invalid tenancy settings: {detail}")]
    Settings { detail: String },
    #[error("no credentials: send the header authorization: Bearer <key>, or x-api-key: <key>")]
    Missing,
    #[error("unreadable credentials: {detail}")]
    Unreadable { detail: &'static str },
    #[error("unknown key")]
    UnknownKey,
    #[error("the key {key_name} has no scope {}", .scope.as_str())]
    Scope { key_name: String, scope: Scope },
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the caller can do about this error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Settings { .. } => Kind::Invalid,
            Error::Missing | Error::Unreadable { .. } | Error::UnknownKey => Kind::Unauthenticated,
            Error::Scope { .. } => Kind::Denied,
        }
    }

    /// The stable name of the reason, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Error::Settings { .. } => "settings",
            Error::Missing => "no_credentials",
            Error::Unreadable { .. } => "unreadable_credentials",
            Error::UnknownKey => "unknown_key",
            Error::Scope { .. } => "scope",
        }
    }
}
