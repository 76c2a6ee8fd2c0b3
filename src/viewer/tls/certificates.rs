//! Certificates by name, which can be read again while the server runs.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use config::listen::Certificate;
use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

/// Octets of an OCSP response, which goes to every viewer; they have about 500, or 2,000 with a certificate of their own.
const MAX_OCSP: usize = 16 * 1024;

/// What an operator has to mend when a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file could not be read.
    #[error("{file} cannot be read: {why}")]
    Unreadable {
        /// Which.
        file: String,
        /// What was wrong.
        why: String,
    },
    /// The files do not belong together, or the key has an algorithm that TLS does not know.
    #[error("the certificate {file} and its private key do not fit together: {why}")]
    Mismatch {
        /// The certificate's.
        file: String,
        /// What was wrong.
        why: String,
    },
    /// No viewer could ever be shown it.
    #[error(
        "{file} has no DNS name among its subject alternative names, so it can only be the default certificate"
    )]
    Nameless {
        /// Which.
        file: String,
    },
}

/// The certificates in force; every handshake takes the newest.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<Shown>,
}

#[derive(Debug)]
struct Shown {
    /// The default one first.
    keys: Vec<Arc<CertifiedKey>>,
    /// Which of them have a name, the preferred one first. `*.example.com` stands here as `.example.com`.
    by_name: HashMap<String, Vec<usize>>,
}

impl Certificates {
    /// Reads PEM chains, leaf first, and their private keys; the first is the default certificate. As long as there is
    /// none, handshakes fail.
    ///
    /// # Errors
    /// [`Unusable`], naming the file.
    pub fn load(certificates: &[Certificate]) -> Result<Arc<Self>, Unusable> {
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(Shown::read(certificates)?) }))
    }

    /// Reads the files again; on failure what was in force stays so.
    ///
    /// # Errors
    /// [`Unusable`], naming the file.
    pub fn reload(&self, certificates: &[Certificate]) -> Result<(), Unusable> {
        self.current.store(Arc::new(Shown::read(certificates)?));
        Ok(())
    }

    /// Whether there is a certificate that is shown for either name.
    pub(super) fn speak_for_both(&self, one: &str, other: &str) -> bool {
        let shown = self.current.load();
        shown.of(one).iter().any(|it| shown.of(other).contains(it))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.current.load();
        let named =
            shown.of(hello.server_name().unwrap_or_default()).iter().filter_map(|&it| shown.keys.get(it));
        // Better one of a wrong name than none, of which a viewer learns nothing.
        named
            .chain(&shown.keys)
            .find(|it| it.key.choose_scheme(hello.signature_schemes()).is_some())
            .map(Arc::clone)
    }
}

impl Shown {
    fn read(certificates: &[Certificate]) -> Result<Self, Unusable> {
        let keys = certificates.iter().map(certified).collect::<Result<Vec<_>, _>>()?;
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, (key, certificate)) in keys.iter().zip(certificates).enumerate() {
            let names = names(key);
            if names.is_empty() && at > 0 {
                return Err(Unusable::Nameless { file: shown(&certificate.chain) });
            }
            for name in names {
                by_name.entry(name).or_default().push(at);
            }
        }
        for having in by_name.values_mut() {
            // Signing by ECDSA takes a tenth of the time of RSA, here and in small devices.
            having.sort_by_key(|&at| keys[at].key.algorithm() != SignatureAlgorithm::ECDSA);
        }
        Ok(Self { keys: keys.into_iter().map(Arc::new).collect(), by_name })
    }

    /// Which certificates are shown for a name in lower case: those that have it, those with a `*` for its first label,
    /// or the default one.
    fn of(&self, name: &str) -> &[usize] {
        let wildcard = || self.by_name.get(&name[name.find('.')?..]);
        self.by_name.get(name).or_else(wildcard).map_or(&[0], Vec::as_slice)
    }
}

fn certified(files: &Certificate) -> Result<CertifiedKey, Unusable> {
    let Certificate { chain, private_key } = files;
    let unreadable = |file: &Path, why: String| Unusable::Unreadable { file: shown(file), why };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(chain, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable(chain, "it has no BEGIN CERTIFICATE block".into()));
    }
    let private = PrivateKeyDer::from_pem_file(private_key)
        .map_err(|error| unreadable(private_key, error.to_string()))?;
    let mut key = CertifiedKey::from_der(certificates, private, &aws_lc_rs::default_provider())
        .map_err(|error| Unusable::Mismatch { file: shown(chain), why: error.to_string() })?;
    key.ocsp = ocsp_beside(chain)?;
    Ok(key)
}

