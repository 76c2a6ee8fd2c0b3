//! Signing: what the server's own links and the command line need, and the other half of the tests.
//!
//! Signatures are made with SHA-256 and say so in `Hash-Algorithm`. Signatures of other signers with SHA-1 are checked,
//! but Levada makes none.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::SystemTime;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::units::IpNetwork;
use rustls_pki_types::pem::{PemObject, SectionKind};

use super::encoding::encode;
use super::policy::{Policy, canned_text, unix_seconds};
use super::presented::signing_part;

/// A private key with the id viewers' `Key-Pair-Id` says.
pub struct Signer {
    key_pair_id: String,
    key: PrivateKey,
}

enum PrivateKey {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// What a custom policy allows.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Which URLs, with wildcards. None: every URL of behaviors that trust the key.
    pub resource: Option<String>,
    /// Until when, this second not included.
    pub expires: SystemTime,
    /// From when, this second not included. None: at once.
    pub not_before: Option<SystemTime>,
    /// For which IPv4 viewers, an address and a prefix length. None: for all.
    pub network: Option<(Ipv4Addr, u8)>,
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotSign {
    /// No PEM of a private key.
    #[error("is not a private key in PEM")]
    NotPem,
    /// Encrypted, or of another algorithm or size than CloudFront's.
    #[error("is neither an unencrypted RSA key of 2048 bits nor an ECDSA key on P-256")]
    Algorithm,
    /// A quote, backslash or control character, which a canned policy cannot say.
    #[error("the URL has a quote, a backslash or a control character; encode it")]
    Url,
    /// More bits than an IPv4 address has.
    #[error("an IPv4 network has a prefix length of 0 to 32")]
    Network,
    /// The library could not make a key or a signature.
    #[error("the cryptographic library failed")]
    Library,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, ***)", self.key_pair_id)
    }
}

impl From<Unspecified> for CannotSign {
    fn from(_: Unspecified) -> Self {
        Self::Library
    }
}

impl Signer {
    /// Reads a private key: PKCS#8, PKCS#1 (RSA) or SEC1 (ECDSA) in PEM.
    ///
    /// # Errors
    /// [`CannotSign`] when it is none that CloudFront takes.
    pub fn from_pem(key_pair_id: &str, pem: &[u8]) -> Result<Self, CannotSign> {
        let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
        // `openssl ecparam -genkey` writes the curve's parameters before the key.
        let (kind, der) = sections
            .find_map(|it| it.ok().filter(|(kind, _)| is_private(*kind)))
            .ok_or(CannotSign::NotPem)?;
        let ecdsa = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der);
        let rsa = match kind {
            SectionKind::RsaPrivateKey => RsaKeyPair::from_der(&der),
            _ => RsaKeyPair::from_pkcs8(&der),
        };
        let key = match rsa {
            Ok(it) if it.public_modulus_len() == 256 => PrivateKey::Rsa(it),
            Ok(_) => return Err(CannotSign::Algorithm),
            Err(_) => PrivateKey::Ecdsa(ecdsa().map_err(|_| CannotSign::Algorithm)?),
        };
        Ok(Self { key_pair_id: key_pair_id.to_owned(), key })
    }

    /// Signs for exactly `url` until `expires`.
    ///
    /// # Errors
    /// [`CannotSign`] when the URL cannot be said.
    pub fn sign_canned(&self, url: &str, expires: SystemTime) -> Result<Signed, CannotSign> {
        let expires = unix_seconds(expires).to_string();
        let text = canned_text(url, &expires).ok_or(CannotSign::Url)?;
        self.sign(text.as_bytes(), ("Expires", expires))
    }

    /// Signs a custom policy.
    ///
    /// # Errors
    /// [`CannotSign`] when the network is none.
    pub fn sign_custom(&self, terms: &Terms) -> Result<Signed, CannotSign> {
        let network = match terms.network {
            Some((address, prefix)) => {
                Some(IpNetwork::around(address.into(), prefix).ok_or(CannotSign::Network)?)
            }
            None => None,
        };
        let policy = Policy {
            resource: terms.resource.as_deref().map(Into::into),
            expires: unix_seconds(terms.expires),
            not_before: terms.not_before.map(unix_seconds),
            network,
        };
        let json = policy.to_json();
        self.sign(&json, ("Policy", encode(&json)))
    }

    fn sign(&self, text: &[u8], policy: (&'static str, String)) -> Result<Signed, CannotSign> {
        let random = SystemRandom::new();
        let signature = match &self.key {
            PrivateKey::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)?;
                signature
            }
            PrivateKey::Ecdsa(key) => key.sign(&random, text)?.as_ref().to_vec(),
        };
        Ok(Signed {
            parameters: [
                policy,
                ("Signature", encode(&signature)),
                ("Key-Pair-Id", self.key_pair_id.clone()),
                ("Hash-Algorithm", "SHA256".to_owned()),
            ],
        })
    }
}

const fn is_private(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey)
}

/// A signed policy, to be put into a URL or into cookies.
#[derive(Clone, Debug)]
pub struct Signed {
    parameters: [(&'static str, String); 4],
}

impl Signed {
    /// `Policy=…&Signature=…&Key-Pair-Id=…&Hash-Algorithm=SHA256`, or `Expires` for `Policy`.
    pub fn query(&self) -> String {
        self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// `url` with [`Signed::query`] behind its own parameters.
    pub fn append_to(&self, url: &str) -> String {
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}{}", self.query())
    }

    /// Names and values of the cookies that say the same.
    pub fn cookies(&self) -> impl Iterator<Item = (String, &str)> {
        self.parameters.iter().map(|(name, value)| (format!("CloudFront-{name}"), value.as_str()))
    }
}

/// Whether a query has a parameter that belongs to signatures.
pub fn is_signed(query: &str) -> bool {
    !signing_part(query).is_empty()
}

/// Which kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA of 2048 bits: every signing library has it.
    Rsa,
    /// ECDSA on P-256: signatures of 96 characters instead of 344.
    Ecdsa,
}

/// A new key pair in PEM.
#[derive(Clone)]
pub struct NewKeys {
    /// PKCS#8, for the signer alone.
    pub private: String,
    /// SPKI, for the server's configuration.
    pub public: String,
}

impl NewKeys {
    /// Makes one.
    ///
    /// # Errors
    /// [`CannotSign::Library`] when the machine has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, CannotSign> {
        let (private, public) = match algorithm {
            Algorithm::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let private: Pkcs8V1Der<'_> = pair.as_der()?;
                (to_pem("PRIVATE KEY", private.as_ref()), pair.public_key().as_der()?)
            }
            Algorithm::Ecdsa => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
                (to_pem("PRIVATE KEY", pair.to_pkcs8v1()?.as_ref()), pair.public_key().as_der()?)
            }
        };
        let public: PublicKeyX509Der<'_> = public;
        Ok(Self { private, public: to_pem("PUBLIC KEY", public.as_ref()) })
    }
}

/// RFC 7468: lines of 64 characters.
fn to_pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.extend([line, "\n"]);
        rest = more;
    }
    pem.extend(["-----END ", label, "-----\n"]);
    pem
}
