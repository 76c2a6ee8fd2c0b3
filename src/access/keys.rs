//! Public keys and the groups that behaviors trust.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
};
use rustls_pki_types::pem::{PemObject, SectionKind};

/// How a signed text is hashed (`Hash-Algorithm`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// What signers mean who say nothing.
    Sha1,
    Sha256,
}

impl Hash {
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("SHA1") => Some(Self::Sha1),
            Some("SHA256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }
}

/// A key that signatures are checked with.
pub(super) struct PublicKey {
    fingerprint: [u8; 32],
    sha1: ParsedPublicKey,
    sha256: ParsedPublicKey,
}

impl PublicKey {
    /// Reads PEM, `BEGIN PUBLIC KEY`: RSA of 2048 bits or ECDSA on P-256 (cloudfront.md 1.6).
    fn parse(pem: &[u8]) -> Result<Self, KeyFault> {
        let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(pem).map_err(|_| KeyFault::NotPem)?;
        match kind {
            SectionKind::PublicKey => {}
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                return Err(KeyFault::Private);
            }
            _ => return Err(KeyFault::NotPublicKey),
        }
        if let Ok(key) = rsa::PublicKey::from_der(&der) {
            let bits = key.modulus_len().saturating_mul(8);
            if bits != 2048 {
                return Err(KeyFault::RsaSize(bits));
            }
            let legacy = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, &der);
            return Self::of(&der, legacy, ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der));
        }
        let legacy = ParsedPublicKey::new(&ECDSA_P256_SHA1_ASN1, &der);
        Self::of(&der, legacy, ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der))
    }

    fn of<E>(
        der: &[u8],
        sha1: Result<ParsedPublicKey, E>,
        sha256: Result<ParsedPublicKey, E>,
    ) -> Result<Self, KeyFault> {
        let fingerprint = digest::digest(&digest::SHA256, der);
        let fingerprint = fingerprint.as_ref().try_into().expect("SHA-256 has 32 octets");
        match (sha1, sha256) {
            (Ok(sha1), Ok(sha256)) => Ok(Self { fingerprint, sha1, sha256 }),
            _ => Err(KeyFault::Algorithm),
        }
    }

    /// SHA-256 of the key, whatever its id.
    pub(super) const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    pub(super) fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let key = match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:02x?}…)", &self.fingerprint[..4])
    }
}

/// Why a file is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// There is no PEM in it.
    #[error("is not PEM; it should begin with -----BEGIN PUBLIC KEY-----")]
    NotPem,
    /// PEM of something else.
    #[error("holds something else than a key; it should begin with -----BEGIN PUBLIC KEY-----")]
    NotPublicKey,
    /// The key that signs. A server that only checks need not have it.
    #[error(
        "holds a private key; keep that secret and name the public one, which `levada keygen` writes beside it"
    )]
    Private,
    /// An RSA key of another size.
    #[error("is an RSA key of {0} bits; CloudFront takes 2048")]
    RsaSize(usize),
    /// Another algorithm, another curve, or broken.
    #[error("is neither an RSA key of 2048 bits nor an ECDSA key on P-256")]
    Algorithm,
}

/// A key file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the public key {id}: {} {fault}", file.display())]
pub struct KeyProblem {
    /// The key's id.
    pub id: String,
    /// Its file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: KeyFault,
}

/// Keys by group and id. Immutable: a reload makes another.
#[derive(Debug, Default)]
pub struct Keys {
    groups: HashMap<String, HashMap<String, Arc<PublicKey>>>,
}

impl Keys {
    /// Compiles keys and groups; `read` gives the bytes of a key file.
    ///
    /// # Errors
    /// All key files that cannot be used.
    pub fn load(
        config: &config::access::Access,
        mut read: impl FnMut(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, Vec<KeyProblem>> {
        let (mut keys, mut problems) = (HashMap::new(), Vec::new());
        for key in &config.public_keys {
            let parsed = read(&key.file)
                .map_err(|it| KeyFault::Unreadable(it.kind()))
                .and_then(|pem| PublicKey::parse(&pem));
            match parsed {
                Ok(it) => drop(keys.insert(key.id.as_str(), Arc::new(it))),
                Err(fault) => problems.push(KeyProblem { id: key.id.clone(), file: key.file.clone(), fault }),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let group = |it: &config::access::KeyGroup| {
            let known =
                it.keys.iter().filter_map(|id| Some((id.clone(), Arc::clone(keys.get(id.as_str())?))));
            (it.name.clone(), known.collect())
        };
        Ok(Self { groups: config.key_groups.iter().map(group).collect() })
    }

    /// The key `id`, if one of `groups` has it. A group that is not here (its behavior is of another configuration)
    /// trusts nobody.
    pub(super) fn find(&self, groups: &[String], id: &str) -> Option<&Arc<PublicKey>> {
        groups.iter().find_map(|it| self.groups.get(it)?.get(id))
    }

    /// Whether any group has a key.
    pub(super) fn has(&self, fingerprint: &[u8; 32]) -> bool {
        self.groups.values().flat_map(HashMap::values).any(|it| it.fingerprint() == fingerprint)
    }
}