/// The OCSP response that stands beside a certificate, if one does.
fn ocsp_beside(chain: &Path) -> Result<Option<Vec<u8>>, Unusable> {
    let mut file = chain.as_os_str().to_owned();
    file.push(".ocsp");
    let file = PathBuf::from(file);
    let why = match fs::read(&file) {
        Ok(response) if response.len() <= MAX_OCSP => return Ok(Some(response)),
        Ok(_) => format!("it is longer than {MAX_OCSP} bytes, so it is no OCSP response"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => error.to_string(),
    };
    Err(Unusable::Unreadable { file: shown(&file), why })
}

/// The DNS names of a certificate in lower case, `*.` shortened to `.`.
fn names(key: &CertifiedKey) -> Vec<String> {
    let Some(leaf) = key.cert.first() else { return Vec::new() };
    // What cannot be read so far was read by whoever compared it with its key, so it has no names that we know.
    let Ok(leaf) = EndEntityCert::try_from(leaf) else { return Vec::new() };
    let plain = |name: &str| name.strip_prefix('*').unwrap_or(name).to_ascii_lowercase();
    leaf.valid_dns_names().map(plain).collect()
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

    use super::*;

    fn made(
        at: &Path,
        file: &str,
        names: &[&str],
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> Certificate {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let files = Certificate {
            chain: at.join(format!("{file}.pem")),
            private_key: at.join(format!("{file}.key")),
        };
        fs::write(&files.chain, certificate.pem()).unwrap();
        fs::write(&files.private_key, key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_name_is_found_before_a_wildcard_and_ecdsa_before_rsa() {
        let directory = tempfile::tempdir().unwrap();
        let make = |file: &str, names: &[&str]| made(directory.path(), file, names, &PKCS_ECDSA_P256_SHA256);
        let rsa = made(directory.path(), "rsa", &["a.example"], &PKCS_RSA_SHA256);
        let files = [
            make("default", &["default.example"]),
            rsa,
            make("a", &["a.example"]),
            make("all", &["*.Wide.example"]),
        ];
        let shown = Shown::read(&files).unwrap();
        assert_eq!(shown.of("a.example"), [2, 1]);
        assert_eq!(shown.of("b.wide.example"), [3]);
        assert_eq!(shown.of("default.example"), [0]);
        // A `*` stands for one label.
        assert_eq!(shown.of("b.c.wide.example"), [0]);
        for nobody in ["wide.example", "other.test", ""] {
            assert_eq!(shown.of(nobody), [0], "{nobody:?}");
        }
    }

    #[test]
    fn a_certificate_that_nobody_could_be_shown_is_a_mistake() {
        let directory = tempfile::tempdir().unwrap();
        let make = |file: &str, names: &[&str]| made(directory.path(), file, names, &PKCS_ECDSA_P256_SHA256);
        let (named, nameless) = (make("named", &["a.example"]), make("nameless", &[]));
        assert!(Certificates::load(&[nameless.clone(), named.clone()]).is_ok());
        let refused = Certificates::load(&[named, nameless]).unwrap_err();
        assert!(matches!(refused, Unusable::Nameless { .. }), "{refused}");
    }

    #[test]
    fn an_ocsp_response_beside_a_certificate_is_stapled() {
        let directory = tempfile::tempdir().unwrap();
        let files = made(directory.path(), "a", &["a.example"], &PKCS_ECDSA_P256_SHA256);
        assert_eq!(certified(&files).unwrap().ocsp, None);
        fs::write(directory.path().join("a.pem.ocsp"), [0x30, 0x03]).unwrap();
        assert_eq!(certified(&files).unwrap().ocsp, Some(vec![0x30, 0x03]));
        fs::write(directory.path().join("a.pem.ocsp"), vec![0; MAX_OCSP + 1]).unwrap();
        assert!(matches!(certified(&files), Err(Unusable::Unreadable { .. })));
    }
}
