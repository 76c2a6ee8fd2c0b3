//! Public keys and key groups.

use std::path::PathBuf;

/// Who may sign.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Keys by id.
    pub public_keys: Vec<PublicKey>,
    /// Groups that behaviors trust.
    pub key_groups: Vec<KeyGroup>,
}

/// A public key file.
#[derive(Clone, Debug)]
pub struct PublicKey {
    /// What `Key-Pair-Id` says.
    pub id: String,
    /// PEM, `BEGIN PUBLIC KEY`. Read again at reload.
    pub file: PathBuf,
}

/// Keys that are trusted together, so that they can be rotated.
#[derive(Clone, Debug)]
pub struct KeyGroup {
    /// What a behavior names.
    pub name: String,
    /// Ids of public keys, all known.
    pub keys: Vec<String>,
}
