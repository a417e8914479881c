//! A new key, and the hash that is all that is kept of one.
//!
//! Keys have 256 random bits, so a plain SHA-256 is enough at rest: nobody can try them all. A hash of
//! something a person made up is not safe in the same way, which is why `cairn key` makes keys.

use crate::error::{Error, Result};
use cairn_storage::world::World;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// What every key made here starts with, so that scanners for leaked secrets find it.
pub const KEY_PREFIX: &str = "cairn_";

/// The text of a key. `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Secret(String);

/// SHA-256 of the text of a key.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash([u8; 32]);

/// A key made by [`generate`]: the secret for the client, the hash for the settings.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub secret: Secret,
    pub hash: KeyHash,
}

/// Makes a key: [`KEY_PREFIX`] and 256 bits of the world's randomness in hex.
pub fn generate(world: &World) -> NewKey {
    let bits: Vec<u8> = (0..4)
        .flat_map(|_| world.random.next().to_be_bytes())
        .collect();
    let secret = Secret(format!("{KEY_PREFIX}{}", hex::encode(bits)));
    let hash = KeyHash::of(secret.reveal());
    NewKey { secret, hash }
}

impl Secret {
    /// The key itself, to be shown to its owner once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl KeyHash {
    /// The hash of the text of a key.
    pub fn of(key: &str) -> KeyHash {
        KeyHash(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether two hashes are equal, in a time that does not depend on where they differ.
    pub(crate) fn matches(&self, other: &KeyHash) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl TryFrom<String> for KeyHash {
    type Error = Error;

    fn try_from(text: String) -> Result<KeyHash> {
        let mut bytes = [0; 32];
        // The text is not repeated: somebody may have put the key itself here.
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| Error::Settings {
            detail:
                "sha256 must be the 64 hex digits of the SHA-256 of a key; `cairn key` makes both"
                    .to_string(),
        })?;
        Ok(KeyHash(bytes))
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> String {
        hex::encode(hash.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_sha256_in_hex() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(String::from(KeyHash::of("abc")), known);
        assert_eq!(
            KeyHash::try_from(known.to_uppercase()),
            Ok(KeyHash::of("abc"))
        );
        assert!(KeyHash::try_from(known[1..].to_string()).is_err());
    }
}
