//! Certificates that can be read again while the server runs.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What an operator has to mend when a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file could not be read as PEM.
    #[error("{file} cannot be read: {why}")]
    Unreadable {
        /// Which.
        file: String,
        /// What was wrong.
        why: String,
    },
    /// The files do not belong together, or the key has an algorithm that TLS does not know.
    #[error("the certificate and the private key do not fit together: {0}")]
    Mismatch(String),
}

/// The certificate in force; every handshake takes the newest.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    /// Reads a PEM chain, leaf first, and its private key.
    ///
    /// # Errors
    /// [`Unusable`], naming the file.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>, Unusable> {
        let current = ArcSwap::from_pointee(certified(chain, key)?);
        Ok(Arc::new(Self { current }))
    }

    /// Reads the files again; on failure what was in force stays so.
    ///
    /// # Errors
    /// [`Unusable`], naming the file.
    pub fn reload(&self, chain: &Path, key: &Path) -> Result<(), Unusable> {
        self.current.store(Arc::new(certified(chain, key)?));
        Ok(())
    }

    /// TLS 1.2 and 1.3 with this certificate, offering HTTP/2 and HTTP/1.1.
    pub fn server_config(self: &Arc<Self>) -> io::Result<Arc<ServerConfig>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn certified(chain: &Path, key: &Path) -> Result<CertifiedKey, Unusable> {
    let unreadable =
        |file: &Path, why: String| Unusable::Unreadable { file: file.display().to_string(), why };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(chain, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable(chain, "it has no BEGIN CERTIFICATE block".into()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error.to_string()))?;
    CertifiedKey::from_der(certificates, private, &aws_lc_rs::default_provider())
        .map_err(|error| Unusable::Mismatch(error.to_string()))
}

/// The names of a negotiated version and suite as CloudFront's log has them.
pub(super) fn names(session: &rustls::ServerConnection) -> Option<(&'static str, &'static str)> {
    use rustls::{CipherSuite as Suite, ProtocolVersion as Version};

    let version = match session.protocol_version()? {
        Version::TLSv1_2 => "TLSv1.2",
        Version::TLSv1_3 => "TLSv1.3",
        _ => "-",
    };
    let suite = match session.negotiated_cipher_suite()?.suite() {
        Suite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        Suite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "-",
    };
    Some((version, suite))
}
