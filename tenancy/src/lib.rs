//! Who may do what: API keys, the tenant each belongs to, and its scopes.
//!
//! The flow:
//! - `config`: the keys as the operator wrote them, with their hashes only.
//! - `keys`: the headers of a request -> [`principal::Principal`], or why not.
//! - `scope`: what a key may allow.
//! - `principal`: a tenant and the scopes granted on it.
//! - `secret`: making a new key, and the hash that is kept of it.
//!
//! Invariants: a key itself is never stored, logged, printed by `Debug` or named in an error; every check
//! looks at every key, so that its duration tells nothing; without keys there is one tenant and everybody
//! is allowed everything (the binary then listens on loopback only).
//!
//! Deliberately not here: request formats, sockets, queries.

pub mod config;
pub mod error;
pub mod keys;
pub mod principal;
pub mod scope;
pub mod secret;
